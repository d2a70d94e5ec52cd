/* Writes batches as CSV, whole or not at all. */
#include "connect/csv/csv_impl.h"
#include "connect/file_sink.h"
#include "engine/format/csv_write.h"
#include "foundation/base/mem.h"

typedef struct CsvSink {
    Sink sink;
    FileSink *file;
    CsvOptions options;
    Schema *schema;
    Buf text;
    int64_t written;
} CsvSink;

static Status check_schema(const Schema *schema, Err *err)
{
    if (!schema->open) return OK;
    return err_set(err, ERR_CONFIG, "csv needs known columns; name them in a select");
}

static Status csv_sink_describe(Sink *sink, const Schema *schema, SinkPlan *plan, Err *err)
{
    TRY(check_schema(schema, err));
    bool append = sink->req->mode == SINK_APPEND;
    plan->exactly_once = true;
    plan->promise = append ? STR("exactly once over restarts: a journal beside the file")
                           : STR("whole or not at all: a temporary file, renamed at the end");
    for (int32_t i = 0; i < schema->count; i++) {
        TRY(sink_plan_add(plan, PLAN_TYPE, err, "%.*s: %s -> text", STR_ARG(schema->fields[i].name),
                          type_name(schema->fields[i].type)));
    }
    return OK;
}

static Status file_make(CsvSink *self, Err *err)
{
    return self->file ? OK : file_sink_new(self->sink.req, &self->file, err);
}

/* append: the journal beside the file keeps the position. */
static Status csv_sink_state(Sink *sink, LoadState *ret_state, Err *err)
{
    CsvSink *self = (CsvSink *)sink;
    TRY(file_make(self, err));
    return file_sink_position(self->file, &ret_state->position, err);
}

static Status csv_sink_open(Sink *sink, Str run_id UNUSED, int64_t epoch UNUSED, Err *err)
{
    CsvSink *self = (CsvSink *)sink;
    TRY(csv_options(sink->req->location, &self->options, err));
    return file_make(self, err);
}

static Status csv_sink_port(Sink *sink, SinkPortKind kind, Str name UNUSED, const Schema *schema,
                            int32_t *ret_port, Err *err)
{
    CsvSink *self = (CsvSink *)sink;
    TRY(check_schema(schema, err));
    if (self->schema) return err_set(err, ERR_CONFIG, "a file takes rows of one kind");
    self->schema = schema_ref(schema);
    if (kind == PORT_REJECT) file_sink_share(self->file);
    *ret_port = 0;
    return OK;
}

static Status csv_sink_begin(Sink *sink, int64_t cycle, Err *err)
{
    CsvSink *self = (CsvSink *)sink;
    self->written = 0;
    buf_clear(&self->text);
    if (self->options.header) {
        TRY(csv_write_header(self->schema, self->options.delimiter, &self->text, err));
    }
    return file_sink_begin(self->file, cycle, buf_str(&self->text), err);
}

static Status csv_sink_write(Sink *sink, int32_t port UNUSED, Batch *batch,
                             RejectWriter *rejects UNUSED, Err *err)
{
    CsvSink *self = (CsvSink *)sink;
    buf_clear(&self->text);
    TRY(csv_write_rows(batch, self->options.delimiter, &self->text, err));
    self->written += batch->rows;
    return file_sink_write(self->file, buf_str(&self->text), err);
}

static Status csv_sink_apply(Sink *sink, RejectWriter *rejects UNUSED, SinkCounts *counts,
                             Err *err UNUSED)
{
    CsvSink *self = (CsvSink *)sink;
    *counts = (SinkCounts){.loaded = self->written, .inserted = self->written};
    return OK;
}

static Status csv_sink_commit(Sink *sink, const Position *position, const SinkRun *run,
                              CommitResult *ret_result, Err *err)
{
    return file_sink_commit(((CsvSink *)sink)->file, position, run, ret_result, err);
}

static Status csv_sink_take(Sink *sink, const int32_t *parts, int32_t count, Position *ret_from,
                            bool *ret_taken UNUSED, Err *err)
{
    return file_sink_take(((CsvSink *)sink)->file, parts, count, ret_from, err);
}

static bool csv_sink_holds(const Sink *sink, int32_t part)
{
    return file_sink_holds(((const CsvSink *)sink)->file, part);
}

static Status csv_sink_claim(Sink *sink, const Position *position, const SinkRun *run,
                             bool *ret_held, Err *err)
{
    return file_sink_claim(((CsvSink *)sink)->file, position, run, ret_held, err);
}

static Status csv_sink_outcome(Sink *sink, Str run_id, int64_t cycle, Outcome *ret_outcome,
                               SinkCounts *ret_counts, Err *err)
{
    CsvSink *self = (CsvSink *)sink;
    TRY(file_make(self, err));
    return file_sink_outcome(self->file, run_id, cycle, ret_outcome, ret_counts, err);
}

static Status csv_sink_rejects_settle(Sink *sink, const RejectsAsk *ask, Err *err)
{
    CsvSink *self = (CsvSink *)sink;
    TRY(file_make(self, err));
    return file_sink_rejects_settle(self->file, ask, err);
}

static Status csv_sink_abort(Sink *sink, Err *err)
{
    CsvSink *self = (CsvSink *)sink;
    return self->file ? file_sink_abort(self->file, err) : OK;
}

static void csv_sink_cancel(Sink *sink)
{
    CsvSink *self = (CsvSink *)sink;
    if (self->file) file_sink_cancel(self->file);
}

static void csv_sink_close(Sink *sink)
{
    CsvSink *self = (CsvSink *)sink;
    file_sink_free(self->file);
    schema_unref(self->schema);
    buf_done(&self->text);
    mem_free(self);
}

static const SinkOps CSV_SINK_OPS = {
    .describe = csv_sink_describe,
    .open = csv_sink_open,
    .port = csv_sink_port,
    .begin = csv_sink_begin,
    .write = csv_sink_write,
    .apply = csv_sink_apply,
    .commit = csv_sink_commit,
    .abort = csv_sink_abort,
    .cancel = csv_sink_cancel,
    .close = csv_sink_close,
};

/* An appended file keeps the position of a pipeline or stream, and its last run. */
static const SinkOps CSV_APPEND_OPS = {
    .describe = csv_sink_describe,
    .state = csv_sink_state,
    .take = csv_sink_take,
    .holds = csv_sink_holds,
    .claim = csv_sink_claim,
    .open = csv_sink_open,
    .port = csv_sink_port,
    .begin = csv_sink_begin,
    .write = csv_sink_write,
    .apply = csv_sink_apply,
    .commit = csv_sink_commit,
    .outcome = csv_sink_outcome,
    .abort = csv_sink_abort,
    .rejects_settle = csv_sink_rejects_settle,
    .cancel = csv_sink_cancel,
    .close = csv_sink_close,
};

Status csv_sink_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    if (req->mode == SINK_UPSERT || req->mode == SINK_MIRROR) {
        (void)err_set(err, ERR_CONFIG, "a CSV file can't be merged into");
        return err_hint(err, "mode replace or append");
    }
    CsvSink *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    bool append = req->mode == SINK_APPEND && !str_eq(req->location->path, STR("-"));
    self->sink = (Sink){append ? &CSV_APPEND_OPS : &CSV_SINK_OPS, req};
    self->text = buf_make(INT64_C(1) << 34);
    *ret_sink = &self->sink;
    return OK;
}
