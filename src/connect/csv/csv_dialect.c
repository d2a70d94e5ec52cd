/* CSV in other encodings and dialects, rewritten line by line as the scanner knows it. */
#include "connect/csv/csv_dialect.h"

#include <errno.h>
#include <stdio.h>

#include "foundation/base/mem.h"

enum { READ_BYTES = 1 << 18, NAME_MAX_BYTES = 64 };
#define DIALECT_MAX (INT64_C(1) << 31)
#define NO_DECODER ((iconv_t)-1)

/* ---- encodings ---- */

Str csv_dialect_mark(Str head)
{
    if (str_starts(head, str_make("\xff\xfe\0\0", 4))) return STR("UTF-32LE");
    if (str_starts(head, str_make("\0\0\xfe\xff", 4))) return STR("UTF-32BE");
    if (str_starts(head, STR("\xff\xfe"))) return STR("UTF-16LE");
    if (str_starts(head, STR("\xfe\xff"))) return STR("UTF-16BE");
    return STR("");
}

/* As the library calls it; nothing of its own syntax (//TRANSLIT) gets there. */
static bool library_name(Str encoding, char name[NAME_MAX_BYTES])
{
    if (str_eq_nocase(encoding, STR("latin1"))) encoding = STR("ISO-8859-1");
    if (encoding.len == 0 || encoding.len >= NAME_MAX_BYTES) return false;
    for (int64_t i = 0; i < encoding.len; i++) {
        char c = encoding.ptr[i];
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!word && !strchr("-_.:", c)) return false;
        name[i] = c;
    }
    name[encoding.len] = 0;
    return true;
}

bool csv_dialect_knows(Str encoding)
{
    char name[NAME_MAX_BYTES];
    iconv_t decoder = library_name(encoding, name) ? iconv_open("UTF-8", name) : NO_DECODER;
    if (decoder == NO_DECODER) return false;
    (void)iconv_close(decoder);
    return true;
}

/* What LF is in it. */
static bool line_end(CsvDialect *d, const char *name)
{
    char lf[] = "\n", *from = lf, *to = d->end;
    size_t left = 1, room = sizeof d->end;
    iconv_t encoder = iconv_open(name, "UTF-8");
    if (encoder == NO_DECODER) return false;
    bool good = iconv(encoder, &from, &left, &to, &room) != (size_t)-1;
    d->width = (int32_t)(to - d->end);
    (void)iconv_close(encoder);
    return good && d->width > 0;
}

static Status open_decoder(CsvDialect *d, Str encoding, Err *err)
{
    char name[NAME_MAX_BYTES];
    if (d->decoder != NO_DECODER) (void)iconv_close(d->decoder);
    d->decoder = NO_DECODER;
    d->end[0] = '\n';
    d->width = 1;
    if (encoding.len == 0) return OK;
    /* Without a mark it is the byte order of those who write none. */
    if (str_eq_nocase(encoding, STR("utf-16"))) encoding = STR("UTF-16LE");
    if (str_eq_nocase(encoding, STR("utf-32"))) encoding = STR("UTF-32LE");
    if (library_name(encoding, name)) d->decoder = iconv_open("UTF-8", name);
    if (d->decoder != NO_DECODER && line_end(d, name)) return OK;
    return err_set(err, ERR_CONFIG, "csv: unknown encoding \"%.*s\"", STR_ARG(encoding));
}

/* The line as UTF-8, FF for what is none. */
static Status decode(CsvDialect *d, Str raw, Err *err)
{
    buf_clear(&d->line);
    if (d->decoder == NO_DECODER) return buf_append(&d->line, raw, err);
    TRY(buf_reserve(&d->line, raw.len * 4 + 16, err));
    union {
        const char *in;
        char *out;
    } from = {.in = raw.ptr}; /* iconv only reads */
    size_t left = (size_t)raw.len;
    (void)iconv(d->decoder, NULL, NULL, NULL, NULL);
    while (left > 0) {
        char *to = d->line.data + d->line.len;
        size_t room = (size_t)(raw.len * 4 + 16 - d->line.len);
        size_t code = iconv(d->decoder, &from.out, &left, &to, &room);
        d->line.len = to - d->line.data;
        if (code != (size_t)-1 || left == 0) break;
        if (errno == E2BIG) return err_set(err, ERR_LIMIT, "the line's text is too long");
        TRY(buf_append_char(&d->line, (char)0xff, err));
        size_t bad = (size_t)int64_min(d->width, (int64_t)left);
        from.in += bad;
        left -= bad;
    }
    return OK;
}

