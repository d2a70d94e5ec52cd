/* Reads CSV into typed columns, a chunk a batch; texts are views into the chunk. */
#include <stdio.h>

#include "connect/csv/csv_impl.h"
#include "foundation/base/buf.h"
#include "foundation/base/mem.h"
#include "foundation/codec/datetime_text.h"

enum { CSV_BATCH_LEAST = 64 << 10 };
static const char NOT_UTF8[] = "not UTF-8";

/* The rows of the chunk that are read. */
typedef struct CsvRows {
    int64_t *first_fields;
    int64_t *numbers;
    uint64_t *bad;   /* bit per row: a value did not fit */
    uint64_t *valid; /* bits of the column at hand */
    int64_t capacity;
    bool not_utf8; /* the chunk is not, as a whole */
    int64_t
        next_quote; /* in the chunk, at or after the row looked at; its size when there is none */
} CsvRows;

typedef struct CsvSource {
    Source source;
    CsvOptions options;
    FileSource *files;
    CsvChunks chunks;
    Schema *schema;
    Builder *builders;
    RejectWriter refused;
    bool refused_ready;
    int64_t rows_found; /* by inference; -1 unknown */
    int64_t ordinal, seq, given;
    CsvRows rows;
    Buf unquoted; /* a field with its doubled quotes made single */
    _Atomic bool cancelled;
} CsvSource;

static const SourceOps CSV_SOURCE_OPS;

static Status source_prepare(CsvSource *self, Err *err)
{
    if (self->schema) return OK;
    const SourceReq *req = self->source.req;
    TRY(csv_options(req->location, &self->options, err));
    TRY(file_source_new(req->location, req->spool_folder, req->stop, &self->files, err));
    TRY(csv_chunks_init(&self->chunks, self->files, &self->options, err));
    self->chunks.row_max = file_source_row_max(req->limits.memory_bytes);
    self->chunks.closes = req->rejects;
    TRY(file_source_spool(self->files, err));
    TRY(csv_infer(&self->chunks, req->texts, &self->schema, &self->rows_found, err));
    TRY(csv_chunks_rewind(&self->chunks, err));
    if (req->limits.batch_bytes) {
        self->chunks.chunk_size =
            int64_max(CSV_BATCH_LEAST, int64_min(req->limits.batch_bytes, 8 << 20));
    }
    return OK;
}

static Status csv_source_describe(Source *source, SourceInfo *info, Err *err)
{
    CsvSource *self = SOURCE_SELF(CsvSource, CSV_SOURCE_OPS, source);
    TRY(source_prepare(self, err));
    info->schema = schema_ref(self->schema);
    info->rows_estimate = self->rows_found;
    file_source_describe(self->files, info);
    info->promise = STR("the whole file decides the types");
    return OK;
}

static Status csv_source_open(Source *source, const Position *from UNUSED, Budget *budget, Err *err)
{
    CsvSource *self = SOURCE_SELF(CsvSource, CSV_SOURCE_OPS, source);
    TRY(source_prepare(self, err));
    self->builders = mem_array(self->schema->count, (int64_t)sizeof *self->builders);
    if (!self->builders) return err_memory(err);
    for (int32_t i = 0; i < self->schema->count; i++) {
        builder_init(&self->builders[i], self->schema->fields[i].type, budget);
    }
    TRY(reject_writer_init(&self->refused, NULL, 0, err));
    self->refused_ready = true;
    return OK;
}

static int32_t csv_source_parts(const Source *source UNUSED)
{
    return 1;
}

/* ---- refused rows ---- */

/* Of texts in another encoding nearly all rows would be refused. */
static Status hint_refused(const CsvSource *self, const char *reason, Err *err)
{
    if (reason != NOT_UTF8) {
        return err_hint(err, "fix the row, or let such rows go elsewhere with `rejects:`");
    }
    return err_hint(err,
                    "name the file's encoding, as in %.*s#encoding=latin1 (or windows-1252); where "
                    "only some rows are damaged, let them go elsewhere with `rejects:`",
                    STR_ARG(self->source.req->location->path));
}

