/* Writes batches as JSON lines, whole or not at all, or appended with a journal. */
#include "connect/file_sink.h"
#include "connect/ndjson/ndjson_impl.h"
#include "engine/format/json_write.h"
#include "engine/format/message.h"
#include "foundation/base/mem.h"

typedef struct NdjsonSink {
    Sink sink;
    FileSink *file;
    JsonEncoder *encoder;
    bool has_port, messages; /* messages: of each only the value becomes a line */
    Buf text;
    int64_t written;
} NdjsonSink;

static Status ndjson_sink_describe(Sink *sink, const Schema *schema, SinkPlan *plan, Err *err)
{
    bool append = sink->req->mode == SINK_APPEND;
    plan->exactly_once = true;
    plan->promise = append ? STR("exactly once over restarts: a journal beside the file")
                           : STR("whole or not at all: a temporary file, renamed at the end");
    for (int32_t i = 0; i < schema->count; i++) {
        TRY(sink_plan_add(plan, PLAN_TYPE, err, "%.*s: %s -> JSON", STR_ARG(schema->fields[i].name),
                          type_name(schema->fields[i].type)));
    }
    return OK;
}

static Status file_make(NdjsonSink *self, Err *err)
{
    return self->file ? OK : file_sink_new(self->sink.req, &self->file, err);
}

/* append: the journal beside the file keeps the position. */
static Status ndjson_sink_state(Sink *sink, LoadState *ret_state, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    TRY(file_make(self, err));
    return file_sink_position(self->file, &ret_state->position, err);
}

static Status ndjson_sink_open(Sink *sink, Str run_id UNUSED, int64_t epoch UNUSED, Err *err)
{
    return file_make((NdjsonSink *)sink, err);
}

static Status ndjson_sink_port(Sink *sink, SinkPortKind kind, Str name UNUSED, const Schema *schema,
                               int32_t *ret_port, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    if (self->has_port) return err_set(err, ERR_CONFIG, "a file takes rows of one kind");
    *ret_port = 0;
    self->has_port = true;
    if (kind == PORT_REJECT) file_sink_share(self->file);
    self->messages = message_is(schema);
    if (self->messages) return OK;
    return json_encoder_new(schema, &self->encoder, err);
}

static Status ndjson_sink_begin(Sink *sink, int64_t cycle, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    self->written = 0;
    return file_sink_begin(self->file, cycle, STR_NULL, err);
}

/* The values, a line each: line breaks between tokens become blanks, a tombstone is null. */
static Status write_messages(NdjsonSink *self, const Batch *batch, Err *err)
{
    for (int64_t row = 0; row < batch->rows; row++) {
        int64_t from = self->text.len;
        Message message = message_at(batch, row);
        TRY(buf_append(&self->text, message.value.ptr ? message.value : STR("null"), err));
        for (int64_t i = from; i < self->text.len; i++) {
            char c = self->text.data[i];
            if (c == '\n' || c == '\r') self->text.data[i] = ' ';
        }
        TRY(buf_append_char(&self->text, '\n', err));
    }
    return OK;
}

static Status ndjson_sink_write(Sink *sink, int32_t port UNUSED, Batch *batch,
                                RejectWriter *rejects UNUSED, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    buf_clear(&self->text);
    if (self->messages) TRY(write_messages(self, batch, err));
    else TRY(json_encoder_rows(self->encoder, batch, 0, batch->rows, &self->text, err));
    self->written += batch->rows;
    return file_sink_write(self->file, buf_str(&self->text), err);
}

static Status ndjson_sink_apply(Sink *sink, RejectWriter *rejects UNUSED, SinkCounts *counts,
                                Err *err UNUSED)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    *counts = (SinkCounts){.loaded = self->written, .inserted = self->written};
    return OK;
}

static Status ndjson_sink_commit(Sink *sink, const Position *position, const SinkRun *run,
                                 CommitResult *ret_result, Err *err)
{
    return file_sink_commit(((NdjsonSink *)sink)->file, position, run, ret_result, err);
}

static Status ndjson_sink_take(Sink *sink, const int32_t *parts, int32_t count, Position *ret_from,
                               bool *ret_taken UNUSED, Err *err)
{
    return file_sink_take(((NdjsonSink *)sink)->file, parts, count, ret_from, err);
}

static bool ndjson_sink_holds(const Sink *sink, int32_t part)
{
    return file_sink_holds(((const NdjsonSink *)sink)->file, part);
}

static Status ndjson_sink_claim(Sink *sink, const Position *position, const SinkRun *run,
                                bool *ret_held, Err *err)
{
    return file_sink_claim(((NdjsonSink *)sink)->file, position, run, ret_held, err);
}

static Status ndjson_sink_outcome(Sink *sink, Str run_id, int64_t cycle, Outcome *ret_outcome,
                                  SinkCounts *ret_counts, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    TRY(file_make(self, err));
    return file_sink_outcome(self->file, run_id, cycle, ret_outcome, ret_counts, err);
}

static Status ndjson_sink_rejects_settle(Sink *sink, const RejectsAsk *ask, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    TRY(file_make(self, err));
    return file_sink_rejects_settle(self->file, ask, err);
}

static Status ndjson_sink_abort(Sink *sink, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    return self->file ? file_sink_abort(self->file, err) : OK;
}

static void ndjson_sink_cancel(Sink *sink)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    if (self->file) file_sink_cancel(self->file);
}

static void ndjson_sink_close(Sink *sink)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    file_sink_free(self->file);
    json_encoder_free(self->encoder);
    buf_done(&self->text);
    mem_free(self);
}

static const SinkOps NDJSON_SINK_OPS = {
    .describe = ndjson_sink_describe,
    .open = ndjson_sink_open,
    .port = ndjson_sink_port,
    .begin = ndjson_sink_begin,
    .write = ndjson_sink_write,
    .apply = ndjson_sink_apply,
    .commit = ndjson_sink_commit,
    .abort = ndjson_sink_abort,
    .cancel = ndjson_sink_cancel,
    .close = ndjson_sink_close,
};

/* An appended file keeps the position of a pipeline or stream, and its last run. */
static const SinkOps NDJSON_APPEND_OPS = {
    .describe = ndjson_sink_describe,
    .state = ndjson_sink_state,
    .take = ndjson_sink_take,
    .holds = ndjson_sink_holds,
    .claim = ndjson_sink_claim,
    .open = ndjson_sink_open,
    .port = ndjson_sink_port,
    .begin = ndjson_sink_begin,
    .write = ndjson_sink_write,
    .apply = ndjson_sink_apply,
    .commit = ndjson_sink_commit,
    .outcome = ndjson_sink_outcome,
    .abort = ndjson_sink_abort,
    .rejects_settle = ndjson_sink_rejects_settle,
    .cancel = ndjson_sink_cancel,
    .close = ndjson_sink_close,
};

Status ndjson_sink_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    if (req->mode == SINK_UPSERT || req->mode == SINK_MIRROR) {
        (void)err_set(err, ERR_CONFIG, "a file of JSON lines can't be merged into");
        return err_hint(err, "mode replace or append");
    }
    NdjsonSink *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    bool append = req->mode == SINK_APPEND && !str_eq(req->location->path, STR("-"));
    self->sink = (Sink){append ? &NDJSON_APPEND_OPS : &NDJSON_SINK_OPS, req};
    self->text = buf_make(INT64_C(1) << 34);
    *ret_sink = &self->sink;
    return OK;
}
