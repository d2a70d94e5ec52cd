/* Writing JSON: escapes, numbers with all digits, commas in the right places. */
#include "foundation/codec/json_writer.h"

#include <math.h>

#include "foundation/base/datetime.h"
#include "foundation/base/number.h"
#include "foundation/codec/base64.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { TEXT_PIECE = 4096, ESCAPE_MAX = 6 };

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

/* Copies bytes up to the first that needs an escape; how many. `out` has room for len + 16. */
static int64_t copy_plain(const char *text, int64_t len, char *out)
{
    int64_t i = 0;
#if defined(__SSE2__)
    for (; i + 16 <= len; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text + i));
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                   _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
        _mm_storeu_si128((__m128i *)(void *)(out + i), v);
        int32_t mask = _mm_movemask_epi8(hit);
        if (mask != 0) return i + __builtin_ctz((unsigned)mask);
    }
#endif
    for (; i < len && is_plain(text[i]); i++) out[i] = text[i];
    return i;
}

static char *put_escape(char *out, char c)
{
    static const char hex[] = "0123456789abcdef";
    *out++ = '\\';
    switch (c) {
    case '"':
        *out++ = '"';
        return out;
    case '\\':
        *out++ = '\\';
        return out;
    case '\b':
        *out++ = 'b';
        return out;
    case '\f':
        *out++ = 'f';
        return out;
    case '\n':
        *out++ = 'n';
        return out;
    case '\r':
        *out++ = 'r';
        return out;
    case '\t':
        *out++ = 't';
        return out;
    default:
        break;
    }
    memcpy(out, "u00", 3);
    out[3] = hex[(unsigned char)c >> 4];
    out[4] = hex[(unsigned char)c & 15];
    return out + 5;
}

static char *escape_piece(const char *text, int64_t len, char *out)
{
    int64_t i = 0;
    while (i < len) {
        int64_t plain = copy_plain(text + i, len - i, out);
        out += plain;
        i += plain;
        if (i < len) out = put_escape(out, text[i++]);
    }
    return out;
}

static Status put_escaped(Buf *out, Str text, Err *err)
{
    for (int64_t i = 0; i < text.len; i += TEXT_PIECE) {
        int64_t len = int64_min(TEXT_PIECE, text.len - i);
        TRY(buf_reserve(out, ESCAPE_MAX * len + 16, err));
        out->len = escape_piece(text.ptr + i, len, out->data + out->len) - out->data;
    }
    return OK;
}

Status json_put_text(Buf *out, Str text, Err *err)
{
    TRY(buf_append_char(out, '"', err));
    TRY(put_escaped(out, text, err));
    return buf_append_char(out, '"', err);
}

Status json_put_text_lossy(Buf *out, Str text, Err *err)
{
    TRY(buf_append_char(out, '"', err));
    for (;;) {
        int64_t good = str_utf8_prefix(text);
        TRY(put_escaped(out, str_slice(text, 0, good), err));
        if (good == text.len) break;
        TRY(buf_append(out, STR("\xef\xbf\xbd"), err));
        text = str_slice(text, good + 1, text.len);
    }
    return buf_append_char(out, '"', err);
}

Status json_put_int64(Buf *out, int64_t value, Err *err)
{
    TRY(buf_reserve(out, NUMBER_TEXT_MAX, err));
    out->len += number_format_int64(value, out->data + out->len);
    return OK;
}

Status json_put_decimal(Buf *out, Decimal value, Err *err)
{
    TRY(buf_reserve(out, DECIMAL_TEXT_MAX, err));
    out->len += decimal_format(value, out->data + out->len);
    return OK;
}

Status json_put_double(Buf *out, double value, Err *err)
{
    bool number = isfinite(value);
    TRY(buf_reserve(out, NUMBER_TEXT_MAX + 2, err));
    if (!number) out->data[out->len++] = '"';
    out->len += number_format_double(value, out->data + out->len);
    if (!number) out->data[out->len++] = '"';
    return OK;
}

Status json_put_bytes(Buf *out, Str bytes, Err *err)
{
    int64_t len = base64_encoded_len(bytes.len);
    TRY(buf_reserve(out, len + 2, err));
    out->data[out->len] = '"';
    base64_encode(bytes, out->data + out->len + 1);
    out->data[out->len + len + 1] = '"';
    out->len += len + 2;
    return OK;
}

