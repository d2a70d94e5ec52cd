/* The JSON lines connector: files of one JSON object per line. */
#include "connect/ndjson/ndjson_connector.h"

#include "connect/ndjson/ndjson_impl.h"

static const char *const OPTIONS[] = {"types", NULL};

const Connector ndjson_connector = {
    .scheme = "ndjson",
    .title = "files of JSON lines",
    .options = OPTIONS,
    .reads = true,
    .writes = true,
    .is_file = true,
    .open_rows = true,
    .source_new = ndjson_source_new,
    .sink_new = ndjson_sink_new,
};
