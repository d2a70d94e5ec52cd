/* Writes batches as JSON lines, whole or not at all, or appended with a journal. */
#include "connect/file_sink.h"
#include "connect/ndjson/ndjson_impl.h"
#include "engine/format/json_write.h"
#include "foundation/base/mem.h"

typedef struct NdjsonSink {
    Sink sink;
    FileSink *file;
    JsonEncoder *encoder;
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

static Status ndjson_sink_open(Sink *sink, Str run_id UNUSED, int64_t epoch UNUSED, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    return file_sink_new(sink->req->location, sink->req->mode == SINK_APPEND, &self->file, err);
}

static Status ndjson_sink_port(Sink *sink, SinkPortKind kind UNUSED, Str name UNUSED,
                               const Schema *schema, int32_t *ret_port, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    if (self->encoder) return err_set(err, ERR_CONFIG, "a file takes rows of one kind");
    *ret_port = 0;
    return json_encoder_new(schema, &self->encoder, err);
}

static Status ndjson_sink_begin(Sink *sink, int64_t cycle UNUSED, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    bool empty = false;
    self->written = 0;
    return file_sink_begin(self->file, &empty, err);
}

static Status ndjson_sink_write(Sink *sink, int32_t port UNUSED, Batch *batch,
                                RejectWriter *rejects UNUSED, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    buf_clear(&self->text);
    TRY(json_encoder_rows(self->encoder, batch, 0, batch->rows, &self->text, err));
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

static Status ndjson_sink_commit(Sink *sink, const Position *position, const SinkRun *run UNUSED,
                                 CommitResult *ret_result, Err *err)
{
    *ret_result = COMMIT_DONE;
    return file_sink_commit(((NdjsonSink *)sink)->file, position, err);
}

static Status ndjson_sink_abort(Sink *sink, Err *err)
{
    NdjsonSink *self = (NdjsonSink *)sink;
    return self->file ? file_sink_abort(self->file, err) : OK;
}

static void ndjson_sink_cancel(Sink *sink UNUSED)
{
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

Status ndjson_sink_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    if (req->mode == SINK_UPSERT || req->mode == SINK_MIRROR) {
        (void)err_set(err, ERR_CONFIG, "a file of JSON lines can't be merged into");
        return err_hint(err, "mode replace or append");
    }
    NdjsonSink *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->sink = (Sink){&NDJSON_SINK_OPS, req};
    self->text = buf_make(INT64_C(1) << 34);
    *ret_sink = &self->sink;
    return OK;
}
