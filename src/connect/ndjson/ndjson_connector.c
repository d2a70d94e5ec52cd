/* The JSON lines connector: files of one JSON object per line. */
#include "connect/connector.h"
#include "connect/connectors.h"
#include "connect/ndjson/ndjson_impl.h"

static const char *const ENDINGS[] = {"ndjson", "jsonl", NULL};
static const char *const OPTIONS[] = {"strings", "types", NULL};

const Connector ndjson_connector = {
    .title = "files of JSON lines",
    .kind = LOCATION_FILE,
    .endings = ENDINGS,
    .fragment.options = OPTIONS,
    .fragment.source = OPTIONS,
    .reads = true,
    .writes = true,
    .open_rows = true,
    .messages = true,
    .source_new = ndjson_source_new,
    .sink_new = ndjson_sink_new,
};
