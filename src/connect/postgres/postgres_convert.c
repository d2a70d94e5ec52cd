/* Values into columns of another type: as long as nothing about them changes, else with a reason.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "connect/postgres/postgres_encode.h"
#include "engine/format/json_write.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/uuid.h"

/* ---- what goes into what ---- */

static bool is_integer_kind(PostgresKind kind)
{
    return kind == POSTGRES_KIND_INT2 || kind == POSTGRES_KIND_INT4 || kind == POSTGRES_KIND_INT8;
}

static bool is_number_kind(PostgresKind kind)
{
    return is_integer_kind(kind) || kind == POSTGRES_KIND_FLOAT4 || kind == POSTGRES_KIND_FLOAT8 ||
           kind == POSTGRES_KIND_NUMERIC;
}

static bool is_text_kind(PostgresKind kind)
{
    return kind == POSTGRES_KIND_TEXT || kind == POSTGRES_KIND_OTHER;
}

static bool is_json_kind(PostgresKind kind)
{
    return kind == POSTGRES_KIND_JSON || kind == POSTGRES_KIND_JSONB;
}

/* The kind that holds every value of the type as it is; POSTGRES_KIND_OTHER: none. */
static PostgresKind kind_of_type(TypeId type)
{
    switch (type) {
    case TYPE_BOOL:
        return POSTGRES_KIND_BOOL;
    case TYPE_INT64:
        return POSTGRES_KIND_INT8;
    case TYPE_DOUBLE:
        return POSTGRES_KIND_FLOAT8;
    case TYPE_NUMERIC:
        return POSTGRES_KIND_NUMERIC;
    case TYPE_TEXT:
        return POSTGRES_KIND_TEXT;
    case TYPE_BYTES:
        return POSTGRES_KIND_BYTEA;
    case TYPE_JSON:
        return POSTGRES_KIND_JSON;
    case TYPE_DATE:
        return POSTGRES_KIND_DATE;
    case TYPE_TIME:
        return POSTGRES_KIND_TIME;
    case TYPE_TIMESTAMP:
        return POSTGRES_KIND_TIMESTAMP;
    case TYPE_TIMESTAMPTZ:
        return POSTGRES_KIND_TIMESTAMPTZ;
    case TYPE_INTERVAL:
        return POSTGRES_KIND_INTERVAL;
    case TYPE_UUID:
        return POSTGRES_KIND_UUID;
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return POSTGRES_KIND_OTHER;
}

static PostgresRoute route_number(const PostgresColumn *to)
{
    bool number = is_number_kind(to->kind) || is_text_kind(to->kind) || is_json_kind(to->kind) ||
                  to->kind == POSTGRES_KIND_BOOL;
    return number ? POSTGRES_ROUTE_CHECKED : POSTGRES_ROUTE_NONE;
}

static PostgresRoute route_time(TypeId from, const PostgresColumn *to, const char **ret_note)
{
    bool stamp = from == TYPE_TIMESTAMP || from == TYPE_TIMESTAMPTZ || from == TYPE_DATE;
    if (stamp && (to->kind == POSTGRES_KIND_TIMESTAMP || to->kind == POSTGRES_KIND_TIMESTAMPTZ)) {
        if (from == TYPE_TIMESTAMPTZ) {
            *ret_note = "lossy: the zone is dropped, the time is that of";
            return POSTGRES_ROUTE_LOSSY;
        }
        if (to->kind == POSTGRES_KIND_TIMESTAMP) return POSTGRES_ROUTE_CHECKED;
        *ret_note = "lossy: a time without zone is taken as one of";
        return POSTGRES_ROUTE_LOSSY;
    }
    if (from == TYPE_TIMESTAMP && to->kind == POSTGRES_KIND_DATE) return POSTGRES_ROUTE_CHECKED;
    bool text = is_text_kind(to->kind) || is_json_kind(to->kind);
    return text ? POSTGRES_ROUTE_CHECKED : POSTGRES_ROUTE_NONE;
}

static PostgresRoute route_other(TypeId from, const PostgresColumn *to, const char **ret_note)
{
    switch (from) {
    case TYPE_DYNAMIC:
        return POSTGRES_ROUTE_CHECKED;
    case TYPE_TEXT:
        return to->kind == POSTGRES_KIND_BYTEA ? POSTGRES_ROUTE_NONE : POSTGRES_ROUTE_CHECKED;
    case TYPE_INT64:
    case TYPE_DOUBLE:
    case TYPE_NUMERIC:
        return route_number(to);
    case TYPE_JSON:
        if (to->kind == POSTGRES_KIND_ARRAY) return POSTGRES_ROUTE_CHECKED;
        return is_text_kind(to->kind) ? POSTGRES_ROUTE_CHECKED : POSTGRES_ROUTE_NONE;
    case TYPE_BOOL:
    case TYPE_UUID:
    case TYPE_INTERVAL:
        return is_text_kind(to->kind) || is_json_kind(to->kind) ? POSTGRES_ROUTE_CHECKED
                                                                : POSTGRES_ROUTE_NONE;
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return route_time(from, to, ret_note);
    case TYPE_BYTES:
    case TYPE_COUNT:
        break;
    }
    return POSTGRES_ROUTE_NONE;
}

PostgresRoute postgres_route(TypeId from, const PostgresColumn *to, const char **ret_note)
{
    *ret_note = "";
    PostgresKind kind = kind_of_type(from);
    if (kind != POSTGRES_KIND_OTHER && kind == to->kind) return POSTGRES_ROUTE_SAME;
    if (kind == POSTGRES_KIND_JSON && to->kind == POSTGRES_KIND_JSONB) {
        *ret_note = "jsonb keeps neither blanks nor the order of keys";
        return POSTGRES_ROUTE_SAME;
    }
    PostgresRoute route = route_other(from, to, ret_note);
    if (route == POSTGRES_ROUTE_CHECKED) {
        *ret_note = "each value is checked; what would change is refused";
    }
    return route;
}

/* ---- values ---- */

static Status refuse(PostgresEncoder *e, const char *sqlstate, const char *reason)
{
    e->reason = reason;
    e->sqlstate = sqlstate;
    return OK;
}

static bool numeric_is_real(const Column *column, int64_t row, double *ret_real)
{
    if (column_scale(column, row) != NUMERIC_SCALE_DOUBLE) return false;
    Int128 value = column_numeric(column)[row];
    memcpy(ret_real, &value, sizeof *ret_real);
    return true;
}

static bool real_to_int64(double real, int64_t *ret_value)
{
    if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0)) return false;
    *ret_value = (int64_t)real;
    return (double)*ret_value == real;
}

