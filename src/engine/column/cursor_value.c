/* The highest value of a cursor column, by the order of its type, and its exact text. */
#include "engine/column/cursor_value.h"

#include <math.h>

#include "foundation/base/number.h"
#include "foundation/codec/uuid.h"

enum { CURSOR_TEXT_MAX = 1 << 20 };

void cursor_value_done(CursorValue *cursor)
{
    buf_done(&cursor->text);
    *cursor = (CursorValue){0};
}

bool cursor_type_orders(TypeId type)
{
    switch (type) {
    case TYPE_INT64:
    case TYPE_DOUBLE:
    case TYPE_NUMERIC:
    case TYPE_TEXT:
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_UUID:
    case TYPE_DYNAMIC:
        return true;
    case TYPE_BOOL:
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_TIME:
    case TYPE_INTERVAL:
    case TYPE_COUNT:
        break;
    }
    return false;
}

/* ---- one value ---- */

/* Borrows its text. */
typedef struct Value {
    TypeId type;
    int64_t number;
    double real;
    Decimal decimal;
    Str text;
} Value;

static bool is_timestamp(TypeId type)
{
    return type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ;
}

static bool is_infinite(const Value *value)
{
    int64_t number = value->number;
    if (value->type == TYPE_DATE) return number == DATE_INFINITY || number == DATE_NEG_INFINITY;
    if (is_timestamp(value->type)) {
        return number == DATETIME_INFINITY || number == DATETIME_NEG_INFINITY;
    }
    return value->type == TYPE_DOUBLE && !isfinite(value->real);
}

/* *ret_value of a row that isn't NULL; false: it has no place in the order. */
static bool value_at(const Column *column, int64_t row, Value *ret_value)
{
    TypeId type = column->type;
    Value value = {.type = type};
    if (type == TYPE_INT64 || is_timestamp(type)) value.number = column_int64(column)[row];
    else if (type == TYPE_DATE) value.number = column_date(column)[row];
    else if (type == TYPE_DOUBLE) value.real = column_double(column)[row];
    else if (type == TYPE_TEXT) value.text = column_text(column, row);
    else if (type == TYPE_UUID) {
        value.text = str_make((const char *)column_uuid(column) + row * 16, 16);
    } else if (type == TYPE_NUMERIC) {
        value.decimal = (Decimal){column_numeric(column)[row], column_scale(column, row)};
    } else {
        return false;
    }
    *ret_value = value;
    bool real = type == TYPE_NUMERIC && value.decimal.scale == NUMERIC_SCALE_DOUBLE;
    return !real && !is_infinite(&value);
}

static double as_double(const Value *value)
{
    return value->type == TYPE_INT64 ? (double)value->number : value->real;
}

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Both of one column; an integer and a double may meet in a DYNAMIC one. */
static int compare(const Value *a, const Value *b)
{
    if (a->type != b->type) {
        double x = as_double(a), y = as_double(b);
        return (x > y) - (x < y);
    }
    if (a->type == TYPE_DOUBLE) return (a->real > b->real) - (a->real < b->real);
    if (a->type == TYPE_NUMERIC) return decimal_compare(a->decimal, b->decimal);
    if (a->type == TYPE_TEXT || a->type == TYPE_UUID) return str_compare(a->text, b->text);
    return order(a->number, b->number);
}

static Value value_of(const CursorValue *cursor)
{
    return (Value){.type = cursor->type,
                   .number = cursor->number,
                   .real = cursor->real,
                   .decimal = cursor->decimal,
                   .text = buf_str(&cursor->text)};
}

static Status keep(CursorValue *cursor, const Value *value, Err *err)
{
    cursor->some = true;
    cursor->type = value->type;
    cursor->number = value->number;
    cursor->real = value->real;
    cursor->decimal = value->decimal;
    if (value->type != TYPE_TEXT && value->type != TYPE_UUID) return OK;
    if (!cursor->text.max) cursor->text = buf_make(CURSOR_TEXT_MAX);
    buf_clear(&cursor->text);
    return buf_append(&cursor->text, value->text, err);
}

/* ---- columns ---- */

/* The child that holds the row of a DYNAMIC column, and where; of others the column itself. */
static const Column *holder(const Column *column, int64_t *row)
{
    if (column->type != TYPE_DYNAMIC) return column;
    int64_t at = column->offset + *row;
    const int8_t *tags = (const int8_t *)column->data->data;
    const int32_t *rows = (const int32_t *)(const void *)column->aux->data;
    *row = rows[at];
    return &column->children[tags[at]];
}

