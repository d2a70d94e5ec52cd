/* Values as text, in PostgreSQL's forms; and the few readers that only casts need. */
#include "engine/expr/text_value.h"

#include "engine/expr/kernel.h"
#include "engine/expr/number_value.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_writer.h"

static const char HEX[] = "0123456789abcdef";

/* ---- scalars ---- */

static int64_t put_literal(char *to, Str text)
{
    memcpy(to, text.ptr, (size_t)text.len);
    return text.len;
}

static int64_t put_uuid(char *to, const uint8_t *bytes)
{
    int64_t len = 0;
    for (int32_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) to[len++] = '-';
        to[len++] = HEX[bytes[i] >> 4];
        to[len++] = HEX[bytes[i] & 15];
    }
    return len;
}

static int64_t put_number(char *to, NumberValue n)
{
    return n.is_double ? number_format_double(n.real, to) : decimal_format(n.decimal, to);
}

/* PostgreSQL's ISO output: 2024-02-29 13:45:00+00, BC after the zone. */
static int64_t put_timestamptz(char *to, int64_t us)
{
    int64_t len = datetime_format_timestamp(us, ' ', false, to);
    if (us == DATETIME_INFINITY || us == DATETIME_NEG_INFINITY) return len;
    bool bc = str_ends(str_make(to, len), STR(" BC"));
    len -= bc ? 3 : 0;
    len += put_literal(to + len, STR("+00"));
    return bc ? len + put_literal(to + len, STR(" BC")) : len;
}

int64_t text_of_scalar(const Vector *v, int64_t row, char *to)
{
    int64_t at = row & v->mask;
    switch (v->type) {
    case TYPE_BOOL:
        return put_literal(to, vector_bool(v)[at] ? STR("true") : STR("false"));
    case TYPE_INT64:
        return number_format_int64(vector_int64(v)[at], to);
    case TYPE_DOUBLE:
        return number_format_double(vector_double(v)[at], to);
    case TYPE_NUMERIC:
        return put_number(to, number_at(v, row));
    case TYPE_DATE:
        return datetime_format_date(vector_date(v)[at], to);
    case TYPE_TIME:
        return datetime_format_time(vector_int64(v)[at], to);
    case TYPE_TIMESTAMP:
        return datetime_format_timestamp(vector_int64(v)[at], ' ', false, to);
    case TYPE_TIMESTAMPTZ:
        return put_timestamptz(to, vector_int64(v)[at]);
    case TYPE_INTERVAL:
        return interval_format(vector_interval(v)[at], to);
    case TYPE_UUID:
        return put_uuid(to, vector_uuid(v, row));
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return -1;
}

static void text_of_bytes(KernelCall *call, int64_t row, Str bytes)
{
    char *to = call_text(call, row, bytes.len * 2 + 2);
    if (!to) return;
    to[0] = '\\';
    to[1] = 'x';
    for (int64_t i = 0; i < bytes.len; i++) {
        to[2 + i * 2] = HEX[(uint8_t)bytes.ptr[i] >> 4];
        to[3 + i * 2] = HEX[(uint8_t)bytes.ptr[i] & 15];
    }
    kernel_put_text(call, row, str_make(to, bytes.len * 2 + 2));
}

void text_of_cell(KernelCall *call, int64_t row, const Cell *cell)
{
    char text[TEXT_VALUE_MAX];
    NumberValue n;
    if (cell->type == TYPE_BYTES) {
        text_of_bytes(call, row, cell->text);
    } else if (cell->type == TYPE_TEXT || cell->type == TYPE_JSON) {
        kernel_put_text(call, row, cell->text);
    } else if (cell_number(cell, &n)) {
        kernel_put_copy(call, row, text, put_number(text, n));
    } else {
        kernel_put_text(call, row, cell->boolean ? STR("true") : STR("false"));
    }
}

void text_of_value(KernelCall *call, int64_t row, const Vector *v)
{
    char text[INTERVAL_TEXT_MAX];
    int64_t len = text_of_scalar(v, row, text);
    if (len >= 0) kernel_put_copy(call, row, text, len);
    else if (v->type == TYPE_DYNAMIC) text_of_cell(call, row, &vector_cell(v)[row & v->mask]);
    else if (v->type == TYPE_BYTES) text_of_bytes(call, row, vector_text(v)[row & v->mask]);
    else kernel_put_text(call, row, vector_text(v)[row & v->mask]);
}

bool text_of_argument(KernelCall *call, const Vector *v, int64_t row, char *scratch, Str *ret)
{
    if (!kernel_valid(v, row)) return false;
    if (v->type == TYPE_BOOL) {
        /* concat writes booleans as PostgreSQL's output function does. */
        *ret = vector_bool(v)[row & v->mask] ? STR("t") : STR("f");
        return true;
    }
    int64_t len = text_of_scalar(v, row, scratch);
    if (len >= 0) {
        *ret = str_make(scratch, len);
        return true;
    }
    text_of_value(call, row, v);
    *ret = vector_text(call->result)[row];
    return true;
}

/* ---- JSON ---- */

static Status put_json_number(Buf *out, NumberValue n, Err *err)
{
    return n.is_double ? json_put_double(out, n.real, err) : json_put_decimal(out, n.decimal, err);
}

static Status put_json_cell(Buf *out, const Cell *cell, Err *err)
{
    NumberValue n;
    if (cell_number(cell, &n)) return put_json_number(out, n, err);
    if (cell->type == TYPE_BOOL) {
        return buf_append(out, cell->boolean ? STR("true") : STR("false"), err);
    }
    if (cell->type == TYPE_JSON) return buf_append(out, cell->text, err);
    if (cell->type == TYPE_BYTES) return json_put_bytes(out, cell->text, err);
    return json_put_text(out, cell->text, err);
}

Status json_of_value(Buf *out, const Vector *v, int64_t row, Err *err)
{
    if (!kernel_valid(v, row)) return buf_append(out, STR("null"), err);
    int64_t at = row & v->mask;
    char text[INTERVAL_TEXT_MAX];
    if (v->type == TYPE_DYNAMIC) return put_json_cell(out, &vector_cell(v)[at], err);
    if (v->type == TYPE_TEXT) return json_put_text(out, vector_text(v)[at], err);
    if (v->type == TYPE_BYTES) return json_put_bytes(out, vector_text(v)[at], err);
    if (v->type == TYPE_JSON) return buf_append(out, vector_text(v)[at], err);
    if (v->type == TYPE_DOUBLE) return json_put_double(out, vector_double(v)[at], err);
    if (v->type == TYPE_NUMERIC) return put_json_number(out, number_at(v, row), err);
    bool time = v->type == TYPE_TIMESTAMP || v->type == TYPE_TIMESTAMPTZ;
    int64_t len = time ? datetime_format_timestamp(vector_int64(v)[at], 'T',
                                                   v->type == TYPE_TIMESTAMPTZ, text)
                       : text_of_scalar(v, row, text);
    if (v->type == TYPE_BOOL || v->type == TYPE_INT64) {
        return buf_append(out, str_make(text, len), err);
    }
    return json_put_text(out, str_make(text, len), err);
}

void json_of_cell(KernelCall *call, int64_t row, const Cell *cell)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 30);
    if (put_json_cell(&out, cell, NULL) != OK) {
        call_error(call, row, "54000", "the value is too large");
        return;
    }
    kernel_put_copy(call, row, out.data, out.len);
}

