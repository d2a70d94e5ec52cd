/* CSV files in chunks of whole rows, scanned for fields; rows told apart. */
#include "connect/csv/csv_impl.h"
#include "foundation/base/mem.h"

enum { CSV_CHUNK_FIRST = 1 << 19 };

Status csv_options(const Location *location, CsvOptions *o, Err *err)
{
    int32_t delimiters = 0;
    for (int32_t i = 0; i < location->option_count; i++) {
        delimiters += str_eq(location->options[i].name, STR("delimiter"));
    }
    *o = (CsvOptions){.delimiter = ',', .header = true};
    Str delimiter = location_option(location, STR("delimiter"));
    if (str_eq(delimiter, STR("\\t")) || str_eq_nocase(delimiter, STR("tab")))
        delimiter = STR("\t");
    if (delimiter.ptr) {
        bool ok = delimiter.len == 1 && delimiter.ptr[0] != '"' && delimiter.ptr[0] != '\n' &&
                  delimiter.ptr[0] != '\r' && (uint8_t)delimiter.ptr[0] < 0x80;
        if (!ok) {
            return err_set(err, ERR_CONFIG, "csv: the delimiter must be one ASCII character");
        }
        o->delimiter = delimiter.ptr[0];
        o->delimiter_given = delimiters > 1 || o->delimiter != '\t';
    }
    Str header = location_option(location, STR("header"));
    if (header.ptr) {
        bool no = str_eq(header, STR("false")) || str_eq(header, STR("no"));
        if (!no && !str_eq(header, STR("true")) && !str_eq(header, STR("yes"))) {
            return err_set(err, ERR_CONFIG, "csv: header must be true or false");
        }
        o->header = !no;
    }
    o->null = location_option(location, STR("null"));
    o->has_null = o->null.ptr != NULL;
    o->types = location_option(location, STR("types"));
    Str encoding = location_option(location, STR("encoding"));
    o->latin1 =
        str_eq_nocase(encoding, STR("latin1")) || str_eq_nocase(encoding, STR("iso-8859-1"));
    if (encoding.len == 0 || o->latin1 || str_eq_nocase(encoding, STR("utf-8")) ||
        str_eq_nocase(encoding, STR("utf8"))) {
        return OK;
    }
    (void)err_set(err, ERR_CONFIG, "csv: unknown encoding \"%.*s\"", STR_ARG(encoding));
    return err_hint(err, "utf-8 or latin1");
}

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

/* Latin-1 bytes become two where they are not ASCII. */
static int64_t widen_latin1(const uint8_t *from, int64_t len, uint8_t *to)
{
    int64_t out = 0;
    for (int64_t i = 0; i < len; i++) {
        if (from[i] >= 0x80) to[out++] = (uint8_t)(0xc0 | from[i] >> 6);
        to[out++] = from[i] < 0x80 ? from[i] : (uint8_t)(0x80 | (from[i] & 0x3f));
    }
    return out;
}

static Status read_latin1(CsvChunks *c, uint8_t *to, int64_t room, int64_t *ret_len, Err *err)
{
    int64_t len = 0;
    uint8_t *raw = mem_alloc(room / 2 + 1);
    if (!raw) return err_memory(err);
    Status status = file_source_read(c->files, raw, room / 2, &len, err);
    if (status == OK) *ret_len = widen_latin1(raw, len, to);
    mem_free(raw);
    return status;
}

/* Fill the rest of the chunk, or to the end of the file. */
static Status fill(CsvChunks *c, Err *err)
{
    while (c->filled + 1 < c->chunk->size && !c->end_of_file) {
        int64_t len = 0, room = c->chunk->size - c->filled;
        uint8_t *to = c->chunk->data + c->filled;
        TRY(c->options->latin1 ? read_latin1(c, to, room, &len, err)
                               : file_source_read(c->files, to, room, &len, err));
        c->end_of_file = len == 0;
        c->filled += len;
    }
    memset(c->chunk->data + c->filled, 0, (size_t)(c->chunk->size - c->filled));
    return OK;
}

static Status row_too_long(const CsvChunks *c, Err *err)
{
    Str name = file_source_name(c->files);
    (void)err_set(err, ERR_LIMIT, "%.*s:%lld: the row that begins here has more than %lld MiB",
                  STR_ARG(name), (long long)c->line, (long long)(c->row_max >> 20));
    (void)err_where(err, "%.*s:%lld", STR_ARG(name), (long long)c->line);
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
    return fill(c, err);
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
    TRY(next_chunk(c, 0, false, err));
    static const uint8_t MARK[] = {0xef, 0xbb, 0xbf};
    if (c->filled >= 3 && memcmp(c->chunk->data, MARK, 3) == 0) {
        memmove(c->chunk->data, c->chunk->data + 3, (size_t)c->filled);
        c->filled -= 3;
    }
    if (c->scan_ready) csv_scan_done(&c->scan);
    char newline = csv_scan_newline(c->chunk->data, c->filled, c->options->delimiter);
    csv_scan_init(&c->scan, c->options->delimiter, newline);
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
    int64_t line = c->line + count_newlines(c, csv_scan_start(&c->scan, c->scan.end_count - 1));
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
    return c->line + count_newlines(c, csv_scan_start(&c->scan, first));
}

Str csv_row_text(const CsvChunks *c, int64_t row)
{
    int64_t first;
    int64_t count = csv_row_fields(c, row, &first);
    int64_t start = csv_scan_start(&c->scan, first);
    return str_make((const char *)c->chunk->data + start,
                    (int64_t)c->scan.ends[first + count - 1] - start);
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
