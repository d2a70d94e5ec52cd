/* Batches as CSV text. */
#include "engine/format/csv_write.h"

#include "engine/format/json_write.h"
#include "foundation/base/number.h"

#define BYTES(byte) (UINT64_C(0x0101010101010101) * (uint8_t)(byte))

/* The high bit of each byte of `word` that is zero (and perhaps of bytes above such a one). */
static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - BYTES(0x01)) & ~word & BYTES(0x80);
}

/* Does one of eight bytes need quotes around the text? */
static inline bool word_is_special(uint64_t word, char delimiter)
{
    return (zero_bytes(word ^ BYTES(delimiter)) | zero_bytes(word ^ BYTES('"')) |
            zero_bytes(word ^ BYTES('\n')) | zero_bytes(word ^ BYTES('\r'))) != 0;
}

/* Copies the text; does a byte of it need quotes around all? Longer text by overlapping words. */
static bool copy_text(Str text, char delimiter, char *to)
{
    uint64_t word;
    bool special = false;
    if (text.len < 8) {
        for (int64_t i = 0; i < text.len; i++) {
            char c = text.ptr[i];
            special |= c == delimiter || c == '"' || c == '\n' || c == '\r';
            to[i] = c;
        }
        return special;
    }
    for (int64_t at = 0; at < text.len - 8; at += 8) {
        memcpy(&word, text.ptr + at, 8);
        memcpy(to + at, &word, 8);
        special |= word_is_special(word, delimiter);
    }
    memcpy(&word, text.ptr + text.len - 8, 8);
    memcpy(to + text.len - 8, &word, 8);
    return special | word_is_special(word, delimiter);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static Status put_text(Buf *out, Str text, const CsvStyle *style, Err *err)
{
    TRY(buf_reserve(out, text.len * 2 + 2, err));
    char *to = out->data + out->len;
    bool quotes = text.len == 0 || is_blank(text.ptr[0]) || is_blank(text.ptr[text.len - 1]) ||
                  copy_text(text, style->delimiter, to) || str_eq(text, style->null);
    if (LIKELY(!quotes)) {
        out->len += text.len;
        return OK;
    }
    *to++ = '"';
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') *to++ = '"';
        *to++ = text.ptr[i];
    }
    *to++ = '"';
    out->len = to - out->data;
    return OK;
}

/* Types whose text never needs quotes unless the delimiter is an odd one. */
static int64_t put_scalar(const Column *c, int64_t row, char *to)
{
    switch (c->type) {
    case TYPE_INT64:
        return number_format_int64(column_int64(c)[row], to);
    case TYPE_DOUBLE:
        return number_format_double(column_double(c)[row], to);
    case TYPE_DATE:
        return datetime_format_date(column_date(c)[row], to);
    case TYPE_TIME:
        return datetime_format_time(column_int64(c)[row], to);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return datetime_format_timestamp(column_int64(c)[row], 'T', c->type == TYPE_TIMESTAMPTZ,
                                         to);
    case TYPE_NUMERIC:
        if (column_scale(c, row) == NUMERIC_SCALE_DOUBLE) return -1;
        return decimal_format((Decimal){column_numeric(c)[row], column_scale(c, row)}, to);
    case TYPE_BOOL:
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return -1;
}

static Status put_value(const Column *c, int64_t row, const CsvStyle *style, Buf *out, Err *err)
{
    if (column_is_null(c, row)) return style->null.len ? buf_append(out, style->null, err) : OK;
    if (c->type == TYPE_TEXT) return put_text(out, column_text(c, row), style, err);
    TRY(buf_reserve(out, INTERVAL_TEXT_MAX, err));
    int64_t len = put_scalar(c, row, out->data + out->len);
    char delimiter = style->delimiter;
    bool plain = delimiter == ',' || delimiter == '\t' || delimiter == ';' || delimiter == '|';
    if (len >= 0 && plain && len != style->null.len) {
        out->len += len;
        return OK;
    }
    CLEANUP(buf_done) Buf text = buf_make(INT64_C(1) << 31);
    TRY(json_write_plain(c, row, &text, err));
    return put_text(out, buf_str(&text), style, err);
}

Status csv_write_header(const Schema *schema, const CsvStyle *style, Buf *out, Err *err)
{
    for (int32_t i = 0; i < schema->count; i++) {
        if (i) TRY(buf_append_char(out, style->delimiter, err));
        TRY(put_text(out, schema->fields[i].name, style, err));
    }
    return buf_append_char(out, '\n', err);
}

Status csv_write_rows(const Batch *batch, const CsvStyle *style, Buf *out, Err *err)
{
    const int32_t *order = style->order;
    int32_t count = order ? style->order_count : batch->schema->count;
    for (int64_t row = 0; row < batch->rows; row++) {
        for (int32_t i = 0; i < count; i++) {
            int32_t column = order ? order[i] : i;
            if (i) TRY(buf_append_char(out, style->delimiter, err));
            if (column >= 0) TRY(put_value(&batch->columns[column], row, style, out, err));
            else TRY(buf_append(out, style->null, err));
        }
        TRY(buf_append_char(out, '\n', err));
    }
    return OK;
}
