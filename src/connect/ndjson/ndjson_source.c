/* Reading JSON lines: from files, globs, standard input; as columns or as open rows. */
#include <stdatomic.h>

#include "connect/file_source.h"
#include "connect/ndjson/ndjson_impl.h"
#include "connect/ndjson/ndjson_lines.h"
#include "engine/format/json_read.h"
#include "engine/format/message.h"
#include "foundation/base/mem.h"

enum { BATCH_BYTES = 1 << 20, BATCH_ROWS_MAX = 1 << 16 };
#define MESSAGE_TEXT_MAX (6 * NDJSON_LINE_MAX)

typedef struct NdjsonSource {
    Source source;
    FileSource *files;
    NdjsonLines lines;
    bool lines_ready;
    bool in_file;      /* a file is open and not at its end */
    Schema *schema;    /* of columns; found by looking at all rows */
    int64_t rows_seen; /* while doing so; -1: not done */
    JsonReader *reader;
    RejectWriter rejects;
    Budget *budget;
    int64_t ordinal; /* of the next row */
    int64_t skip;    /* rows before this one are committed already */
    int64_t seq;
    int64_t *ordinals; /* of the rows taken into the batch that is being built */
    _Atomic bool cancelled;
} NdjsonSource;

static const SourceOps NDJSON_SOURCE_OPS;

/* What is being put together by one call of next. */
typedef struct NdjsonBatch {
    int64_t first, next; /* ordinals */
    int64_t bytes;
} NdjsonBatch;

/* The next row's line over all files; *ret_more false after the last. */
static Status next_line(NdjsonSource *self, NdjsonLine *ret_line, bool *ret_more, Err *err)
{
    for (;;) {
        if (atomic_load(&self->cancelled)) return err_set(err, ERR_CANCELLED, "cancelled");
        if (!self->in_file) {
            TRY(file_source_next(self->files, &self->in_file, err));
            if (!self->in_file) {
                *ret_more = false;
                return OK;
            }
            ndjson_lines_file(&self->lines, file_source_read, self->files);
        }
        if (ndjson_lines_next(&self->lines, ret_line, ret_more, err) != OK) {
            return err_prefix(err, "%.*s: ", STR_ARG(file_source_name(self->files)));
        }
        if (*ret_more) return OK;
        self->in_file = false;
    }
}

static Status line_mistake(const NdjsonSource *self, const NdjsonLine *line,
                           const JsonRefusal *refusal, Err *err)
{
    Str name = file_source_name(self->files);
    Str column = refusal->column;
    (void)err_set(err, ERR_DATA, "%.*s:%lld:%lld: %.*s%s%s", STR_ARG(name), (long long)line->number,
                  (long long)refusal->offset + 1, STR_ARG(column), column.len ? ": " : "",
                  refusal->reason);
    err_where(err, "%.*s:%lld:%lld", STR_ARG(name), (long long)line->number,
              (long long)refusal->offset + 1);
    return err_at(err, line->number, refusal->offset + 1);
}

static int64_t padding_behind(const NdjsonLine *line)
{
    const char *end = (const char *)line->heap->data + line->heap->size;
    return end - (line->text.ptr + line->text.len) + 64;
}

static void start_over(NdjsonSource *self, Err *err, Status *status)
{
    self->in_file = false;
    self->ordinal = 0;
    *status = file_source_rewind(self->files, err);
}

/* ---- Columns ---- */

static Status infer_rows(NdjsonSource *self, JsonInfer *infer, Err *err)
{
    self->rows_seen = 0;
    for (;;) {
        NdjsonLine line;
        bool more = false, taken = false;
        JsonRefusal refusal;
        TRY(next_line(self, &line, &more, err));
        if (!more) return OK;
        TRY(json_infer_add(infer, line.text, padding_behind(&line), &taken, &refusal, err));
        if (!taken && !self->source.req->rejects) return line_mistake(self, &line, &refusal, err);
        self->rows_seen++;
    }
}

/* strings=text: what a column of JSON gets is parsed, as of other sources. */
static Status strings_are(const Location *location, JsonInfer *infer, Err *err)
{
    Str strings = location_option(location, STR("strings"));
    if (str_eq(strings, STR("text"))) json_infer_plain(infer);
    if (strings.len == 0 || str_eq(strings, STR("text")) || str_eq(strings, STR("json"))) return OK;
    (void)err_set(err, ERR_CONFIG, "strings is \"%.*s\"", STR_ARG(strings));
    return err_hint(err,
                    "json: a column of JSON gets strings; text: it gets what they hold, parsed");
}