/* An integer text that comes back as it was: no +, no leading zeros. */
static bool text_to_int64(Str text, int64_t *ret_value)
{
    char digits[NUMBER_TEXT_MAX];
    return number_parse_int64(text, ret_value) == NUMBER_OK &&
           str_eq(text, str_make(digits, number_format_int64(*ret_value, digits)));
}

static bool numeric_to_int64(const Column *column, int64_t row, int64_t *ret_value)
{
    double real;
    if (numeric_is_real(column, row, &real)) return real_to_int64(real, ret_value);
    Decimal least =
        decimal_normalize((Decimal){column_numeric(column)[row], column_scale(column, row)});
    return least.scale == 0 && decimal_to_int64(least, ret_value) == DECIMAL_OK;
}

static bool to_int64(const Column *column, int64_t row, int64_t *ret_value)
{
    if (column->type == TYPE_INT64) *ret_value = column_int64(column)[row];
    if (column->type == TYPE_INT64) return true;
    if (column->type == TYPE_DOUBLE) return real_to_int64(column_double(column)[row], ret_value);
    if (column->type == TYPE_NUMERIC) return numeric_to_int64(column, row, ret_value);
    return column->type == TYPE_TEXT && text_to_int64(column_text(column, row), ret_value);
}

static Status convert_integer(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                              int64_t row, Err *err)
{
    int64_t value = 0;
    if (!to_int64(column, row, &value)) return refuse(e, "22P02", "not an integer");
    if (to->kind == POSTGRES_KIND_INT8) return postgres_put_int64(e->out, value, err);
    if (to->kind == POSTGRES_KIND_INT4) {
        if (value != (int32_t)value) return refuse(e, "22003", "outside of the column's integers");
        return postgres_put_int32(e->out, (int32_t)value, err);
    }
    if (value != (int16_t)value) return refuse(e, "22003", "outside of the column's integers");
    char bytes[2];
    (void)postgres_put16(bytes, (int16_t)value);
    return postgres_put_bytes(e->out, bytes, 2, err);
}