/* A row that can't be read: a reject where they are allowed, else the end of the run. */
static Status refuse(CsvSource *self, int64_t row, int64_t ordinal, Str column, const char *reason,
                     Err *err)
{
    int64_t line = csv_row_line(&self->chunks, row);
    Str name = file_source_name(self->files);
    if (self->source.req->rejects) {
        return reject_writer_raw(&self->refused, STR("read"), 0, ordinal, line, column,
                                 str_from(reason), csv_row_raw(&self->chunks, row), err);
    }
    (void)err_set(err, ERR_DATA, "%.*s:%lld: %s%.*s%s%s", STR_ARG(name), (long long)line,
                  column.len ? "column \"" : "", STR_ARG(column), column.len ? "\": " : "", reason);
    (void)err_at(err, line, 0);
    (void)hint_refused(self, reason, err);
    return err_where(err, "%.*s:%lld", STR_ARG(name), (long long)line);
}

/* Rows come in order: quotes are looked for only after the last one found. */
static bool row_has_quote(CsvSource *self, Str row)
{
    const char *data = (const char *)self->chunks.chunk->data;
    int64_t start = row.ptr - data;
    if (self->rows.next_quote < start) {
        int64_t left = self->chunks.scan.used - start;
        const char *quote = left > 0 ? memchr(row.ptr, '"', (size_t)left) : NULL;
        self->rows.next_quote = quote ? quote - data : INT64_MAX;
    }
    return self->rows.next_quote < start + row.len;
}

/* The column whose field is not UTF-8. */
static Str not_utf8_column(const CsvSource *self, int64_t first, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (!str_is_utf8(csv_raw_field(&self->chunks, first + i, false))) {
            return self->schema->fields[i].name;
        }
    }
    return STR_NULL;
}

/* What is wrong with the row's shape, and perhaps in which column; NULL: nothing. */
static const char *shape_mistake(CsvSource *self, int64_t row, char text[128], Str *ret_column)
{
    *ret_column = STR_NULL;
    const CsvChunks *c = &self->chunks;
    int64_t first;
    int64_t count = csv_row_fields(c, row, &first);
    if (c->unclosed) return "a quote that isn't closed before the end of the file";
    if (count != self->schema->count) {
        (void)snprintf(text, 128, "%lld fields, the header has %d", (long long)count,
                       self->schema->count);
        return text;
    }
    Str whole = csv_row_text(c, row);
    if (c->scan.quotes && row_has_quote(self, whole)) {
        for (int64_t i = 0; i < count; i++) {
            if (csv_field(c, first + i, i + 1 == count).bad) {
                return "text after a closing quote, or a quote that isn't doubled";
            }
        }
    }
    if (self->rows.not_utf8 && !str_is_utf8(whole)) {
        *ret_column = not_utf8_column(self, first, count);
        if (!c->rewritten) return NOT_UTF8;
        (void)snprintf(text, 128, "not %.*s", STR_ARG(str_slice(self->options.encoding, 0, 100)));
        return text;
    }
    if (c->scan.nul && str_find_char(whole, 0) >= 0) return "a NUL byte";
    return NULL;
}

/* ---- columns ---- */

static Status value_mistake(CsvSource *self, int32_t column, int64_t at, Str text, Err *err)
{
    const Field *field = &self->schema->fields[column];
    char reason[720], readings[DATETIME_READINGS_MAX] = "";
    bool dated = type_has_date(field->type) && datetime_two_readings(text, readings);
    (void)snprintf(reason, sizeof reason, "\"%.*s\" is not %s%s%s",
                   STR_ARG(str_slice(text, 0, 200)), type_name(field->type), dated ? ": " : "",
                   readings);
    if (bit_get((const uint8_t *)self->rows.bad, at)) return OK;
    bit_set((uint8_t *)self->rows.bad, at);
    return refuse(self, self->rows.numbers[at], self->ordinal + self->rows.numbers[at], field->name,
                  reason, err);
}

static Status append_doubled(CsvSource *self, Builder *b, Str text, Status *status, bool *ret_ok,
                             Err *err)
{
    buf_clear(&self->unquoted);
    TRY(buf_reserve(&self->unquoted, text.len + 1, err));
    *ret_ok = csv_append(b, csv_unquote(text, self->unquoted.data), status, err);
    return OK;
}

static bool field_is_null(const CsvSource *self, const CsvField *field)
{
    return !field->quoted && csv_is_null(&self->options, field->text);
}

