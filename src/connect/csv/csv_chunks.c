/* CSV files in chunks of whole rows, scanned for fields; rows told apart. */
#include "connect/csv/csv_dialect.h"
#include "foundation/base/mem.h"

enum { CSV_CHUNK_FIRST = 1 << 19 };

Status csv_chunks_init(CsvChunks *c, FileSource *files, const CsvOptions *options, Err *err UNUSED)
{
    *c = (CsvChunks){.files = files,
                     .options = options,
                     .chunk_size = CSV_CHUNK_FIRST,
                     .row_max = file_source_row_max(0)};
    return OK;
}

static void drop_chunk(CsvChunks *c)
{
    buffer_unref(c->chunk);
    c->chunk = NULL;
    c->filled = 0;
}

void csv_chunks_done(CsvChunks *c)
{
    drop_chunk(c);
    if (c->scan_ready) csv_scan_done(&c->scan);
    c->scan_ready = false;
    if (c->dialect) csv_dialect_done(c->dialect);
    mem_free(c->dialect);
    c->dialect = NULL;
}

Status csv_chunks_rewind(CsvChunks *c, Err *err)
{
    FileSource *files = c->files;
    const CsvOptions *options = c->options;
    int64_t row_max = c->row_max;
    bool closes = c->closes;
    csv_chunks_done(c);
    TRY(csv_chunks_init(c, files, options, err));
    c->row_max = row_max;
    c->closes = closes;
    return file_source_rewind(files, err);
}

/* Fill the rest of the chunk, or to the end of the file. */
static Status fill(CsvChunks *c, Err *err)
{
    while (c->filled + 1 < c->chunk->size && !c->end_of_file) {
        int64_t len = 0, room = c->chunk->size - c->filled;
        uint8_t *to = c->chunk->data + c->filled;
        TRY(c->rewritten ? csv_dialect_read(c->dialect, to, room, &len, err)
                         : file_source_read(c->files, to, room, &len, err));
        c->end_of_file = len == 0;
        c->filled += len;
    }
    memset(c->chunk->data + c->filled, 0, (size_t)(c->chunk->size - c->filled));
    return OK;
}

/* The line after so many line ends of the chunk. */
static int64_t line_after(const CsvChunks *c, int64_t ends)
{
    return c->rewritten ? csv_dialect_line(c->dialect, ends).number : c->line + ends;
}

static Status row_too_long(const CsvChunks *c, Err *err)
{
    Str name = file_source_name(c->files);
    (void)err_set(err, ERR_LIMIT, "%.*s:%lld: the row that begins here has more than %lld MiB",
                  STR_ARG(name), (long long)line_after(c, 0), (long long)(c->row_max >> 20));
    (void)err_where(err, "%.*s:%lld", STR_ARG(name), (long long)line_after(c, 0));
    return err_hint(err, "close its quote; or raise `memory`, of which a row may have an eighth "
                         "(at most 256 MiB)");
}

/* A new chunk that begins with what the last one left over; larger than the last where `more`. */
static Status next_chunk(CsvChunks *c, int64_t used, bool more, Err *err)
{
    Buffer *chunk = NULL;
    int64_t rest = c->filled - used, size = c->chunk_size;
    if (more && rest > c->row_max) return row_too_long(c, err);
    while (rest * 2 > size || (more && size <= c->chunk->size)) size *= 2;
    TRY(buffer_new(size, NULL, &chunk, err));
    if (rest) memcpy(chunk->data, c->chunk->data + used, (size_t)rest);
    buffer_unref(c->chunk);
    c->chunk = chunk;
    c->filled = rest;
    memcpy(chunk->data + rest, c->head, (size_t)c->head_len);
    c->filled += c->head_len;
    c->head_len = 0;
    return fill(c, err);
}

