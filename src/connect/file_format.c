/* The sink of all formats of files: bytes from the format, their way into the file from FileSink.
 */
#include "connect/file_format.h"

#include <assert.h>

#include "connect/file_sink.h"
#include "foundation/base/mem.h"

#define TEXT_MAX (INT64_C(1) << 34)

typedef struct FormatSink {
    Sink sink;
    const FileFormat *format;
    void *state; /* the format's */
    FileSink *file;
    bool has_port;
    Buf text; /* of the rows at hand */
    int64_t written;
} FormatSink;

static const SinkOps REPLACE_OPS, APPEND_OPS;

/* Of whichever mode. */
#define FORMAT_SELF(Type, sink)                                                                    \
    DOWNCAST(Type, sink, (sink)->ops == &REPLACE_OPS || (sink)->ops == &APPEND_OPS)

static Status check_schema(const FormatSink *self, const Schema *schema, Err *err)
{
    return self->format->check ? self->format->check(schema, err) : OK;
}

static Status format_sink_describe(Sink *sink, const Schema *schema, SinkPlan *plan, Err *err)
{
    const FormatSink *self = FORMAT_SELF(FormatSink, sink);
    TRY(check_schema(self, schema, err));
    bool append = sink->req->mode == SINK_APPEND;
    plan->exactly_once = true;
    plan->promise = append ? STR("exactly once over restarts: a journal beside the file")
                           : STR("whole or not at all: a temporary file, renamed at the end");
    for (int32_t i = 0; i < schema->count; i++) {
        TRY(sink_plan_add(plan, PLAN_TYPE, err, "%.*s: %s -> %s", STR_ARG(schema->fields[i].name),
                          type_name(schema->fields[i].type), self->format->values));
    }
    return OK;
}

static Status file_make(FormatSink *self, Err *err)
{
    return self->file ? OK : file_sink_new(self->sink.req, &self->file, err);
}

/* append: the journal beside the file keeps the position. */
static Status format_sink_state(Sink *sink, LoadState *ret_state, Err *err)
{
    FormatSink *self = FORMAT_SELF(FormatSink, sink);
    TRY(file_make(self, err));
    return file_sink_position(self->file, &ret_state->position, err);
}

static Status format_sink_open(Sink *sink, Str run_id UNUSED, int64_t epoch UNUSED, Err *err)
{
    return file_make(FORMAT_SELF(FormatSink, sink), err);
}

static Status format_sink_port(Sink *sink, SinkPortKind kind, Str name UNUSED, const Schema *schema,
                               int32_t *ret_port, Err *err)
{
    FormatSink *self = FORMAT_SELF(FormatSink, sink);
    TRY(check_schema(self, schema, err));
    if (self->has_port) return err_set(err, ERR_CONFIG, "a file takes rows of one kind");
    self->has_port = true;
    if (kind == PORT_REJECT) file_sink_share(self->file);
    if (self->format->open) {
        TRY(self->format->open(self->state, sink->req->location, schema, err));
    }
    *ret_port = 0;
    return OK;
}

/* append: what is there says how rows must look. */
static Status follow(FormatSink *self, Err *err)
{
    bool whole = false;
    if (!self->format->follow) return OK;
    buf_clear(&self->text);
    TRY(file_sink_head(self->file, &self->text, &whole, err));
    if (self->format->follow(self->state, buf_str(&self->text), whole, err) == OK) return OK;
    (void)err_where(err, "%.*s", STR_ARG(self->sink.req->location->path));
    return err_prefix(err, "%.*s: ", STR_ARG(self->sink.req->location->path));
}

static Status format_sink_begin(Sink *sink, int64_t cycle, Err *err)
{
    FormatSink *self = FORMAT_SELF(FormatSink, sink);
    self->written = 0;
    TRY(follow(self, err));
    buf_clear(&self->text);
    if (self->format->header) TRY(self->format->header(self->state, &self->text, err));
    return file_sink_begin(self->file, cycle, buf_str(&self->text), err);
}

static Status format_sink_write(Sink *sink, int32_t port UNUSED, Batch *batch,
                                RejectWriter *rejects UNUSED, Err *err)
{
    FormatSink *self = FORMAT_SELF(FormatSink, sink);
    buf_clear(&self->text);
    TRY(self->format->rows(self->state, batch, &self->text, err));
    self->written += batch->rows;
    return file_sink_write(self->file, buf_str(&self->text), err);
}

static Status format_sink_apply(Sink *sink, RejectWriter *rejects UNUSED, SinkCounts *counts,
                                Err *err UNUSED)
{
    const FormatSink *self = FORMAT_SELF(FormatSink, sink);
    *counts = (SinkCounts){.loaded = self->written, .inserted = self->written};
    return OK;
}

static Status write_footer(FormatSink *self, Err *err)
{
    if (!self->format->footer) return OK;
    buf_clear(&self->text);
    TRY(self->format->footer(self->state, &self->text, err));
    return file_sink_write(self->file, buf_str(&self->text), err);
}