/* A view of bytes of which 16 may be read. */
static inline TextView view_of(const char *bytes, int32_t len, int32_t heap, int64_t offset)
{
    static const uint32_t KEEP[13][3] = {
        {0, 0, 0},
        {0xff, 0, 0},
        {0xffff, 0, 0},
        {0xffffff, 0, 0},
        {0xffffffff, 0, 0},
        {0xffffffff, 0xff, 0},
        {0xffffffff, 0xffff, 0},
        {0xffffffff, 0xffffff, 0},
        {0xffffffff, 0xffffffff, 0},
        {0xffffffff, 0xffffffff, 0xff},
        {0xffffffff, 0xffffffff, 0xffff},
        {0xffffffff, 0xffffffff, 0xffffff},
        {0xffffffff, 0xffffffff, 0xffffffff},
    };
    TextView view = {.len = len};
    if (len > 12) {
        memcpy(view.ref.prefix, bytes, 4);
        view.ref.heap = heap;
        view.ref.offset = (int32_t)offset;
        return view;
    }
    uint32_t words[3];
    memcpy(words, bytes, 12);
    for (int i = 0; i < 3; i++) words[i] &= KEEP[len][i];
    memcpy(view.inlined, words, 12);
    return view;
}

/* All texts of a column of a chunk in one loop that calls nothing; false, and nothing done, when
 * one of them has doubled quotes. */
static bool read_plain_texts(const CsvSource *self, int32_t column, int64_t rows, int32_t heap,
                             uint64_t *valid, int64_t *ret_nulls)
{
    const CsvChunks *c = &self->chunks;
    const char *base = (const char *)c->chunk->data;
    const uint32_t *ends = c->scan.ends;
    const int64_t *firsts = self->rows.first_fields;
    TextView *views = (TextView *)(void *)self->builders[column].data->data;
    bool trim = column + 1 == self->schema->count && c->scan.newline == '\n';
    int64_t nulls = 0;
    uint64_t bits = 0;
    for (int64_t at = 0; at < rows; at++) {
        int64_t index = firsts[at] + column;
        int64_t start = index ? (int64_t)ends[index - 1] + 1 : 0, end = ends[index];
        if (trim && end > start && base[end - 1] == '\r') end--;
        bool quoted = base[start] == '"' && end > start;
        if (UNLIKELY(quoted)) {
            CsvField field = csv_field_quoted(str_make(base + start, end - start));
            if (field.doubled) return false;
            start++;
            end--;
        }
        bool null = end == start && !quoted;
        views[at] = view_of(base + start, (int32_t)(end - start), heap, start);
        nulls += null;
        bits |= (uint64_t)!null << (at & 63);
        if ((at & 63) == 63) {
            valid[at >> 6] = bits;
            bits = 0;
        }
    }
    if (rows & 63) valid[rows >> 6] = bits;
    *ret_nulls = nulls;
    return true;
}

/* The whole column at once, where nothing asks for more than that. */
static Status read_texts_at_once(CsvSource *self, int32_t column, int64_t rows, int32_t heap,
                                 bool *ret_done, Err *err)
{
    Builder *b = &self->builders[column];
    int64_t nulls = 0;
    *ret_done = rows > 0 && b->length == 0 && !self->options.null_count &&
                self->chunks.chunk->size <= INT32_MAX &&
                read_plain_texts(self, column, rows, heap, self->rows.valid, &nulls);
    if (!*ret_done) return OK;
    if (nulls) {
        TRY(builder_valid(b, err));
        memcpy(b->valid->data, self->rows.valid, (size_t)((rows + 63) / 64) * 8);
    }
    b->length = rows;
    b->null_count = nulls;
    return OK;
}

/* Views into the chunk. */
static Status read_texts(CsvSource *self, int32_t column, int64_t rows, Err *err)
{
    const CsvChunks *c = &self->chunks;
    Builder *b = &self->builders[column];
    bool last = column + 1 == self->schema->count;
    const char *base = (const char *)c->chunk->data;
    int32_t heap = 0;
    TRY(builder_reserve(b, rows, err));
    TRY(builder_heap(b, c->chunk, &heap, err));
    bool done = false;
    TRY(read_texts_at_once(self, column, rows, heap, &done, err));
    if (done) return OK;
    for (int64_t at = 0; at < rows; at++) {
        CsvField field = csv_field(c, self->rows.first_fields[at] + column, last);
        Str text = field.text;
        if (field_is_null(self, &field)) {
            TRY(builder_null(b, err));
        } else if (UNLIKELY(field.doubled)) {
            Status status = OK;
            bool ok;
            TRY(append_doubled(self, b, text, &status, &ok, err));
            TRY(status);
        } else {
            builder_padded_view(b, heap, text.ptr - base, (int32_t)text.len);
        }
    }
    return OK;
}