static bool decimal_to_real(Decimal value, double *ret_real)
{
    Decimal back;
    *ret_real = decimal_to_double(value);
    return decimal_from_double(*ret_real, &back) == DECIMAL_OK && decimal_compare(back, value) == 0;
}

static bool int64_to_real(int64_t value, double *ret_real)
{
    int64_t back = 0;
    *ret_real = (double)value;
    return real_to_int64(*ret_real, &back) && back == value;
}

static bool text_to_real(Str text, double *ret_real)
{
    char back[NUMBER_TEXT_MAX];
    return number_parse_double(text, ret_real) == NUMBER_OK &&
           str_eq(text, str_make(back, number_format_double(*ret_real, back)));
}

static bool to_real(const Column *column, int64_t row, double *ret_real)
{
    if (column->type == TYPE_DOUBLE) *ret_real = column_double(column)[row];
    if (column->type == TYPE_DOUBLE) return true;
    if (column->type == TYPE_INT64) return int64_to_real(column_int64(column)[row], ret_real);
    if (column->type == TYPE_TEXT) return text_to_real(column_text(column, row), ret_real);
    if (column->type != TYPE_NUMERIC) return false;
    if (numeric_is_real(column, row, ret_real)) return true;
    return decimal_to_real((Decimal){column_numeric(column)[row], column_scale(column, row)},
                           ret_real);
}

/* A float4 that is the same number, or is written the same with its six digits. */
static bool real_to_float(double real, float *ret_value)
{
    *ret_value = (float)real;
    if ((double)*ret_value == real || isnan(real)) return true;
    if (isinf(*ret_value) || *ret_value == 0) return false; /* out of its range */
    char text[32];
    (void)snprintf(text, sizeof text, "%.6g", real);
    return strtod(text, NULL) == real;
}

static Status convert_real(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                           int64_t row, Err *err)
{
    double real = 0;
    if (!to_real(column, row, &real)) {
        return refuse(e, "22003", "the column can't hold this number exactly");
    }
    if (to->kind == POSTGRES_KIND_FLOAT8) {
        int64_t bits;
        memcpy(&bits, &real, 8);
        return postgres_put_int64(e->out, bits, err);
    }
    float value = 0;
    if (!real_to_float(real, &value)) {
        return refuse(e, "22003", "the column can't hold this number exactly");
    }
    int32_t bits;
    memcpy(&bits, &value, 4);
    return postgres_put_int32(e->out, bits, err);
}

static Status convert_numeric(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                              int64_t row, Err *err)
{
    if (column->type == TYPE_INT64) {
        return postgres_encode_numeric(e, to, decimal_from_int64(column_int64(column)[row]), err);
    }
    if (column->type == TYPE_TEXT) {
        return postgres_encode_numeric_text(e, to, column_text(column, row), err);
    }
    if (column->type != TYPE_DOUBLE) return refuse(e, "22P02", "not a number");
    char text[NUMBER_TEXT_MAX];
    Str shortest = str_make(text, number_format_double(column_double(column)[row], text));
    Decimal decimal;
    if (decimal_parse(shortest, &decimal) == DECIMAL_OK) {
        return postgres_encode_numeric(e, to, decimal, err);
    }
    return postgres_encode_numeric_text(e, to, shortest, err);
}

static Status convert_bool(PostgresEncoder *e, const Column *column, int64_t row, Err *err)
{
    char value = 2;
    int64_t integer = 0;
    if (column->type == TYPE_TEXT) {
        bool flag = false;
        if (str_parse_bool(column_text(column, row), &flag)) value = flag;
    } else if (to_int64(column, row, &integer) && (integer == 0 || integer == 1)) {
        value = (char)integer;
    }
    if (value == 2) return refuse(e, "22P02", "neither true nor false");
    return postgres_put_bytes(e->out, &value, 1, err);
}