/* ---- reading ---- */

static int32_t hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_parse_uuid(Str text, uint8_t *ret_bytes)
{
    text = str_trim(text);
    if (text.len > 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}') {
        text = str_slice(text, 1, text.len - 1);
    }
    int32_t count = 0;
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '-' && count > 0 && count < 32 && count % 4 == 0 &&
            text.ptr[i - 1] != '-') {
            continue;
        }
        int32_t digit = hex_digit(text.ptr[i]);
        if (digit < 0 || count == 32) return false;
        uint8_t *byte = &ret_bytes[count / 2];
        *byte = (uint8_t)(count % 2 ? *byte | digit : digit << 4);
        count++;
    }
    return count == 32;
}

static bool bytes_from_hex(Str digits, char *to, int64_t *ret_len)
{
    int64_t count = 0;
    for (int64_t i = 0; i < digits.len; i++) {
        int32_t digit = hex_digit(digits.ptr[i]);
        if (digit < 0) return false;
        to[count / 2] = (char)(count % 2 ? to[count / 2] | digit : digit << 4);
        count++;
    }
    *ret_len = count / 2;
    return count % 2 == 0;
}

/* \\ is a backslash, \ooo an octal byte. */
static bool bytes_from_escape(Str text, char *to, int64_t *ret_len)
{
    int64_t len = 0;
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\\') {
            to[len++] = text.ptr[i];
            continue;
        }
        if (i + 1 < text.len && text.ptr[i + 1] == '\\') {
            to[len++] = '\\';
            i++;
            continue;
        }
        if (i + 3 >= text.len) return false;
        int32_t value = 0;
        for (int32_t k = 1; k <= 3; k++) {
            char c = text.ptr[i + k];
            if (c < '0' || c > (k == 1 ? '3' : '7')) return false;
            value = value * 8 + (c - '0');
        }
        to[len++] = (char)value;
        i += 3;
    }
    *ret_len = len;
    return true;
}

static void bytes_of(KernelCall *call, int64_t row, Str text, bool hex)
{
    char *to = call_text(call, row, text.len + 1);
    if (!to) return;
    int64_t len = 0;
    bool ok = hex ? bytes_from_hex(str_slice(text, 2, text.len), to, &len)
                  : bytes_from_escape(text, to, &len);
    if (ok) kernel_put_text(call, row, str_make(to, len));
    else call_error(call, row, "22P02", "invalid input syntax for type bytea");
}

void text_to_bytes(KernelCall *call, int64_t row, Str text)
{
    bytes_of(call, row, text, str_starts(text, STR("\\x")));
}

void text_unescape_bytes(KernelCall *call, int64_t row, Str text)
{
    bytes_of(call, row, text, false);
}