/* From here on the file's text is rewritten; `head`: what is read of it. */
static Status rewrite(CsvChunks *c, Str head, Err *err)
{
    if (!c->dialect) {
        c->dialect = mem_alloc((int64_t)sizeof *c->dialect);
        if (!c->dialect) return err_memory(err);
        csv_dialect_init(c->dialect, c->files, c->options);
    }
    c->rewritten = true;
    return csv_dialect_begin(c->dialect, c->options->encoding, head, err);
}

/* Options that the scanner doesn't know, or the mark of UTF-16 or UTF-32. */
static Status open_rewritten(CsvChunks *c, Err *err)
{
    uint8_t head[4];
    int64_t len = 0, more = 1;
    while (len < (int64_t)sizeof head && more > 0) {
        TRY(file_source_read(c->files, head + len, (int64_t)sizeof head - len, &more, err));
        len += more;
    }
    Str text = str_make((const char *)head, len);
    if (c->options->rewritten || csv_dialect_mark(text).len) return rewrite(c, text, err);
    memcpy(c->head, head, (size_t)len);
    c->head_len = len;
    return OK;
}

static Status open_file(CsvChunks *c, bool *ret_more, Err *err)
{
    TRY(file_source_next(c->files, ret_more, err));
    if (!*ret_more) return OK;
    drop_chunk(c);
    c->in_file = true;
    c->end_of_file = false;
    c->first = true;
    c->line = 1;
    c->lines = 0;
    c->rewritten = false;
    TRY(open_rewritten(c, err));
    TRY(next_chunk(c, 0, false, err));
    static const uint8_t MARK[] = {0xef, 0xbb, 0xbf};
    if (c->filled >= 3 && memcmp(c->chunk->data, MARK, 3) == 0) {
        memmove(c->chunk->data, c->chunk->data + 3, (size_t)c->filled);
        c->filled -= 3;
    }
    if (c->scan_ready) csv_scan_done(&c->scan);
    char delimiter = c->rewritten && c->options->tokens ? ',' : c->options->delimiter;
    char newline = c->rewritten ? '\n' : csv_scan_newline(c->chunk->data, c->filled, delimiter);
    csv_scan_init(&c->scan, delimiter, newline);
    c->scan_ready = true;
    return OK;
}

static int64_t count_newlines(const CsvChunks *c, int64_t size)
{
    return csv_scan_count(c->chunk->data, size, c->scan.newline);
}

/* The last field of the chunk is open at the end of the file. */
static Status unclosed_quote(const CsvChunks *c, Err *err)
{
    Str name = file_source_name(c->files);
    int64_t line =
        line_after(c, count_newlines(c, csv_scan_start(&c->scan, c->scan.end_count - 1)));
    (void)err_set(err, ERR_DATA,
                  "%.*s:%lld: the quote that opens here isn't closed before the end of the file",
                  STR_ARG(name), (long long)line);
    (void)err_hint(err, "close the quote, or let such rows go elsewhere with `rejects:`");
    return err_where(err, "%.*s:%lld", STR_ARG(name), (long long)line);
}

/* The open row would take in all rows after it: it ends with its first line. */
static Status close_quote(CsvChunks *c, Err *err)
{
    CsvScan *scan = &c->scan;
    const uint8_t *data = c->chunk->data;
    if (scan->row_count > 1) {
        int64_t last = --scan->row_count;
        scan->used = csv_scan_start(scan, scan->row_ends[last - 1]);
        return OK;
    }
    const uint8_t *end = memchr(data, scan->newline, (size_t)c->filled);
    int64_t len = end ? end - data + 1 : c->filled;
    c->unclosed = true;
    TRY(csv_scan_run(scan, data, len, true, err));
    scan->end_count = scan->row_ends[0] = 1;
    scan->row_count = 1;
    scan->ends[0] = (uint32_t)(end ? len - 1 : len);
    scan->used = len;
    return OK;
}