/* ---- texts ---- */

static Status convert_text(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                           int64_t row, Err *err)
{
    if (column->type == TYPE_BYTES) return refuse(e, "42804", "bytes are not text");
    buf_clear(&e->scratch);
    TRY(json_write_plain(column, row, &e->scratch, err));
    Str text = buf_str(&e->scratch);
    if (text.len && memchr(text.ptr, 0, (size_t)text.len)) {
        return refuse(e, "22021", "PostgreSQL's text holds no zero byte");
    }
    int64_t characters = 0;
    for (int64_t i = 0; i < text.len; i++) characters += ((uint8_t)text.ptr[i] & 0xC0) != 0x80;
    if (to->limit && characters > to->limit) {
        return refuse(e, "22001", "the text is longer than the column holds");
    }
    return postgres_put_bytes(e->out, text.ptr, text.len, err);
}

/* Text is JSON's own text already, except where it is one kind of value among others. */
static Status convert_json(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                           int64_t row, bool member, Err *err)
{
    buf_clear(&e->scratch);
    if (to->kind == POSTGRES_KIND_JSONB) TRY(buf_append_char(&e->scratch, 1, err));
    int64_t start = e->scratch.len;
    if (column->type == TYPE_TEXT && !member && !to->json_strings) {
        TRY(buf_append(&e->scratch, column_text(column, row), err));
        if (!json_validate(str_slice(buf_str(&e->scratch), start, e->scratch.len), NULL)) {
            return refuse(e, "22P02", "not valid JSON");
        }
    } else {
        TRY(json_write_value(column, row, &e->scratch, err));
    }
    return postgres_put_bytes(e->out, e->scratch.data, e->scratch.len, err);
}

enum { ARRAY_DEPTH_MAX = 6 };

static Status array_text(Str text, Buf *out, Err *err)
{
    TRY(buf_append_char(out, '"', err));
    for (int64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\') TRY(buf_append_char(out, '\\', err));
        TRY(buf_append_char(out, c, err));
    }
    return buf_append_char(out, '"', err);
}

static Status array_put(const JsonSlot *array, Arena *arena, int32_t depth, Buf *out, bool *ret_ok,
                        Err *err);

static Status array_element(const JsonSlot *element, Arena *arena, int32_t depth, Buf *out,
                            bool *ret_ok, Err *err)
{
    Str text = element->text;
    switch (element->kind) {
    case JSON_NULL:
        return buf_append(out, STR("NULL"), err);
    case JSON_ARRAY:
        return array_put(element, arena, depth + 1, out, ret_ok, err);
    case JSON_STRING:
        TRY(json_text(element, arena, &text, err));
        return array_text(text, out, err);
    case JSON_OBJECT:
        return array_text(text, out, err);
    case JSON_BOOL:
    case JSON_NUMBER:
    case JSON_MISSING:
        break;
    }
    return buf_append(out, text, err);
}

static Status array_put(const JsonSlot *array, Arena *arena, int32_t depth, Buf *out, bool *ret_ok,
                        Err *err)
{
    if (depth > ARRAY_DEPTH_MAX) {
        *ret_ok = false;
        return OK;
    }
    TRY(buf_append_char(out, '{', err));
    JsonIter iter = json_iter(array);
    JsonSlot element;
    for (bool first = true; *ret_ok && json_iter_next(&iter, NULL, &element); first = false) {
        if (!first) TRY(buf_append_char(out, ',', err));
        TRY(array_element(&element, arena, depth, out, ret_ok, err));
    }
    return buf_append_char(out, '}', err);
}

Status postgres_array_literal(Str json, Buf *out, bool *ret_ok, Err *err)
{
    JsonSlot value;
    *ret_ok = json_scan(json, &value, NULL) && value.kind == JSON_ARRAY;
    if (!*ret_ok) return OK;
    CLEANUP(arena_done) Arena arena = arena_make(json.len * 2 + (1 << 16));
    return array_put(&value, &arena, 1, out, ret_ok, err);
}