static Status infer_schema(NdjsonSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    CLEANUP(json_infer_free_p) JsonInfer *infer = NULL;
    TRY(json_infer_new(location_option(req->location, STR("types")), &infer, err));
    TRY(strings_are(req->location, infer, err));
    TRY(file_source_spool(self->files, err));
    TRY(infer_rows(self, infer, err));
    TRY(json_infer_schema(infer, &self->schema, err));
    if (self->schema->count == 0 && self->rows_seen > 0) {
        return err_set(err, ERR_SCHEMA, "%.*s: the objects have no members",
                       STR_ARG(req->location->text));
    }
    Status status;
    start_over(self, err, &status);
    return status;
}

static Status prepare(NdjsonSource *self, Err *err)
{
    if (!self->lines_ready) {
        ndjson_lines_init(&self->lines, BATCH_BYTES, self->budget);
        self->lines.line_max = file_source_row_max(self->source.req->limits.memory_bytes);
        self->lines_ready = true;
    }
    return self->source.req->open || self->schema ? OK : infer_schema(self, err);
}

static Status describe_columns(const NdjsonSource *self, SourceInfo *info, Err *err)
{
    for (int32_t i = 0; i < self->schema->count; i++) {
        const Field *field = &self->schema->fields[i];
        if (field->type != TYPE_DYNAMIC) continue;
        TRY(source_info_warn(info, err, "column \"%.*s\" holds values of several types",
                             STR_ARG(field->name)));
    }
    return OK;
}

static Status ndjson_source_describe(Source *source, SourceInfo *info, Err *err)
{
    NdjsonSource *self = SOURCE_SELF(NdjsonSource, NDJSON_SOURCE_OPS, source);
    TRY(prepare(self, err));
    file_source_describe(self->files, info);
    info->promise = STR("rows in the order of the file");
    if (source->req->open) return pathset_schema(source->req->paths, false, &info->schema, err);
    info->rows_estimate = self->rows_seen;
    info->schema = schema_ref(self->schema);
    return describe_columns(self, info, err);
}

/* ---- Rows ---- */

static Status ndjson_source_open(Source *source, const Position *from, Budget *budget, Err *err)
{
    NdjsonSource *self = SOURCE_SELF(NdjsonSource, NDJSON_SOURCE_OPS, source);
    const SourceReq *req = source->req;
    self->budget = budget;
    TRY(prepare(self, err));
    self->lines.budget = budget;
    if (from && from->count > 0) self->skip = int64_max(position_next(from, 0), 0);
    self->ordinals = mem_array(BATCH_ROWS_MAX, (int64_t)sizeof *self->ordinals);
    if (!self->ordinals) return err_memory(err);
    TRY(reject_writer_init(&self->rejects, NULL, 0, err));
    if (req->open) return json_reader_open(req->paths, false, budget, &self->reader, err);
    return json_reader_columns(self->schema, budget, &self->reader, err);
}

/* Messages are kept byte for byte. */
static Status refuse_message(NdjsonSource *self, const NdjsonLine *line, const JsonRefusal *refusal,
                             Err *err)
{
    CLEANUP(buf_done) Buf data = buf_make(MESSAGE_TEXT_MAX);
    TRY(message_put_bytes(line->text, &data, err));
    RejectRow row = {.stage = STR("read"),
                     .column = refusal->column,
                     .reason = str_from(refusal->reason),
                     .data = buf_str(&data),
                     .row = self->ordinal,
                     .line = line->number};
    return reject_writer_row(&self->rejects, &row, err);
}

static Status take_line(NdjsonSource *self, const NdjsonLine *line, Err *err)
{
    bool taken = false;
    JsonRefusal refusal;
    json_reader_heap(self->reader, line->heap);
    TRY(json_reader_add(self->reader, line->text, &taken, &refusal, err));
    if (taken) {
        self->ordinals[json_reader_rows(self->reader) - 1] = self->ordinal;
        return OK;
    }
    if (!self->source.req->rejects) return line_mistake(self, line, &refusal, err);
    if (self->source.req->open) return refuse_message(self, line, &refusal, err);
    return reject_writer_raw(&self->rejects, STR("read"), 0, self->ordinal, line->number,
                             refusal.column, str_from(refusal.reason), line->text, err);
}

static bool is_full(const NdjsonSource *self, const NdjsonBatch *batch)
{
    int64_t wish = self->source.req->limits.batch_bytes;
    return batch->bytes >= (wish > 0 ? wish : BATCH_BYTES) ||
           batch->next - batch->first >= BATCH_ROWS_MAX;
}

static bool reached_limit(const NdjsonSource *self)
{
    int64_t most = self->source.req->limits.rows_max;
    return most > 0 && self->ordinal - self->skip >= most;
}

