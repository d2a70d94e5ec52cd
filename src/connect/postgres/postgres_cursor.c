/* The highest cursor that was read, by the order of its type, and its exact text. */
#include <math.h>

#include "connect/postgres/postgres_impl.h"
#include "foundation/base/number.h"
#include "foundation/codec/uuid.h"

Status postgres_cursor_check(const Field *field, Err *err)
{
    switch (field->type) {
    case TYPE_INT64:
    case TYPE_DOUBLE:
    case TYPE_NUMERIC:
    case TYPE_TEXT:
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_UUID:
        return OK;
    case TYPE_BOOL:
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_TIME:
    case TYPE_INTERVAL:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    (void)err_set(err, ERR_CONFIG, "the cursor \"%.*s\" is of type %.*s, which doesn't grow",
                  STR_ARG(field->name), STR_ARG(field->native));
    return err_hint(err, "a cursor is a number, a time, a UUID or a text");
}

static void note_number(PostgresCursor *cursor, int64_t value)
{
    if (cursor->some && value <= cursor->number) return;
    cursor->number = value;
    cursor->some = true;
}

static void note_int64(PostgresCursor *cursor, const Column *column, bool finite_only)
{
    const int64_t *values = column_int64(column);
    for (int64_t row = 0; row < column->length; row++) {
        if (column_is_null(column, row)) continue;
        bool infinite = values[row] == DATETIME_INFINITY || values[row] == DATETIME_NEG_INFINITY;
        if (!(finite_only && infinite)) note_number(cursor, values[row]);
    }
}

static void note_dates(PostgresCursor *cursor, const Column *column)
{
    const int32_t *values = column_date(column);
    for (int64_t row = 0; row < column->length; row++) {
        bool infinite = values[row] == DATE_INFINITY || values[row] == DATE_NEG_INFINITY;
        if (!column_is_null(column, row) && !infinite) note_number(cursor, values[row]);
    }
}

static void note_doubles(PostgresCursor *cursor, const Column *column)
{
    const double *values = column_double(column);
    for (int64_t row = 0; row < column->length; row++) {
        if (column_is_null(column, row) || !isfinite(values[row])) continue;
        if (cursor->some && values[row] <= cursor->real) continue;
        cursor->real = values[row];
        cursor->some = true;
    }
}

static void note_decimals(PostgresCursor *cursor, const Column *column)
{
    const Int128 *values = column_numeric(column);
    for (int64_t row = 0; row < column->length; row++) {
        uint8_t scale = column_scale(column, row);
        if (column_is_null(column, row) || scale == NUMERIC_SCALE_DOUBLE) continue;
        Decimal value = {values[row], scale};
        if (cursor->some && decimal_compare(value, cursor->decimal) <= 0) continue;
        cursor->decimal = value;
        cursor->some = true;
    }
}

static Status note_bytes(PostgresCursor *cursor, const Column *column, Err *err)
{
    if (!cursor->text.max) cursor->text = buf_make(1 << 20);
    for (int64_t row = 0; row < column->length; row++) {
        if (column_is_null(column, row)) continue;
        Str value = column->type == TYPE_UUID
                        ? str_make((const char *)column_uuid(column) + row * 16, 16)
                        : column_text(column, row);
        if (cursor->some && str_compare(value, buf_str(&cursor->text)) <= 0) continue;
        buf_clear(&cursor->text);
        TRY(buf_append(&cursor->text, value, err));
        cursor->some = true;
    }
    return OK;
}

static bool parse_number(PostgresCursor *cursor, TypeId type, Str text)
{
    int32_t days = 0;
    bool zone = false;
    switch (type) {
    case TYPE_INT64:
        return number_parse_int64(text, &cursor->number) == NUMBER_OK;
    case TYPE_DOUBLE:
        return number_parse_double(text, &cursor->real) == NUMBER_OK;
    case TYPE_NUMERIC:
        return decimal_parse(text, &cursor->decimal) == DECIMAL_OK;
    case TYPE_DATE:
        if (!datetime_cast_date(text, &days)) return false;
        cursor->number = days;
        return true;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return datetime_cast_timestamp(text, &cursor->number, &zone);
    case TYPE_BOOL:
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_TIME:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return false;
}

Status postgres_cursor_parse(PostgresCursor *cursor, TypeId type, Str text, Err *err)
{
    uint8_t bytes[16];
    if (text.len == 0) return OK;
    if (type == TYPE_UUID && uuid_parse(text, bytes)) text = str_make((const char *)bytes, 16);
    else if (type == TYPE_UUID) return OK;
    if (type != TYPE_TEXT && type != TYPE_UUID) {
        cursor->some = parse_number(cursor, type, text);
        return OK;
    }
    if (!cursor->text.max) cursor->text = buf_make(1 << 20);
    cursor->some = true;
    return buf_append(&cursor->text, text, err);
}

Status postgres_cursor_note(PostgresCursor *cursor, const Column *column, Err *err)
{
    if (column->type == TYPE_INT64) note_int64(cursor, column, false);
    else if (column->type == TYPE_DATE) note_dates(cursor, column);
    else if (column->type == TYPE_DOUBLE) note_doubles(cursor, column);
    else if (column->type == TYPE_NUMERIC) note_decimals(cursor, column);
    else if (column->type == TYPE_TEXT || column->type == TYPE_UUID)
        return note_bytes(cursor, column, err);
    else note_int64(cursor, column, true);
    return OK;
}

static int64_t format_time(const PostgresCursor *cursor, TypeId type, char *text)
{
    if (type == TYPE_DATE) return datetime_format_date((int32_t)cursor->number, text);
    bool zone = type == TYPE_TIMESTAMPTZ;
    return datetime_format_timestamp(cursor->number, ' ', zone, text);
}

Status postgres_cursor_format(const PostgresCursor *cursor, TypeId type, Buf *out, Err *err)
{
    if (!cursor->some) return OK;
    char text[INTERVAL_TEXT_MAX];
    if (type == TYPE_TEXT) return buf_append(out, buf_str(&cursor->text), err);
    if (type == TYPE_UUID) {
        uuid_format((const uint8_t *)cursor->text.data, text);
        return buf_append(out, str_make(text, UUID_TEXT_LEN), err);
    }
    int64_t len;
    if (type == TYPE_INT64) len = number_format_int64(cursor->number, text);
    else if (type == TYPE_DOUBLE) len = number_format_double(cursor->real, text);
    else if (type == TYPE_NUMERIC) len = decimal_format(cursor->decimal, text);
    else len = format_time(cursor, type, text);
    return buf_append(out, str_make(text, len), err);
}