static Status format_sink_commit(Sink *sink, const Position *position, const SinkRun *run,
                                 CommitResult *ret_result, Err *err)
{
    FormatSink *self = FORMAT_SELF(FormatSink, sink);
    TRY(write_footer(self, err));
    return file_sink_commit(self->file, position, run, ret_result, err);
}

static Status format_sink_take(Sink *sink, const int32_t *parts, int32_t count, Position *ret_from,
                               bool *ret_taken UNUSED, Err *err)
{
    return file_sink_take(FORMAT_SELF(FormatSink, sink)->file, parts, count, ret_from, err);
}

static bool format_sink_holds(const Sink *sink, int32_t part)
{
    return file_sink_holds(FORMAT_SELF(const FormatSink, sink)->file, part);
}

static Status format_sink_claim(Sink *sink, const Position *position, const SinkRun *run,
                                bool *ret_held, Err *err)
{
    return file_sink_claim(FORMAT_SELF(FormatSink, sink)->file, position, run, ret_held, err);
}

static Status format_sink_outcome(Sink *sink, Str run_id, int64_t cycle, Outcome *ret_outcome,
                                  SinkCounts *ret_counts, Err *err)
{
    FormatSink *self = FORMAT_SELF(FormatSink, sink);
    TRY(file_make(self, err));
    return file_sink_outcome(self->file, run_id, cycle, ret_outcome, ret_counts, err);
}

static Status format_sink_rejects_settle(Sink *sink, const RejectsAsk *ask, Err *err)
{
    FormatSink *self = FORMAT_SELF(FormatSink, sink);
    TRY(file_make(self, err));
    return file_sink_rejects_settle(self->file, ask, err);
}

static Status format_sink_abort(Sink *sink, Err *err)
{
    FormatSink *self = FORMAT_SELF(FormatSink, sink);
    return self->file ? file_sink_abort(self->file, err) : OK;
}

static void format_sink_cancel(Sink *sink)
{
    FormatSink *self = FORMAT_SELF(FormatSink, sink);
    if (self->file) file_sink_cancel(self->file);
}

static void format_sink_close(Sink *sink)
{
    FormatSink *self = FORMAT_SELF(FormatSink, sink);
    if (self->format->close) self->format->close(self->state);
    mem_free(self->state);
    file_sink_free(self->file);
    buf_done(&self->text);
    mem_free(self);
}

static const SinkOps REPLACE_OPS = {
    .describe = format_sink_describe,
    .open = format_sink_open,
    .port = format_sink_port,
    .begin = format_sink_begin,
    .write = format_sink_write,
    .apply = format_sink_apply,
    .commit = format_sink_commit,
    .abort = format_sink_abort,
    .cancel = format_sink_cancel,
    .close = format_sink_close,
};

/* An appended file keeps the position of a pipeline or stream, and its last run. */
static const SinkOps APPEND_OPS = {
    .describe = format_sink_describe,
    .state = format_sink_state,
    .take = format_sink_take,
    .holds = format_sink_holds,
    .claim = format_sink_claim,
    .open = format_sink_open,
    .port = format_sink_port,
    .begin = format_sink_begin,
    .write = format_sink_write,
    .apply = format_sink_apply,
    .commit = format_sink_commit,
    .outcome = format_sink_outcome,
    .abort = format_sink_abort,
    .rejects_settle = format_sink_rejects_settle,
    .cancel = format_sink_cancel,
    .close = format_sink_close,
};

static Status check_mode(const FileFormat *format, SinkMode mode, Err *err)
{
    if (mode == SINK_UPSERT || mode == SINK_MIRROR) {
        (void)err_set(err, ERR_CONFIG, "%s can't be merged into", format->file);
        return err_hint(err, format->can_append ? "mode replace or append" : "mode replace");
    }
    if (mode == SINK_REPLACE || format->can_append) return OK;
    (void)err_set(err, ERR_CONFIG, "%s can't be appended to", format->file);
    return err_hint(err, "mode replace");
}

Status file_format_sink(const FileFormat *format, const SinkReq *req, Sink **ret_sink, Err *err)
{
    assert(format->rows && !(format->can_append && format->footer));
    TRY(check_mode(format, req->mode, err));
    FormatSink *self = mem_zalloc((int64_t)sizeof *self);
    void *state = mem_zalloc(format->state_bytes);
    if (!self || !state) {
        mem_free(self);
        mem_free(state);
        return err_memory(err);
    }
    bool append = req->mode == SINK_APPEND && !str_eq(req->location->path, STR("-"));
    *self = (FormatSink){.sink = {.ops = append ? &APPEND_OPS : &REPLACE_OPS, .req = req},
                         .format = format,
                         .state = state,
                         .text = buf_make(TEXT_MAX)};
    *ret_sink = &self->sink;
    return OK;
}