/* ---- Documents ---- */

JsonWriter json_writer_make(Buf *out, Err *err)
{
    return (JsonWriter){out, err, OK, 0, false, 0};
}

Status json_writer_end(JsonWriter *writer)
{
    assert(writer->status != OK || writer->depth == 0);
    return writer->status;
}

static void keep(JsonWriter *writer, Status status)
{
    if (writer->status == OK) writer->status = status;
}

/* The comma before a value or key, where one belongs; false when the writer has failed. */
static bool before_value(JsonWriter *writer)
{
    if (writer->status != OK) return false;
    uint64_t bit = UINT64_C(1) << writer->depth;
    if (!writer->after_key && (writer->filled & bit)) {
        keep(writer, buf_append_char(writer->out, ',', writer->err));
    }
    writer->filled |= bit;
    writer->after_key = false;
    return writer->status == OK;
}

static void level_begin(JsonWriter *writer, char c)
{
    if (!before_value(writer)) return;
    assert(writer->depth < 63);
    writer->depth++;
    writer->filled &= ~(UINT64_C(1) << writer->depth);
    keep(writer, buf_append_char(writer->out, c, writer->err));
}

static void level_end(JsonWriter *writer, char c)
{
    if (writer->status != OK) return;
    assert(writer->depth > 0 && !writer->after_key);
    writer->depth--;
    keep(writer, buf_append_char(writer->out, c, writer->err));
}

void json_object_begin(JsonWriter *writer)
{
    level_begin(writer, '{');
}

void json_object_end(JsonWriter *writer)
{
    level_end(writer, '}');
}

void json_array_begin(JsonWriter *writer)
{
    level_begin(writer, '[');
}

void json_array_end(JsonWriter *writer)
{
    level_end(writer, ']');
}

void json_key(JsonWriter *writer, const char *key)
{
    json_key_str(writer, str_from(key));
}

void json_key_str(JsonWriter *writer, Str key)
{
    if (!before_value(writer)) return;
    keep(writer, json_put_text_lossy(writer->out, key, writer->err));
    if (writer->status == OK) keep(writer, buf_append_char(writer->out, ':', writer->err));
    writer->after_key = true;
}

void json_write_text(JsonWriter *writer, Str text)
{
    if (before_value(writer)) keep(writer, json_put_text_lossy(writer->out, text, writer->err));
}

void json_write_text_or_null(JsonWriter *writer, Str text)
{
    if (text.ptr) {
        json_write_text(writer, text);
    } else {
        json_write_null(writer);
    }
}

void json_write_int64(JsonWriter *writer, int64_t value)
{
    if (before_value(writer)) keep(writer, json_put_int64(writer->out, value, writer->err));
}

void json_write_double(JsonWriter *writer, double value)
{
    if (before_value(writer)) keep(writer, json_put_double(writer->out, value, writer->err));
}

void json_write_bool(JsonWriter *writer, bool value)
{
    json_write_raw(writer, value ? STR("true") : STR("false"));
}

void json_write_null(JsonWriter *writer)
{
    json_write_raw(writer, STR("null"));
}

void json_write_raw(JsonWriter *writer, Str json)
{
    if (before_value(writer)) keep(writer, buf_append(writer->out, json, writer->err));
}

void json_key_text(JsonWriter *w, const char *key, Str text)
{
    json_key(w, key);
    json_write_text(w, text);
}

void json_key_text_or_null(JsonWriter *w, const char *key, Str text)
{
    json_key(w, key);
    json_write_text_or_null(w, text.len ? text : STR_NULL);
}

void json_key_time(JsonWriter *w, const char *key, int64_t us)
{
    char text[DATETIME_TEXT_MAX];
    json_key(w, key);
    if (us <= 0 || us == INT64_MAX) json_write_null(w);
    else json_write_text(w, str_make(text, datetime_format_timestamp(us, 'T', true, text)));
}

void json_key_int64(JsonWriter *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_write_int64(w, value);
}

void json_key_double(JsonWriter *w, const char *key, double value)
{
    json_key(w, key);
    json_write_double(w, value);
}

void json_key_bool(JsonWriter *w, const char *key, bool value)
{
    json_key(w, key);
    json_write_bool(w, value);
}
