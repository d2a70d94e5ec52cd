/* The SQLite connector: tables and queries in, tables out. */
#include "connect/connector.h"
#include "connect/connectors.h"
#include "connect/sqlite/sqlite_impl.h"

static const char *const SCHEMES[] = {"sqlite", NULL};
static const char *const LOOKS[] = {"db", "sqlite", "sqlite3", NULL};

const Connector sqlite_connector = {
    .title = "SQLite databases",
    .kind = LOCATION_TABLE,
    .schemes = SCHEMES,
    .form = "sqlite:///",
    .looks = LOOKS,
    .parse = sqlite_location_parse,
    .reads = true,
    .writes = true,
    .merges = true,
    .source_new = sqlite_source_new,
    .sink_new = sqlite_sink_new,
};