static Status read_column(CsvSource *self, int32_t column, int64_t rows, Err *err)
{
    const CsvChunks *c = &self->chunks;
    Builder *b = &self->builders[column];
    bool last = column + 1 == self->schema->count;
    if (b->type == TYPE_TEXT) return read_texts(self, column, rows, err);
    TRY(builder_reserve(b, rows, err));
    for (int64_t at = 0; at < rows; at++) {
        CsvField field = csv_field(c, self->rows.first_fields[at] + column, last);
        Str text = field.text;
        if (field_is_null(self, &field)) {
            TRY(builder_null(b, err));
            continue;
        }
        Status status = OK;
        bool ok = false;
        if (field.doubled) TRY(append_doubled(self, b, text, &status, &ok, err));
        else ok = csv_append(b, text, &status, err);
        TRY(status);
        if (ok) continue;
        TRY(builder_null(b, err));
        TRY(value_mistake(self, column, at, text, err));
    }
    return OK;
}

static Status rows_reserve(CsvSource *self, int64_t rows, Err *err)
{
    if (rows <= self->rows.capacity) return OK;
    mem_free(self->rows.first_fields);
    mem_free(self->rows.numbers);
    mem_free(self->rows.bad);
    mem_free(self->rows.valid);
    self->rows.first_fields = mem_array(rows, 8);
    self->rows.valid = mem_array(rows / 64 + 1, 8);
    self->rows.numbers = mem_array(rows, 8);
    self->rows.bad = mem_array(rows / 64 + 1, 8);
    self->rows.capacity = rows;
    bool all = self->rows.first_fields && self->rows.numbers && self->rows.bad && self->rows.valid;
    return all ? OK : err_memory(err);
}

/* As many fields as there are columns, no quote, nothing odd in the chunk: nothing to look into. */
static inline bool row_is_plain(CsvSource *self, int64_t row, int64_t *ret_first)
{
    const CsvScan *scan = &self->chunks.scan;
    int64_t first = row ? (int64_t)scan->row_ends[row - 1] : 0, next = scan->row_ends[row];
    *ret_first = first;
    if (next - first != self->schema->count || next - first < 2) return false;
    if (scan->nul || self->rows.not_utf8) return false;
    if (!scan->quotes) return true;
    int64_t start = csv_scan_start(scan, first), end = scan->ends[next - 1];
    const char *data = (const char *)self->chunks.chunk->data;
    return !row_has_quote(self, str_make(data + start, end - start));
}

/* The rows of the chunk that have the right shape. */
static Status choose_rows(CsvSource *self, int64_t *ret_rows, Err *err)
{
    CsvChunks *c = &self->chunks;
    TRY(rows_reserve(self, c->scan.row_count, err));
    memset(self->rows.bad, 0, (size_t)(c->scan.row_count / 64 + 1) * 8);
    self->rows.not_utf8 =
        c->scan.non_ascii && !str_is_utf8(str_make((const char *)c->chunk->data, c->scan.used));
    self->rows.next_quote = -1;
    int64_t chosen = 0;
    for (int64_t row = c->file_start && self->options.header; row < c->scan.row_count; row++) {
        if (LIKELY(row_is_plain(self, row, &self->rows.first_fields[chosen]))) {
            self->rows.numbers[chosen++] = row;
            continue;
        }
        if (self->schema->count > 1 && csv_row_is_empty(c, row)) continue;
        char text[128];
        Str column;
        const char *mistake = shape_mistake(self, row, text, &column);
        if (mistake) {
            TRY(refuse(self, row, self->ordinal + row, column, mistake, err));
            continue;
        }
        (void)csv_row_fields(c, row, &self->rows.first_fields[chosen]);
        self->rows.numbers[chosen++] = row;
    }
    *ret_rows = chosen;
    return OK;
}

