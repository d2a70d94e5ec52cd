/* The SQLite connector: tables and queries in, tables out. */
#include "connect/sqlite/sqlite_connector.h"

#include "connect/sqlite/sqlite_impl.h"

static const char *const NO_OPTIONS[] = {NULL};

const Connector sqlite_connector = {
    .scheme = "sqlite",
    .title = "SQLite databases",
    .options = NO_OPTIONS,
    .reads = true,
    .writes = true,
    .merges = true,
    .source_new = sqlite_source_new,
    .sink_new = sqlite_sink_new,
};
