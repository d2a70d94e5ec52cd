/* Batches as JSON lines: an object a row, or of messages the value of each. */
#include "connect/file_format.h"
#include "connect/ndjson/ndjson_impl.h"
#include "engine/format/json_write.h"
#include "engine/format/message.h"

typedef struct NdjsonState {
    JsonEncoder *encoder; /* NULL: messages */
} NdjsonState;

static Status ndjson_format_open(void *state, const Location *location UNUSED, const Schema *schema,
                                 Err *err)
{
    NdjsonState *s = state;
    return message_is(schema) ? OK : json_encoder_new(schema, &s->encoder, err);
}

/* The values, a line each: line breaks between tokens become blanks, a tombstone is null. */
static Status put_messages(const Batch *batch, Buf *out, Err *err)
{
    for (int64_t row = 0; row < batch->rows; row++) {
        int64_t from = out->len;
        Message message = message_at(batch, row);
        TRY(buf_append(out, message.value.ptr ? message.value : STR("null"), err));
        for (int64_t i = from; i < out->len; i++) {
            char c = out->data[i];
            if (c == '\n' || c == '\r') out->data[i] = ' ';
        }
        TRY(buf_append_char(out, '\n', err));
    }
    return OK;
}

static Status ndjson_format_rows(void *state, const Batch *batch, Buf *out, Err *err)
{
    const NdjsonState *s = state;
    if (!s->encoder) return put_messages(batch, out, err);
    return json_encoder_rows(s->encoder, batch, 0, batch->rows, out, err);
}

static void ndjson_format_close(void *state)
{
    json_encoder_free(((NdjsonState *)state)->encoder);
}

static const FileFormat NDJSON_FORMAT = {
    .file = "a file of JSON lines",
    .values = "JSON",
    .can_append = true,
    .state_bytes = sizeof(NdjsonState),
    .open = ndjson_format_open,
    .rows = ndjson_format_rows,
    .close = ndjson_format_close,
};

Status ndjson_sink_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    return file_format_sink(&NDJSON_FORMAT, req, ret_sink, err);
}