/* The batch without the rows in which a value did not fit. */
static Status drop_bad(CsvSource *self, Batch **batch, Err *err)
{
    bool any = false;
    int64_t words = ((*batch)->rows + 63) / 64;
    for (int64_t i = 0; i < words; i++) {
        any |= self->rows.bad[i] != 0;
        self->rows.bad[i] = ~self->rows.bad[i];
    }
    if (!any) return OK;
    Batch *good = NULL;
    TRY(batch_filter(*batch, (const uint8_t *)self->rows.bad, &good, err));
    batch_unref(*batch);
    *batch = good;
    return OK;
}

static Status read_batch(CsvSource *self, Batch **ret_batch, Err *err)
{
    int64_t rows = 0;
    TRY(choose_rows(self, &rows, err));
    int64_t most = self->source.req->limits.rows_max;
    if (most && self->given + rows > most) rows = most - self->given;
    for (int32_t i = 0; i < self->schema->count; i++) TRY(read_column(self, i, rows, err));
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(self->schema, &batch, err));
    for (int32_t i = 0; i < self->schema->count; i++) {
        TRY(builder_finish(&self->builders[i], &batch->columns[i], err));
    }
    batch->rows = rows;
    batch->seq = self->seq++;
    batch->span = (Span){.first = self->ordinal,
                         .next = self->ordinal + self->chunks.scan.row_count,
                         .bytes = self->chunks.scan.used};
    self->given += rows;
    TRY(drop_bad(self, &batch, err));
    *ret_batch = TAKE(batch);
    return OK;
}

static Status csv_source_next(Source *source, int32_t part UNUSED, int64_t deadline_ns UNUSED,
                              SourceEvent *event, Err *err)
{
    CsvSource *self = SOURCE_SELF(CsvSource, CSV_SOURCE_OPS, source);
    if (atomic_load(&self->cancelled)) return err_set(err, ERR_CANCELLED, "cancelled");
    int64_t most = source->req->limits.rows_max;
    bool more = !most || self->given < most;
    if (more) TRY(csv_chunks_next(&self->chunks, &more, err));
    *event = (SourceEvent){.kind = SOURCE_END};
    if (!more) return OK;
    TRY(read_batch(self, &event->batch, err));
    self->ordinal += self->chunks.scan.row_count;
    event->kind = SOURCE_BATCH;
    if (reject_writer_take(&self->refused, &event->rejects, err) == OK) return OK;
    batch_unref(event->batch);
    return FAIL;
}

/* Rows that were dropped or filtered kept their ordinals. */
static int64_t csv_source_line(const Source *source, const Batch *batch, int64_t row)
{
    const CsvSource *self = SOURCE_SELF(const CsvSource, CSV_SOURCE_OPS, source);
    int64_t at = batch_ordinal(batch, row) - batch->span.first;
    return csv_row_line(&self->chunks, self->rows.numbers[at]);
}

static void csv_source_cancel(Source *source)
{
    atomic_store(&SOURCE_SELF(CsvSource, CSV_SOURCE_OPS, source)->cancelled, true);
}

static void csv_source_close(Source *source)
{
    CsvSource *self = SOURCE_SELF(CsvSource, CSV_SOURCE_OPS, source);
    for (int32_t i = 0; self->builders && i < self->schema->count; i++) {
        builder_done(&self->builders[i]);
    }
    mem_free(self->builders);
    if (self->refused_ready) reject_writer_done(&self->refused);
    csv_chunks_done(&self->chunks);
    file_source_free(self->files);
    schema_unref(self->schema);
    mem_free(self->rows.first_fields);
    mem_free(self->rows.numbers);
    mem_free(self->rows.bad);
    mem_free(self->rows.valid);
    buf_done(&self->unquoted);
    mem_free(self);
}

static const SourceOps CSV_SOURCE_OPS = {
    .describe = csv_source_describe,
    .open = csv_source_open,
    .parts = csv_source_parts,
    .next = csv_source_next,
    .line = csv_source_line,
    .cancel = csv_source_cancel,
    .close = csv_source_close,
};

Status csv_source_new(const SourceReq *req, Source **ret_source, Err *err)
{
    if (req->open) return err_set(err, ERR_CONFIG, "csv gives columns, not JSON objects");
    CsvSource *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->source = (Source){.ops = &CSV_SOURCE_OPS, .req = req};
    self->unquoted = buf_make(INT64_C(1) << 31);
    *ret_source = &self->source;
    return OK;
}