static Status convert_array(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                            int64_t row, Err *err)
{
    if (column->type != TYPE_JSON) return convert_text(e, to, column, row, err);
    buf_clear(&e->scratch);
    bool ok = false;
    TRY(postgres_array_literal(column_text(column, row), &e->scratch, &ok, err));
    if (!ok) return refuse(e, "22P02", "not an array");
    if (e->scratch.len && memchr(e->scratch.data, 0, (size_t)e->scratch.len)) {
        return refuse(e, "22021", "PostgreSQL's text holds no zero byte");
    }
    return postgres_put_bytes(e->out, e->scratch.data, e->scratch.len, err);
}

/* ---- times ---- */

/* A column of one value, to be encoded as if it had come so. */
static Status encode_value(PostgresEncoder *e, const PostgresColumn *to, TypeId type, void *value,
                           Err *err)
{
    Buffer buffer = {.refs = 1, .data = value, .size = 16};
    Column column = {.type = type, .length = 1, .data = &buffer};
    return postgres_encode_same(e, to, &column, 0, err);
}

static bool text_to_stamp(Str text, bool zone, int64_t *ret_us)
{
    bool has_zone = false;
    if (str_eq(text, STR("infinity")) || str_eq(text, STR("-infinity"))) {
        return datetime_cast_timestamp(text, ret_us, &has_zone);
    }
    return datetime_parse_timestamp(text, ret_us, &has_zone) && has_zone == zone;
}

static Status convert_stamp(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                            int64_t row, Err *err)
{
    bool zone = to->kind == POSTGRES_KIND_TIMESTAMPTZ;
    int64_t us = 0;
    if (column->type == TYPE_TEXT) {
        if (!text_to_stamp(column_text(column, row), zone, &us)) {
            return refuse(e, "22007",
                          zone ? "not a timestamp with a zone" : "not a timestamp without a zone");
        }
    } else if (column->type == TYPE_DATE) {
        int32_t days = column_date(column)[row];
        if (days == DATE_INFINITY) us = DATETIME_INFINITY;
        else if (days == DATE_NEG_INFINITY) us = DATETIME_NEG_INFINITY;
        else if (__builtin_mul_overflow((int64_t)days, DATETIME_DAY_US, &us)) {
            return refuse(e, "22008", "outside of PostgreSQL's timestamps");
        }
    } else if (column->type == TYPE_TIMESTAMP || column->type == TYPE_TIMESTAMPTZ) {
        us = column_int64(column)[row];
    } else {
        return refuse(e, "22007", "not a timestamp");
    }
    TypeId type = zone ? TYPE_TIMESTAMPTZ : TYPE_TIMESTAMP;
    bool finite = us != DATETIME_INFINITY && us != DATETIME_NEG_INFINITY;
    if (to->zone && finite && postgres_route_uses_zone(column->type, to)) {
        us = zone ? timezone_to_utc(to->zone, us) : timezone_to_local(to->zone, us);
    }
    return encode_value(e, to, type, &us, err);
}

static Status convert_date(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                           int64_t row, Err *err)
{
    int32_t days = 0;
    bool whole = false;
    if (column->type == TYPE_TEXT) {
        Str text = column_text(column, row);
        whole = datetime_parse_date(text, &days) ||
                (str_ends(text, STR("infinity")) && datetime_cast_date(text, &days));
    } else if (column->type == TYPE_DATE) {
        days = column_date(column)[row];
        whole = true;
    } else if (column->type == TYPE_TIMESTAMP) {
        int64_t us = column_int64(column)[row];
        whole = us % DATETIME_DAY_US == 0;
        days = (int32_t)(us / DATETIME_DAY_US);
    }
    if (!whole) return refuse(e, "22007", "not a date");
    return encode_value(e, to, TYPE_DATE, &days, err);
}

static Status convert_time(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                           int64_t row, Err *err)
{
    int64_t us = 0;
    bool fits = column->type == TYPE_TIME;
    if (fits) us = column_int64(column)[row];
    else fits = column->type == TYPE_TEXT && datetime_parse_time(column_text(column, row), &us);
    if (!fits) return refuse(e, "22007", "not a time of day");
    return encode_value(e, to, TYPE_TIME, &us, err);
}