/* Messages that come slowly on standard input are not held back for a full batch. */
static bool may_block(const NdjsonSource *self, int64_t deadline_ns)
{
    return self->source.req->open && !ndjson_lines_waiting(&self->lines) &&
           !file_source_ready(self->files, deadline_ns);
}

static Status read_lines(NdjsonSource *self, NdjsonBatch *batch, Err *err)
{
    while (!is_full(self, batch) && !reached_limit(self)) {
        if (batch->next > batch->first && may_block(self, 0)) return OK;
        NdjsonLine line;
        bool more = false;
        TRY(next_line(self, &line, &more, err));
        if (!more) return OK;
        if (self->ordinal >= self->skip) {
            TRY(take_line(self, &line, err));
        } else {
            batch->first = self->ordinal + 1;
        }
        self->ordinal++;
        batch->next = self->ordinal;
        batch->bytes += line.bytes;
    }
    return OK;
}

static Status finish_batch(NdjsonSource *self, const NdjsonBatch *from, SourceEvent *event,
                           Err *err)
{
    Span span = {.first = from->first, .next = from->next, .bytes = from->bytes};
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    if (json_reader_rows(self->reader) > 0) {
        TRY(json_reader_finish(self->reader, &batch, err));
        batch->span = span;
        batch->seq = self->seq;
        TRY(batch_keep_ordinals(batch, self->ordinals, self->budget, err));
    }
    TRY(reject_writer_take(&self->rejects, &event->rejects, err));
    if (event->rejects) {
        event->rejects->span = span;
        event->rejects->seq = self->seq;
    }
    self->seq++;
    event->batch = TAKE(batch);
    return OK;
}

static Status ndjson_source_next(Source *source, int32_t part UNUSED, int64_t deadline_ns,
                                 SourceEvent *ret_event, Err *err)
{
    NdjsonSource *self = SOURCE_SELF(NdjsonSource, NDJSON_SOURCE_OPS, source);
    if (may_block(self, deadline_ns)) {
        *ret_event = (SourceEvent){.kind = SOURCE_IDLE};
        return OK;
    }
    NdjsonBatch batch = {.first = self->ordinal, .next = self->ordinal};
    SourceEvent event = {.kind = SOURCE_BATCH};
    while (batch.first == batch.next) {
        int64_t before = self->ordinal;
        batch = (NdjsonBatch){.first = before, .next = before};
        TRY(read_lines(self, &batch, err));
        if (self->ordinal == before) {
            *ret_event = (SourceEvent){.kind = SOURCE_END};
            return OK;
        }
    }
    TRY(finish_batch(self, &batch, &event, err));
    *ret_event = event;
    return OK;
}

static Status ndjson_source_rewind(Source *source, const Position *position, Err *err)
{
    NdjsonSource *self = SOURCE_SELF(NdjsonSource, NDJSON_SOURCE_OPS, source);
    Status status;
    start_over(self, err, &status);
    self->skip = int64_max(position_next(position, 0), 0);
    return status;
}

static int32_t ndjson_source_parts(const Source *source UNUSED)
{
    return 1;
}

static void ndjson_source_cancel(Source *source)
{
    NdjsonSource *self = SOURCE_SELF(NdjsonSource, NDJSON_SOURCE_OPS, source);
    atomic_store(&self->cancelled, true);
}

static void ndjson_source_close(Source *source)
{
    NdjsonSource *self = SOURCE_SELF(NdjsonSource, NDJSON_SOURCE_OPS, source);
    json_reader_free(self->reader);
    reject_writer_done(&self->rejects);
    ndjson_lines_done(&self->lines);
    file_source_free(self->files);
    schema_unref(self->schema);
    mem_free(self->ordinals);
    mem_free(self);
}

static const SourceOps NDJSON_SOURCE_OPS = {
    .describe = ndjson_source_describe,
    .open = ndjson_source_open,
    .parts = ndjson_source_parts,
    .next = ndjson_source_next,
    .rewind = ndjson_source_rewind,
    .cancel = ndjson_source_cancel,
    .close = ndjson_source_close,
};

Status ndjson_source_new(const SourceReq *req, Source **ret_source, Err *err)
{
    NdjsonSource *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->source = (Source){.ops = &NDJSON_SOURCE_OPS, .req = req};
    self->rows_seen = -1;
    if (file_source_new(req->location, req->spool_folder, req->stop, &self->files, err) != OK) {
        ndjson_source_close(&self->source);
        return FAIL;
    }
    *ret_source = &self->source;
    return OK;
}