/* ---- lines of the file ---- */

void csv_dialect_init(CsvDialect *d, FileSource *files, const CsvOptions *options)
{
    *d = (CsvDialect){.options = options,
                      .files = files,
                      .decoder = NO_DECODER,
                      .raw = buf_make(DIALECT_MAX),
                      .line = buf_make(DIALECT_MAX),
                      .out = buf_make(DIALECT_MAX),
                      .row.field = buf_make(DIALECT_MAX)};
}

void csv_dialect_done(CsvDialect *d)
{
    if (d->decoder != NO_DECODER) (void)iconv_close(d->decoder);
    d->decoder = NO_DECODER;
    buf_done(&d->raw);
    buf_done(&d->line);
    buf_done(&d->out);
    buf_done(&d->row.field);
    mem_free(d->lines);
    d->lines = NULL;
}

Status csv_dialect_begin(CsvDialect *d, Str encoding, Str head, Err *err)
{
    Str mark = csv_dialect_mark(head);
    buf_clear(&d->raw);
    buf_clear(&d->out);
    buf_clear(&d->row.field);
    d->base = d->next = d->number = d->given = d->ready = d->line_count = 0;
    d->file_end = d->row.open = d->row.quoted = d->row.bad = false;
    d->row.token = CSV_AT_START;
    d->row.fields = d->row.header_fields = 0;
    bool wide = str_starts_nocase(encoding, STR("utf-16")) ||
                str_starts_nocase(encoding, STR("utf-32")) || encoding.len == 0;
    TRY(open_decoder(d, mark.len && wide ? mark : encoding, err));
    return buf_append(&d->raw, head, err);
}

static Status read_more(CsvDialect *d, Err *err)
{
    int64_t len = 0;
    TRY(buf_reserve(&d->raw, READ_BYTES, err));
    TRY(file_source_read(d->files, d->raw.data + d->raw.len, READ_BYTES, &len, err));
    d->raw.len += len;
    d->file_end = len == 0;
    return OK;
}

/* Where the line that begins at `from` ends; -1: not in what was read. */
static int64_t find_end(const CsvDialect *d, int64_t from)
{
    if (d->width == 1) {
        Str rest = str_slice(buf_str(&d->raw), from, d->raw.len);
        int64_t at = str_find_char(rest, d->end[0]);
        return at < 0 ? -1 : from + at;
    }
    for (int64_t at = from; at + d->width <= d->raw.len; at += d->width) {
        if (memcmp(d->raw.data + at, d->end, (size_t)d->width) == 0) return at;
    }
    return -1;
}

/* Are there so many lines from there on? */
static bool has_lines(const CsvDialect *d, int64_t from, int64_t count)
{
    while (count > 0 && from < d->raw.len) {
        int64_t end = find_end(d, from);
        count--;
        from = end < 0 ? d->raw.len : end + d->width;
        if (end < 0 && !d->file_end) return false;
    }
    return count == 0;
}

/* The next line, in places of `raw`; *ret_more false after the last that counts. */
static Status next_line(CsvDialect *d, int64_t *ret_from, int64_t *ret_to, bool *ret_more, Err *err)
{
    int64_t from = d->next - d->base, end = -1;
    *ret_more = false;
    while (true) {
        end = find_end(d, from);
        if (d->file_end) break;
        if (end >= 0 && has_lines(d, end + d->width, d->options->skip_last)) break;
        TRY(read_more(d, err));
    }
    if (from >= d->raw.len) return OK;
    int64_t after = end < 0 ? d->raw.len : end + d->width;
    if (!has_lines(d, after, d->options->skip_last)) return OK;
    *ret_from = from;
    *ret_to = end < 0 ? d->raw.len : end;
    *ret_more = true;
    d->next = d->base + after;
    d->number++;
    return OK;
}

