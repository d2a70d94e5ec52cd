/* Batches as CSV: a header of names, then rows. */
#include "connect/csv/csv_impl.h"
#include "connect/file_format.h"
#include "engine/format/csv_write.h"

typedef struct CsvState {
    CsvOptions options;
    Schema *schema;
} CsvState;

static Status csv_format_check(const Schema *schema, Err *err)
{
    if (!schema->open) return OK;
    return err_set(err, ERR_CONFIG, "csv needs known columns; name them in a select");
}

static Status csv_format_open(void *state, const Location *location, const Schema *schema, Err *err)
{
    CsvState *s = state;
    s->schema = schema_ref(schema);
    return csv_options(location, &s->options, err);
}

static Status csv_format_header(void *state, Buf *out, Err *err)
{
    const CsvState *s = state;
    return s->options.header ? csv_write_header(s->schema, s->options.delimiter, out, err) : OK;
}

static Status csv_format_rows(void *state, const Batch *batch, Buf *out, Err *err)
{
    const CsvState *s = state;
    return csv_write_rows(batch, s->options.delimiter, out, err);
}

static void csv_format_close(void *state)
{
    schema_unref(((CsvState *)state)->schema);
}

static const FileFormat CSV_FORMAT = {
    .file = "a CSV file",
    .values = "text",
    .can_append = true,
    .state_bytes = sizeof(CsvState),
    .check = csv_format_check,
    .open = csv_format_open,
    .header = csv_format_header,
    .rows = csv_format_rows,
    .close = csv_format_close,
};

Status csv_sink_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    return file_format_sink(&CSV_FORMAT, req, ret_sink, err);
}
