/* Single column values as JSON or as plain text. */
#include "engine/format/json_value.h"

#include "engine/format/json_write.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_writer.h"
#include "foundation/codec/uuid.h"

_Static_assert((int)INTERVAL_TEXT_MAX >= (int)DATETIME_TEXT_MAX &&
                   (int)INTERVAL_TEXT_MAX >= (int)UUID_TEXT_LEN,
               "room for every text of fixed size");
enum { FIXED_TEXT_MAX = INTERVAL_TEXT_MAX };

Status json_value_raw(Str json, Buf *out, Err *err)
{
    int64_t from = out->len;
    TRY(buf_append(out, json, err));
    char *p = out->data + from, *end = out->data + out->len;
    while ((p = memchr(p, '\n', (size_t)(end - p)))) *p = ' ';
    for (p = out->data + from; (p = memchr(p, '\r', (size_t)(end - p)));) *p = ' ';
    return OK;
}

static Status put_numeric(const Column *column, int64_t row, Buf *out, Err *err)
{
    Int128 value = column_numeric(column)[row];
    uint8_t scale = column_scale(column, row);
    if (scale != NUMERIC_SCALE_DOUBLE) {
        return json_put_decimal(out, (Decimal){value, scale}, err);
    }
    double real;
    memcpy(&real, &value, sizeof real);
    return json_put_double(out, real, err);
}

/* Text of the types that are shown as text of bounded size; -1 for all others. */
static int64_t fixed_text(const Column *column, int64_t row, char *ret_text)
{
    switch (column->type) {
    case TYPE_DATE:
        return datetime_format_date(column_date(column)[row], ret_text);
    case TYPE_TIME:
        return datetime_format_time(column_int64(column)[row], ret_text);
    case TYPE_TIMESTAMP:
        return datetime_format_timestamp(column_int64(column)[row], 'T', false, ret_text);
    case TYPE_TIMESTAMPTZ:
        return datetime_format_timestamp(column_int64(column)[row], 'T', true, ret_text);
    case TYPE_INTERVAL:
        return interval_format(column_interval(column)[row], ret_text);
    case TYPE_UUID:
        uuid_format(column_uuid(column) + 16 * row, ret_text);
        return UUID_TEXT_LEN;
    case TYPE_BOOL:
    case TYPE_INT64:
    case TYPE_DOUBLE:
    case TYPE_NUMERIC:
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return -1;
}

static Status put_fixed(const Column *column, int64_t row, Buf *out, Err *err)
{
    TRY(buf_reserve(out, FIXED_TEXT_MAX + 2, err));
    char *at = out->data + out->len;
    int64_t len = fixed_text(column, row, at + 1);
    assert(len >= 0);
    at[0] = '"';
    at[len + 1] = '"';
    out->len += len + 2;
    return OK;
}

Status json_write_value(const Column *column, int64_t row, Buf *out, Err *err)
{
    if (column_is_null(column, row)) return buf_append(out, STR("null"), err);
    switch (column->type) {
    case TYPE_BOOL:
        return buf_append(out, column_bool(column, row) ? STR("true") : STR("false"), err);
    case TYPE_INT64:
        return json_put_int64(out, column_int64(column)[row], err);
    case TYPE_DOUBLE:
        return json_put_double(out, column_double(column)[row], err);
    case TYPE_NUMERIC:
        return put_numeric(column, row, out, err);
    case TYPE_TEXT:
        return json_put_text(out, column_text(column, row), err);
    case TYPE_BYTES:
        return json_put_bytes(out, column_text(column, row), err);
    case TYPE_JSON:
        return json_value_raw(column_text(column, row), out, err);
    case TYPE_DYNAMIC: {
        int64_t child_row;
        const Column *child = column_dynamic(column, row, &child_row);
        return json_write_value(child, child_row, out, err);
    }
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_COUNT:
        break;
    }
    return put_fixed(column, row, out, err);
}

Status json_write_plain(const Column *column, int64_t row, Buf *out, Err *err)
{
    if (column_is_null(column, row)) return OK;
    if (column->type == TYPE_TEXT) return buf_append(out, column_text(column, row), err);
    if (column->type == TYPE_DYNAMIC) {
        int64_t child_row;
        const Column *child = column_dynamic(column, row, &child_row);
        return json_write_plain(child, child_row, out, err);
    }
    char text[FIXED_TEXT_MAX];
    int64_t len = fixed_text(column, row, text);
    if (len >= 0) return buf_append(out, str_make(text, len), err);
    int64_t from = out->len;
    TRY(json_write_value(column, row, out, err));
    /* Base64, NaN and the infinities stand in quotes only where JSON needs them. */
    bool quoted = column->type != TYPE_JSON && out->data[from] == '"';
    if (quoted) {
        out->len -= 2;
        memmove(out->data + from, out->data + from + 1, (size_t)(out->len - from));
    }
    return OK;
}