/* Scan what is in the chunk; where it doesn't hold one whole row, make it larger. */
static Status scan_chunk(CsvChunks *c, Err *err)
{
    c->unclosed = false;
    while (true) {
        TRY(csv_scan_run(&c->scan, c->chunk->data, c->filled, c->end_of_file, err));
        if (c->end_of_file && c->scan.open_quote) {
            return c->closes ? close_quote(c, err) : unclosed_quote(c, err);
        }
        if (c->scan.row_count > 0 || c->filled == 0 || c->end_of_file) return OK;
        bool endless = c->filled > c->row_max && c->scan.in_quote && c->closes;
        if (endless) return close_quote(c, err);
        TRY(next_chunk(c, 0, true, err));
    }
}

Status csv_chunks_next(CsvChunks *c, bool *ret_more, Err *err)
{
    *ret_more = true;
    while (true) {
        if (c->rewritten) csv_dialect_drop(c->dialect, c->lines);
        c->line += c->lines;
        c->lines = 0;
        if (c->in_file && !c->first) {
            if (c->end_of_file && c->scan.used >= c->filled) c->in_file = false;
            else TRY(next_chunk(c, c->scan.used, false, err));
        }
        if (!c->in_file) {
            TRY(open_file(c, ret_more, err));
            if (!*ret_more) return OK;
        }
        c->file_start = c->first;
        c->first = false;
        TRY(scan_chunk(c, err));
        c->lines = count_newlines(c, c->scan.used);
        if (c->scan.row_count > 0) return OK;
        c->in_file = false;
    }
}

/* ---- rows and fields ---- */

int64_t csv_row_fields(const CsvChunks *c, int64_t row, int64_t *ret_first)
{
    *ret_first = row == 0 ? 0 : c->scan.row_ends[row - 1];
    return c->scan.row_ends[row] - *ret_first;
}

CsvField csv_field_quoted(Str raw)
{
    CsvField field = {.text = str_slice(raw, 1, raw.len - 1), .quoted = true};
    if (raw.len < 2 || raw.ptr[raw.len - 1] != '"') {
        field.bad = true;
        return field;
    }
    if (LIKELY(str_find_char(field.text, '"') < 0)) return field;
    /* Inside, quotes come in pairs. */
    for (int64_t i = 0; i < field.text.len; i++) {
        if (field.text.ptr[i] != '"') continue;
        field.doubled = true;
        if (i + 1 >= field.text.len || field.text.ptr[i + 1] != '"') field.bad = true;
        i++;
    }
    return field;
}

bool csv_row_is_empty(const CsvChunks *c, int64_t row)
{
    int64_t first;
    return csv_row_fields(c, row, &first) == 1 && csv_raw_field(c, first, true).len == 0;
}

int64_t csv_row_line(const CsvChunks *c, int64_t row)
{
    int64_t first;
    (void)csv_row_fields(c, row, &first);
    return line_after(c, count_newlines(c, csv_scan_start(&c->scan, first)));
}

Str csv_row_text(const CsvChunks *c, int64_t row)
{
    int64_t first;
    int64_t count = csv_row_fields(c, row, &first);
    int64_t start = csv_scan_start(&c->scan, first);
    return str_make((const char *)c->chunk->data + start,
                    (int64_t)c->scan.ends[first + count - 1] - start);
}

Str csv_row_raw(const CsvChunks *c, int64_t row)
{
    int64_t first;
    int64_t count = csv_row_fields(c, row, &first);
    if (!c->rewritten) return csv_row_text(c, row);
    int64_t from = count_newlines(c, csv_scan_start(&c->scan, first));
    int64_t to = count_newlines(c, (int64_t)c->scan.ends[first + count - 1]);
    return csv_dialect_raw(c->dialect, from, to);
}

Str csv_unquote(Str text, char *to)
{
    int64_t len = 0;
    for (int64_t i = 0; i < text.len; i++) {
        to[len++] = text.ptr[i];
        i += text.ptr[i] == '"';
    }
    return str_make(to, len);
}
