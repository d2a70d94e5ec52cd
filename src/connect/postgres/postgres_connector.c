/* The PostgreSQL connector: tables and queries in, tables out. */
#include "connect/connector.h"
#include "connect/connectors.h"
#include "connect/postgres/postgres_sink.h"
#include "connect/postgres/postgres_source.h"

static const char *const SCHEMES[] = {"postgresql", "postgres", NULL};
static const char *const OPTIONS[] = {"timeout", NULL};

const Connector postgres_connector = {
    .title = "PostgreSQL databases",
    .kind = LOCATION_TABLE,
    .schemes = SCHEMES,
    .authority = true,
    .form = "postgresql://",
    .fragment.options = OPTIONS,
    .reads = true,
    .writes = true,
    .merges = true,
    .samples = true,
    .source_new = postgres_source_new,
    .sink_new = postgres_sink_new,
};