static Status check_class(const CursorValue *cursor, const Column *column, const Column *held,
                          Err *err)
{
    if (column->type != TYPE_DYNAMIC) return OK;
    bool number = held->type == TYPE_INT64 || held->type == TYPE_DOUBLE;
    if (!number && held->type != TYPE_TEXT) {
        return err_set(err, ERR_DATA, "the cursor has a value of type %s, which doesn't grow",
                       type_name(held->type));
    }
    bool before = cursor->type == TYPE_INT64 || cursor->type == TYPE_DOUBLE;
    if (!cursor->some || number == before) return OK;
    return err_set(err, ERR_DATA,
                   "the cursor has numbers and texts, which have no order in common");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Only digits and what stands between them in times: one form, if it is always written so. */
static bool is_numeral(Str text)
{
    for (int64_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]) && !memchr(" -/:.,TZ+", text.ptr[i], 9)) return false;
    }
    return text.len > 0;
}

/* A seconds' fraction may have any length. */
enum { LAYOUT_LEN = 19 };

/* Digits where the other has digits, the same between them: the order of bytes is then that of what
 * they say. One may end before the other, but not within a number. */
static bool same_layout(Str a, Str b)
{
    if (!is_numeral(a) || !is_numeral(b)) return true;
    for (int64_t i = 0; i < LAYOUT_LEN && (i < a.len || i < b.len); i++) {
        bool ends = i >= a.len || i >= b.len;
        if (ends) return i == 0 || !is_digit(i < a.len ? a.ptr[i] : b.ptr[i]);
        bool digits = is_digit(a.ptr[i]) && is_digit(b.ptr[i]);
        if (!digits && a.ptr[i] != b.ptr[i]) return false;
    }
    return true;
}

static Status check_layout(const CursorValue *cursor, const Column *column, const Value *value,
                           Err *err)
{
    bool text = column->type == TYPE_DYNAMIC && value->type == TYPE_TEXT && cursor->some;
    if (!text || same_layout(buf_str(&cursor->text), value->text)) return OK;
    return err_set(err, ERR_DATA, "the cursor has times or numbers in more than one layout");
}

/* Whole columns of 64 bits without NULLs, which most cursors are: the greatest that is finite. */
static bool is_plain(const Column *column)
{
    return (column->type == TYPE_INT64 || is_timestamp(column->type)) && column->null_count == 0;
}

static Value plain_highest(const Column *column)
{
    const int64_t *values = column_int64(column);
    int64_t highest = DATETIME_NEG_INFINITY;
    bool time = is_timestamp(column->type);
    for (int64_t i = 0; i < column->length; i++) {
        int64_t value = time && values[i] == DATETIME_INFINITY ? DATETIME_NEG_INFINITY : values[i];
        highest = value > highest ? value : highest;
    }
    return (Value){.type = column->type, .number = highest};
}

static Status note_plain(CursorValue *cursor, const Column *column, bool *ret_higher, Err *err)
{
    Value value = plain_highest(column), before = value_of(cursor);
    bool none = column->length == 0 || is_infinite(&value);
    *ret_higher = !none && (!cursor->some || compare(&value, &before) > 0);
    return *ret_higher ? keep(cursor, &value, err) : OK;
}

Status cursor_value_note(CursorValue *cursor, const Column *column, bool *ret_higher, Err *err)
{
    bool higher = false;
    if (is_plain(column)) return note_plain(cursor, column, ret_higher ? ret_higher : &higher, err);
    for (int64_t i = 0; i < column->length; i++) {
        if (column_is_null(column, i)) continue;
        int64_t row = i;
        const Column *held = holder(column, &row);
        Value value, highest = value_of(cursor);
        TRY(check_class(cursor, column, held, err));
        if (!value_at(held, row, &value)) continue;
        TRY(check_layout(cursor, column, &value, err));
        if (cursor->some && compare(&value, &highest) <= 0) continue;
        TRY(keep(cursor, &value, err));
        higher = true;
    }
    if (ret_higher) *ret_higher = higher;
    return OK;
}