static Status keep_line(CsvDialect *d, int64_t from, int64_t to, Err *err)
{
    if (d->line_count == d->line_capacity) {
        int64_t capacity = int64_max(1024, d->line_capacity * 2);
        CsvLine *lines = mem_realloc(d->lines, capacity * (int64_t)sizeof *lines);
        if (!lines) return err_memory(err);
        d->lines = lines;
        d->line_capacity = capacity;
    }
    d->lines[d->line_count++] = (CsvLine){d->base + from, d->base + to, d->number};
    return OK;
}

void csv_dialect_drop(CsvDialect *d, int64_t lines)
{
    lines = int64_min(lines, d->line_count);
    d->line_count -= lines;
    memmove(d->lines, d->lines + lines, (size_t)d->line_count * sizeof *d->lines);
    int64_t done = (d->line_count ? d->lines[0].from : d->next) - d->base;
    if (done <= 0) return;
    memmove(d->raw.data, d->raw.data + done, (size_t)(d->raw.len - done));
    d->raw.len -= done;
    d->base += done;
}

CsvLine csv_dialect_line(const CsvDialect *d, int64_t index)
{
    if (index < d->line_count) return d->lines[index];
    return (CsvLine){d->next, d->next, d->number};
}

Str csv_dialect_raw(const CsvDialect *d, int64_t from, int64_t to)
{
    int64_t start = csv_dialect_line(d, from).from, end = csv_dialect_line(d, to).to;
    return str_make(d->raw.data + start - d->base, end - start);
}

/* ---- rows of the text ---- */

/* `raw`: the field as the file has it, where it began on this line. */
static Status end_field(CsvDialect *d, Str raw, Err *err)
{
    Str text = buf_str(&d->row.field);
    d->row.last_field = d->out.len;
    if (d->row.fields++ > 0) TRY(buf_append_char(&d->out, ',', err));
    if (d->row.bad) TRY(buf_append(&d->out, STR("\"\"?"), err));
    else if (d->row.quoted || !csv_is_null(d->options, raw)) {
        TRY(buf_append_char(&d->out, '"', err));
        for (int64_t i = 0; i < text.len; i++) {
            if (text.ptr[i] == '"') TRY(buf_append_char(&d->out, '"', err));
            TRY(buf_append_char(&d->out, text.ptr[i], err));
        }
        TRY(buf_append_char(&d->out, '"', err));
    }
    buf_clear(&d->row.field);
    d->row.quoted = d->row.bad = false;
    d->row.token = CSV_AT_START;
    return OK;
}

static Status end_row(CsvDialect *d, Str raw, Err *err)
{
    const CsvOptions *o = d->options;
    bool empty = !d->row.quoted && raw.len == 0;
    TRY(end_field(d, raw, err));
    bool blank = empty && d->row.fields == 1;
    int64_t most = d->row.header_fields ? d->row.header_fields : d->row.fields - 1;
    if (o->trailing && empty && d->row.fields > 1 && d->row.fields > most) {
        d->out.len = d->row.last_field;
        d->row.fields--;
    }
    if (!d->row.header_fields) d->row.header_fields = d->row.fields;
    while (o->short_rows && !blank && d->row.fields < d->row.header_fields) {
        TRY(buf_append_char(&d->out, ',', err));
        d->row.fields++;
    }
    TRY(buf_append_char(&d->out, '\n', err));
    d->ready = d->out.len;
    d->row.fields = 0;
    d->row.open = false;
    return OK;
}

/* In quotes; returns how many bytes were taken. */
static int64_t take_quoted(CsvDialect *d, Str text, int64_t at, Status *status, Err *err)
{
    const CsvOptions *o = d->options;
    char c = text.ptr[at], after = at + 1 < text.len ? text.ptr[at + 1] : 0;
    if (o->escape && c == o->escape && at + 1 < text.len && (c != o->quote || after == c)) {
        *status = buf_append_char(&d->row.field, after, err);
        return 2;
    }
    if (c != o->quote) *status = buf_append_char(&d->row.field, c, err);
    else if (after == c) *status = buf_append_char(&d->row.field, c, err);
    else d->row.token = CSV_AFTER_QUOTES;
    return c == o->quote && after == c ? 2 : 1;
}

