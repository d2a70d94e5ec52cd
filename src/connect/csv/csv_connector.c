/* The CSV connector: files with delimiters, quotes and headers. */
#include "connect/connector.h"
#include "connect/connectors.h"
#include "connect/csv/csv_impl.h"

static const char *const ENDINGS[] = {"csv", "tsv", NULL};
static const char *const OPTIONS[] = {"delimiter", "header",  "null",       "encoding",
                                      "types",     "quote",   "escape",     "skip_first",
                                      "skip_last", "comment", "short_rows", "trailing_delimiter",
                                      NULL};

static const char *const SOURCE_OPTIONS[] = {
    "types",     "quote",   "escape",     "skip_first",
    "skip_last", "comment", "short_rows", "trailing_delimiter",
    NULL};

/* tsv is csv with a tab. */
static Status parse(Location *location, Str format, Arena *arena, Err *err)
{
    if (!str_eq(format, STR("tsv"))) return OK;
    return location_set(location, arena, STR("delimiter"), STR("\t"), err);
}

const Connector csv_connector = {
    .title = "CSV and TSV files",
    .kind = LOCATION_FILE,
    .endings = ENDINGS,
    .fragment.options = OPTIONS,
    .fragment.source = SOURCE_OPTIONS,
    .parse = parse,
    .reads = true,
    .writes = true,
    .texts = true,
    .source_new = csv_source_new,
    .sink_new = csv_sink_new,
};