static Status convert_interval(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                               int64_t row, Err *err)
{
    Interval interval = {0};
    bool fits = column->type == TYPE_INTERVAL;
    if (fits) interval = column_interval(column)[row];
    else fits = column->type == TYPE_TEXT && interval_parse(column_text(column, row), &interval);
    if (!fits) return refuse(e, "22007", "not an interval");
    return encode_value(e, to, TYPE_INTERVAL, &interval, err);
}

static Status convert_uuid(PostgresEncoder *e, const Column *column, int64_t row, Err *err)
{
    uint8_t bytes[16];
    if (column->type == TYPE_UUID) {
        memcpy(bytes, column_uuid(column) + row * 16, 16);
    } else if (column->type != TYPE_TEXT || !uuid_parse(column_text(column, row), bytes)) {
        return refuse(e, "22P02", "not a UUID");
    }
    return postgres_put_bytes(e->out, bytes, 16, err);
}

static Status convert_bytes(PostgresEncoder *e, const Column *column, int64_t row, Err *err)
{
    if (column->type != TYPE_BYTES) return refuse(e, "42804", "not bytes");
    Str bytes = column_text(column, row);
    return postgres_put_bytes(e->out, bytes.ptr, bytes.len, err);
}

static Status convert(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                      int64_t row, bool member, Err *err)
{
    switch (to->kind) {
    case POSTGRES_KIND_BOOL:
        return convert_bool(e, column, row, err);
    case POSTGRES_KIND_INT2:
    case POSTGRES_KIND_INT4:
    case POSTGRES_KIND_INT8:
        return convert_integer(e, to, column, row, err);
    case POSTGRES_KIND_FLOAT4:
    case POSTGRES_KIND_FLOAT8:
        return convert_real(e, to, column, row, err);
    case POSTGRES_KIND_NUMERIC:
        return convert_numeric(e, to, column, row, err);
    case POSTGRES_KIND_TEXT:
    case POSTGRES_KIND_OTHER:
        return convert_text(e, to, column, row, err);
    case POSTGRES_KIND_BYTEA:
        return convert_bytes(e, column, row, err);
    case POSTGRES_KIND_JSON:
    case POSTGRES_KIND_JSONB:
        return convert_json(e, to, column, row, member, err);
    case POSTGRES_KIND_DATE:
        return convert_date(e, to, column, row, err);
    case POSTGRES_KIND_TIME:
        return convert_time(e, to, column, row, err);
    case POSTGRES_KIND_TIMESTAMP:
    case POSTGRES_KIND_TIMESTAMPTZ:
        return convert_stamp(e, to, column, row, err);
    case POSTGRES_KIND_INTERVAL:
        return convert_interval(e, to, column, row, err);
    case POSTGRES_KIND_UUID:
        return convert_uuid(e, column, row, err);
    case POSTGRES_KIND_ARRAY:
        break;
    }
    return convert_array(e, to, column, row, err);
}

/* A dynamic value has its own type. */
static Status convert_dynamic(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                              int64_t row, Err *err)
{
    int64_t child_row = 0;
    const Column *child = column_dynamic(column, row, &child_row);
    const char *note;
    PostgresRoute route = postgres_route(child->type, to, &note);
    /* Text among other kinds of values in JSON is a JSON string. */
    bool json_text = child->type == TYPE_TEXT && is_json_kind(to->kind);
    if (route == POSTGRES_ROUTE_SAME) return postgres_encode_same(e, to, child, child_row, err);
    if (route == POSTGRES_ROUTE_CHECKED || json_text) {
        return convert(e, to, child, child_row, json_text, err);
    }
    return refuse(e, "42804", "a value of this type doesn't fit the column");
}

Status postgres_encode_checked(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                               int64_t row, Err *err)
{
    if (column->type == TYPE_DYNAMIC) return convert_dynamic(e, to, column, row, err);
    return convert(e, to, column, row, false, err);
}