/* Outside of quotes, no delimiter. */
static int64_t take_plain(CsvDialect *d, Str text, int64_t at, Status *status, Err *err)
{
    const CsvOptions *o = d->options;
    char c = text.ptr[at];
    if (d->row.token == CSV_AT_START && o->quote && c == o->quote) {
        d->row.token = CSV_IN_QUOTES;
        d->row.quoted = true;
        return 1;
    }
    d->row.bad |= d->row.token == CSV_AFTER_QUOTES;
    if (d->row.token == CSV_AT_START) d->row.token = CSV_IN_TEXT;
    bool escaped = o->escape && c == o->escape && c != o->quote && at + 1 < text.len;
    *status = buf_append_char(&d->row.field, escaped ? text.ptr[at + 1] : c, err);
    return escaped ? 2 : 1;
}

/* A line that continues or begins a row; it ends there unless it is in quotes. */
static Status take_line(CsvDialect *d, Str text, Err *err)
{
    Str delimiter = d->options->delimiter_text;
    int64_t from = 0;
    d->row.open = true;
    for (int64_t at = 0; at < text.len;) {
        Status status = OK;
        if (d->row.token == CSV_IN_QUOTES) {
            at += take_quoted(d, text, at, &status, err);
        } else if (at + 1 == text.len && text.ptr[at] == '\r') {
            text.len--;
        } else if (str_starts(str_slice(text, at, text.len), delimiter)) {
            status = end_field(d, str_slice(text, from, at), err);
            from = at += delimiter.len;
        } else {
            at += take_plain(d, text, at, &status, err);
        }
        TRY(status);
    }
    if (d->row.token == CSV_IN_QUOTES) return buf_append_char(&d->row.field, '\n', err);
    return end_row(d, str_slice(text, from, text.len), err);
}

/* A quote that is never closed: the scanner finds it so. */
static Status end_open(CsvDialect *d, Err *err)
{
    if (!d->row.open) return OK;
    if (d->row.fields > 0) TRY(buf_append_char(&d->out, ',', err));
    TRY(buf_append_char(&d->out, '"', err));
    Str text = buf_str(&d->row.field);
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') TRY(buf_append_char(&d->out, '"', err));
        TRY(buf_append_char(&d->out, text.ptr[i], err));
    }
    d->ready = d->out.len;
    d->row.open = false;
    return OK;
}

static Status rewrite_line(CsvDialect *d, bool *ret_more, Err *err)
{
    const CsvOptions *o = d->options;
    int64_t from = 0, to = 0;
    TRY(next_line(d, &from, &to, ret_more, err));
    if (!*ret_more) return end_open(d, err);
    if (d->number <= o->skip_first) return OK;
    TRY(decode(d, str_make(d->raw.data + from, to - from), err));
    Str text = buf_str(&d->line);
    bool mark = d->number == 1 && str_starts(text, STR("\xef\xbb\xbf"));
    if (mark) text = str_slice(text, 3, text.len);
    bool comment = o->comment.len && !d->row.open && str_starts(text, o->comment);
    if (comment) return OK;
    TRY(keep_line(d, from, to, err));
    if (o->tokens) return take_line(d, text, err);
    TRY(buf_append(&d->out, text, err));
    TRY(buf_append_char(&d->out, '\n', err));
    d->ready = d->out.len;
    return OK;
}

Status csv_dialect_read(CsvDialect *d, void *to, int64_t room, int64_t *ret_len, Err *err)
{
    bool more = true;
    if (d->given == d->ready && d->given > 0) {
        memmove(d->out.data, d->out.data + d->given, (size_t)(d->out.len - d->given));
        d->out.len -= d->given;
        d->row.last_field -= d->given;
        d->given = d->ready = 0;
    }
    while (more && d->ready - d->given < room) TRY(rewrite_line(d, &more, err));
    *ret_len = int64_min(room, d->ready - d->given);
    memcpy(to, d->out.data + d->given, (size_t)*ret_len);
    d->given += *ret_len;
    return OK;
}
