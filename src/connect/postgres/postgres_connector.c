/* The PostgreSQL connector: tables and queries in, tables out. */
#include "connect/postgres/postgres_connector.h"

#include "connect/postgres/postgres_impl.h"

static const char *const OPTIONS[] = {"timeout", NULL};

const Connector postgres_connector = {
    .scheme = "postgresql",
    .title = "PostgreSQL databases",
    .options = OPTIONS,
    .reads = true,
    .writes = true,
    .merges = true,
    .samples = true,
    .source_new = postgres_source_new,
    .sink_new = postgres_sink_new,
};