CursorPlace cursor_value_place(const CursorValue *cursor, const Column *column, int64_t row)
{
    if (column_is_null(column, row)) return CURSOR_OUTSIDE;
    Value value, highest = value_of(cursor);
    const Column *held = holder(column, &row);
    if (!value_at(held, row, &value)) return CURSOR_OUTSIDE;
    bool mixed = (value.type == TYPE_TEXT) != (cursor->type == TYPE_TEXT);
    if (!cursor->some || mixed) return CURSOR_OTHER;
    return compare(&value, &highest) == 0 ? CURSOR_SAME : CURSOR_OTHER;
}

static int64_t again_plain(const CursorValue *cursor, const Column *column, uint8_t *bits)
{
    const int64_t *values = column_int64(column);
    bool time = is_timestamp(column->type);
    int64_t count = 0;
    for (int64_t i = 0; i < column->length; i++) {
        bool infinite = values[i] == DATETIME_INFINITY || values[i] == DATETIME_NEG_INFINITY;
        bool again = (cursor->some && values[i] == cursor->number) || (time && infinite);
        if (!again) continue;
        bit_set(bits, i);
        count++;
    }
    return count;
}

int64_t cursor_value_again(const CursorValue *cursor, const Column *column, uint8_t *bits)
{
    if (is_plain(column)) return again_plain(cursor, column, bits);
    int64_t count = 0;
    for (int64_t i = 0; i < column->length; i++) {
        if (cursor_value_place(cursor, column, i) == CURSOR_OTHER) continue;
        bit_set(bits, i);
        count++;
    }
    return count;
}

/* ---- text ---- */

static bool parse_dynamic(Str text, Value *value)
{
    value->type = TYPE_INT64;
    if (number_parse_int64(text, &value->number) == NUMBER_OK) return true;
    value->type = TYPE_DOUBLE;
    bool digit = text.ptr[text.len - 1] >= '0' && text.ptr[text.len - 1] <= '9';
    if (digit && number_parse_double(text, &value->real) == NUMBER_OK) return true;
    value->type = TYPE_TEXT;
    value->text = text;
    return true;
}

static bool parse(TypeId type, Str text, uint8_t uuid[16], Value *value)
{
    int32_t days = 0;
    bool zone = false;
    *value = (Value){.type = type};
    if (type == TYPE_INT64) return number_parse_int64(text, &value->number) == NUMBER_OK;
    if (type == TYPE_DOUBLE) return number_parse_double(text, &value->real) == NUMBER_OK;
    if (type == TYPE_NUMERIC) return decimal_parse(text, &value->decimal) == DECIMAL_OK;
    if (is_timestamp(type)) return datetime_cast_timestamp(text, &value->number, &zone);
    if (type == TYPE_DYNAMIC) return parse_dynamic(text, value);
    if (type == TYPE_DATE) {
        bool good = datetime_cast_date(text, &days);
        value->number = days;
        return good;
    }
    value->text = type == TYPE_UUID ? str_make((const char *)uuid, 16) : text;
    return type == TYPE_TEXT || (type == TYPE_UUID && uuid_parse(text, uuid));
}

Status cursor_value_parse(CursorValue *cursor, TypeId type, Str text, Err *err)
{
    uint8_t uuid[16];
    Value value;
    if (text.len == 0 || !parse(type, text, uuid, &value)) return OK;
    return keep(cursor, &value, err);
}

Status cursor_value_format(const CursorValue *cursor, Buf *out, Err *err)
{
    char text[INTERVAL_TEXT_MAX];
    int64_t len = 0;
    if (!cursor->some) return OK;
    TypeId type = cursor->type;
    if (type == TYPE_TEXT) return buf_append(out, buf_str(&cursor->text), err);
    if (type == TYPE_UUID) {
        uuid_format((const uint8_t *)cursor->text.data, text);
        return buf_append(out, str_make(text, UUID_TEXT_LEN), err);
    }
    if (type == TYPE_INT64) len = number_format_int64(cursor->number, text);
    else if (type == TYPE_DOUBLE) len = number_format_double(cursor->real, text);
    else if (type == TYPE_NUMERIC) len = decimal_format(cursor->decimal, text);
    else if (type == TYPE_DATE) len = datetime_format_date((int32_t)cursor->number, text);
    else {
        bool zone = type == TYPE_TIMESTAMPTZ;
        len = datetime_format_timestamp(cursor->number, ' ', zone, text);
    }
    return buf_append(out, str_make(text, len), err);
}
