/* Casts between types, as PostgreSQL does them; the explicit ones and the implicit ones. */
#include <math.h>

#include "engine/expr/kernel.h"
#include "engine/expr/number_value.h"
#include "engine/expr/text_value.h"
#include "foundation/base/number.h"
#include "foundation/codec/datetime_text.h"

/* ---- from text ---- */

static void bad_text(KernelCall *call, int64_t row, const char *type, Str text)
{
    Str shown = str_slice(text, 0, 200);
    char readings[DATETIME_READINGS_MAX];
    if (type_has_date(call->result->type) && datetime_two_readings(text, readings)) {
        call_error(call, row, "22007", "\"%.*s\" has two readings: %s", STR_ARG(shown), readings);
        return;
    }
    call_error(call, row, "22P02", "invalid input syntax for type %s: \"%.*s\"", type,
               STR_ARG(shown));
}

static void text_to_bool(KernelCall *call, int64_t row, Str text)
{
    bool value = false;
    if (!str_parse_bool(text, &value)) bad_text(call, row, "boolean", text);
    vector_bool(call->result)[row] = value;
}

static void text_to_int(KernelCall *call, int64_t row, Str text)
{
    NumberResult result = number_parse_int64(str_trim(text), &vector_int64(call->result)[row]);
    if (result == NUMBER_OVERFLOW) {
        call_error(call, row, "22003", "value \"%.*s\" is out of range for type bigint",
                   STR_ARG(str_slice(text, 0, 200)));
    } else if (result != NUMBER_OK) {
        bad_text(call, row, "bigint", text);
    }
}

static void text_to_double(KernelCall *call, int64_t row, Str text)
{
    NumberResult result = number_parse_double(text, &vector_double(call->result)[row]);
    if (result == NUMBER_OVERFLOW) {
        call_error(call, row, "22003", "\"%.*s\" is out of range for type double precision",
                   STR_ARG(str_slice(text, 0, 200)));
    } else if (result != NUMBER_OK) {
        bad_text(call, row, "double precision", text);
    }
}

static void text_to_numeric(KernelCall *call, int64_t row, Str text)
{
    Decimal decimal;
    double real;
    DecimalResult result = decimal_parse(text, &decimal);
    if (result == DECIMAL_OK) {
        number_put(call->result, row, decimal);
    } else if (result == DECIMAL_OVERFLOW) {
        call_error(call, row, "22003", "numeric of more than 38 digits: \"%.*s\"",
                   STR_ARG(str_slice(text, 0, 200)));
    } else if (number_parse_double(text, &real) == NUMBER_OK && (isnan(real) || isinf(real))) {
        number_put_double(call->result, row, real);
    } else {
        bad_text(call, row, "numeric", text);
    }
}

static void text_to_time(KernelCall *call, int64_t row, Str text, TypeId type)
{
    int64_t *out = &vector_int64(call->result)[row];
    bool zone = false;
    /* A zone on a timestamp without one is ignored: the clock time as written counts. */
    bool ok = type == TYPE_TIME        ? datetime_read_time(text, out)
              : type == TYPE_TIMESTAMP ? datetime_read_clock(text, out)
                                       : datetime_read_timestamp(text, out, &zone);
    if (!ok) bad_text(call, row, type_name(type), text);
}

static void text_to_date(KernelCall *call, int64_t row, Str text)
{
    if (!datetime_read_date(text, &vector_date(call->result)[row])) {
        bad_text(call, row, "date", text);
    }
}

static void text_to_interval(KernelCall *call, int64_t row, Str text)
{
    if (!interval_parse(text, &vector_interval(call->result)[row])) {
        bad_text(call, row, "interval", text);
    }
}

static void text_to_json(KernelCall *call, int64_t row, Str text)
{
    JsonError error;
    if (json_validate(text, &error)) {
        kernel_put_text(call, row, text);
        return;
    }
    call_error(call, row, "22P02", "invalid input syntax for type json: %s at byte %lld",
               error.reason, (long long)error.offset + 1);
}

static void text_to_cell(KernelCall *call, int64_t row, Str text)
{
    vector_cell(call->result)[row] = (Cell){.type = TYPE_TEXT, .text = text};
}

/* One row of text to the result's type. */
static void from_text(KernelCall *call, int64_t row, Str text, TypeId to)
{
    switch (to) {
    case TYPE_BOOL:
        text_to_bool(call, row, text);
        return;
    case TYPE_INT64:
        text_to_int(call, row, text);
        return;
    case TYPE_DOUBLE:
        text_to_double(call, row, text);
        return;
    case TYPE_NUMERIC:
        text_to_numeric(call, row, text);
        return;
    case TYPE_DATE:
        text_to_date(call, row, text);
        return;
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        text_to_time(call, row, text, to);
        return;
    case TYPE_INTERVAL:
        text_to_interval(call, row, text);
        return;
    case TYPE_UUID:
        if (!text_parse_uuid(text, vector_uuid(call->result, row))) {
            bad_text(call, row, "uuid", text);
        }
        return;
    case TYPE_BYTES:
        text_to_bytes(call, row, text);
        return;
    case TYPE_JSON:
        text_to_json(call, row, text);
        return;
    case TYPE_DYNAMIC:
        text_to_cell(call, row, text);
        return;
    case TYPE_TEXT:
    case TYPE_COUNT:
        break;
    }
    kernel_put_text(call, row, text);
}

static Status kernel_from_text(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) from_text(call, row, kernel_text(call, 0, row), call->result->type);
    return OK;
}

/* ---- to text ---- */

static Status kernel_to_text(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) text_of_value(call, row, &call->args[0]);
    return OK;
}

/* ---- between numbers ---- */

static void int_out_of_range(KernelCall *call, int64_t row)
{
    call_error(call, row, "22003", "bigint out of range");
}

static Status kernel_int_to_numeric(KernelCall *call, Err *err UNUSED)
{
    Int128 *out = vector_numeric(call->result);
    const int64_t *in = vector_int64(&call->args[0]);
    int64_t mask = call->args[0].mask;
    for (int64_t i = 0; i < call->rows; i++) out[i] = in[i & mask];
    return OK;
}

static Status kernel_int_to_double(KernelCall *call, Err *err UNUSED)
{
    double *out = vector_double(call->result);
    const int64_t *in = vector_int64(&call->args[0]);
    int64_t mask = call->args[0].mask;
    for (int64_t i = 0; i < call->rows; i++) out[i] = (double)in[i & mask];
    return OK;
}

static void double_to_int(KernelCall *call, int64_t row, double value)
{
    double rounded = rint(value);
    if (isnan(value) || rounded < -9223372036854775808.0 || rounded >= 9223372036854775808.0) {
        int_out_of_range(call, row);
    } else {
        vector_int64(call->result)[row] = (int64_t)rounded;
    }
}

static void number_to_int(KernelCall *call, int64_t row, NumberValue n)
{
    if (n.is_double) double_to_int(call, row, n.real);
    else if (decimal_to_int64(n.decimal, &vector_int64(call->result)[row]) != DECIMAL_OK) {
        int_out_of_range(call, row);
    }
}

static Status kernel_numeric_to_int(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) number_to_int(call, row, number_at(&call->args[0], row));
    return OK;
}

static Status kernel_double_to_int(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) double_to_int(call, row, kernel_double(call, 0, row));
    return OK;
}

static Status kernel_numeric_to_double(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_double(call->result)[row] = number_double(number_at(&call->args[0], row));
    }
    return OK;
}

static Status kernel_double_to_numeric(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        double value = kernel_double(call, 0, row);
        Decimal decimal;
        if (decimal_from_double(value, &decimal) == DECIMAL_OK) {
            number_put(call->result, row, decimal);
        } else {
            number_put_double(call->result, row, value);
        }
    }
    return OK;
}

static Status kernel_bool_to_int(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_int64(call->result)[row] = vector_bool(&call->args[0])[row & call->args[0].mask];
    }
    return OK;
}

static Status kernel_int_to_bool(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) vector_bool(call->result)[row] = kernel_int64(call, 0, row) != 0;
    return OK;
}

/* ---- between dates and times ---- */

static Status kernel_date_to_timestamp(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int32_t days = vector_date(&call->args[0])[row & call->args[0].mask];
        int64_t *out = &vector_int64(call->result)[row];
        if (days == DATE_INFINITY) *out = DATETIME_INFINITY;
        else if (days == DATE_NEG_INFINITY) *out = DATETIME_NEG_INFINITY;
        else if (__builtin_mul_overflow(days, DATETIME_DAY_US, out)) {
            call_error(call, row, "22008", "date out of range for timestamp");
        }
    }
    return OK;
}

static Status kernel_timestamp_to_date(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t us = kernel_int64(call, 0, row);
        int64_t days = us / DATETIME_DAY_US - (us % DATETIME_DAY_US < 0);
        vector_date(call->result)[row] = us == DATETIME_INFINITY       ? DATE_INFINITY
                                         : us == DATETIME_NEG_INFINITY ? DATE_NEG_INFINITY
                                                                       : (int32_t)days;
    }
    return OK;
}

static Status kernel_timestamp_to_time(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t us = kernel_int64(call, 0, row);
        int64_t rest = us % DATETIME_DAY_US;
        vector_int64(call->result)[row] = rest < 0 ? rest + DATETIME_DAY_US : rest;
    }
    return OK;
}

/* Timestamps with and without zone share their microseconds: the session's zone is UTC. */
static Status kernel_same_bits(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) kernel_copy(&call->args[0], row, call->result);
    return OK;
}

static Status kernel_time_to_interval(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_interval(call->result)[row] = (Interval){.us = kernel_int64(call, 0, row)};
    }
    return OK;
}

/* The part of a day that an interval has beyond whole ones. */
static Status kernel_interval_to_time(KernelCall *call, Err *err UNUSED)
{
    const Vector *v = &call->args[0];
    FOR_ACTIVE (call, row) {
        int64_t rest = vector_interval(v)[row & v->mask].us % DATETIME_DAY_US;
        vector_int64(call->result)[row] = rest < 0 ? rest + DATETIME_DAY_US : rest;
    }
    return OK;
}

/* ---- dynamic ---- */

static void wrong_kind(KernelCall *call, int64_t row, const Cell *cell, TypeId wanted)
{
    const char *kind =
        cell->type == TYPE_NUMERIC || cell->type == TYPE_INT64 || cell->type == TYPE_DOUBLE
            ? "a number"
        : cell->type == TYPE_BOOL ? "a boolean"
        : cell->type == TYPE_JSON ? "an object or array"
                                  : "text";
    call_error(call, row, "42804", "this is %s, not %s; a cast would convert it", kind,
               type_name(wanted));
}

/* A number to a number type; false when the cell holds none. */
static bool resolve_number(KernelCall *call, int64_t row, const Cell *cell, TypeId to)
{
    NumberValue n;
    if (!cell_number(cell, &n)) return false;
    if (to == TYPE_DOUBLE) vector_double(call->result)[row] = number_double(n);
    else if (to == TYPE_INT64) number_to_int(call, row, n);
    else if (n.is_double) number_put_double(call->result, row, n.real);
    else number_put(call->result, row, n.decimal);
    return true;
}

static bool is_number(TypeId type)
{
    return type == TYPE_INT64 || type == TYPE_DOUBLE || type == TYPE_NUMERIC;
}

static bool is_time(TypeId type)
{
    return type == TYPE_DATE || type == TYPE_TIME || type == TYPE_TIMESTAMP ||
           type == TYPE_TIMESTAMPTZ || type == TYPE_INTERVAL || type == TYPE_UUID;
}

/* What an expression asks for without a cast: the value must be of that kind already. */
static void resolve_row(KernelCall *call, int64_t row, const Cell *cell)
{
    TypeId to = call->result->type;
    if (is_number(to)) {
        if (!resolve_number(call, row, cell, to)) wrong_kind(call, row, cell, to);
    } else if (to == TYPE_BOOL && cell->type == TYPE_BOOL) {
        vector_bool(call->result)[row] = cell->boolean;
    } else if (to == TYPE_TEXT && cell->type == TYPE_TEXT) {
        kernel_put_text(call, row, cell->text);
    } else if (to == TYPE_BYTES && cell->type == TYPE_BYTES) {
        kernel_put_text(call, row, cell->text);
    } else if (is_time(to) && cell->type == TYPE_TEXT) {
        from_text(call, row, cell->text, to);
    } else if (to == TYPE_JSON) {
        json_of_cell(call, row, cell);
    } else {
        wrong_kind(call, row, cell, to);
    }
}

static Status kernel_resolve(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        resolve_row(call, row, &vector_cell(&call->args[0])[row & call->args[0].mask]);
    }
    return OK;
}

/* An explicit cast converts whatever is there. */
static void convert_row(KernelCall *call, int64_t row, const Cell *cell)
{
    TypeId to = call->result->type;
    NumberValue n;
    if (to == TYPE_TEXT) {
        text_of_cell(call, row, cell);
    } else if (cell->type == TYPE_TEXT) {
        from_text(call, row, cell->text, to);
    } else if (cell->type == TYPE_BOOL && to == TYPE_INT64) {
        vector_int64(call->result)[row] = cell->boolean;
    } else if (to == TYPE_BOOL && cell_number(cell, &n) && !n.is_double) {
        vector_bool(call->result)[row] = n.decimal.value != 0;
    } else {
        resolve_row(call, row, cell);
    }
}

static Status kernel_convert(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        convert_row(call, row, &vector_cell(&call->args[0])[row & call->args[0].mask]);
    }
    return OK;
}

/* JSON text as a dynamic value; JSON null is NULL. */
static Status kernel_json_to_dynamic(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        JsonSlot slot;
        bool null = false;
        if (!json_scan(kernel_text(call, 0, row), &slot, NULL)) {
            call_error(call, row, "22P02", "not valid JSON");
            continue;
        }
        TRY(cell_from_slot(&slot, call->arena, &vector_cell(call->result)[row], &null, err));
        if (null) call_null(call, row);
    }
    return OK;
}

static Status kernel_to_dynamic(KernelCall *call, Err *err UNUSED)
{
    const Vector *v = &call->args[0];
    FOR_ACTIVE (call, row) {
        Cell *cell = &vector_cell(call->result)[row];
        *cell = (Cell){.type = (uint8_t)v->type};
        if (v->type == TYPE_BOOL) cell->boolean = vector_bool(v)[row & v->mask];
        else if (v->type == TYPE_INT64) cell->integer = vector_int64(v)[row & v->mask];
        else if (v->type == TYPE_DOUBLE) cell->real = vector_double(v)[row & v->mask];
        else if (v->type == TYPE_NUMERIC) {
            cell->numeric = vector_numeric(v)[row & v->mask];
            cell->scale = vector_scale(v, row);
        } else {
            cell->text = vector_text(v)[row & v->mask];
        }
    }
    return OK;
}

/* ---- the table ---- */

typedef struct Cast {
    TypeId from, to;
    bool implicit; /* also without being asked for */
    Function function;
} Cast;

#define CAST(a, b, free, function_, flags_)                                                        \
    {                                                                                              \
        TYPE_##a, TYPE_##b, free,                                                                  \
        {                                                                                          \
            .name = "cast", .kernel = (function_), .flags = (flags_)                               \
        }                                                                                          \
    }
enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };

static const Cast CASTS[] = {
    CAST(INT64, NUMERIC, true, kernel_int_to_numeric, STRICT),
    CAST(INT64, DOUBLE, true, kernel_int_to_double, STRICT),
    CAST(NUMERIC, DOUBLE, true, kernel_numeric_to_double, STRICT),
    CAST(NUMERIC, INT64, false, kernel_numeric_to_int, FALLIBLE),
    CAST(DOUBLE, INT64, false, kernel_double_to_int, FALLIBLE),
    CAST(DOUBLE, NUMERIC, false, kernel_double_to_numeric, STRICT),
    CAST(BOOL, INT64, false, kernel_bool_to_int, STRICT),
    CAST(INT64, BOOL, false, kernel_int_to_bool, STRICT),
    CAST(DATE, TIMESTAMP, true, kernel_date_to_timestamp, FALLIBLE),
    CAST(DATE, TIMESTAMPTZ, true, kernel_date_to_timestamp, FALLIBLE),
    CAST(TIMESTAMP, TIMESTAMPTZ, true, kernel_same_bits, STRICT),
    CAST(TIMESTAMPTZ, TIMESTAMP, false, kernel_same_bits, STRICT),
    CAST(TIMESTAMP, DATE, false, kernel_timestamp_to_date, STRICT),
    CAST(TIMESTAMPTZ, DATE, false, kernel_timestamp_to_date, STRICT),
    CAST(TIMESTAMP, TIME, false, kernel_timestamp_to_time, STRICT),
    CAST(TIMESTAMPTZ, TIME, false, kernel_timestamp_to_time, STRICT),
    CAST(TIME, INTERVAL, false, kernel_time_to_interval, STRICT),
    CAST(INTERVAL, TIME, false, kernel_interval_to_time, STRICT),
    CAST(JSON, DYNAMIC, true, kernel_json_to_dynamic, FALLIBLE),
    CAST(BOOL, DYNAMIC, true, kernel_to_dynamic, STRICT),
    CAST(INT64, DYNAMIC, true, kernel_to_dynamic, STRICT),
    CAST(DOUBLE, DYNAMIC, true, kernel_to_dynamic, STRICT),
    CAST(NUMERIC, DYNAMIC, true, kernel_to_dynamic, STRICT),
    CAST(TEXT, DYNAMIC, true, kernel_to_dynamic, STRICT),
    CAST(BYTES, DYNAMIC, true, kernel_to_dynamic, STRICT),
};

static const Function FROM_TEXT = {.name = "cast", .kernel = kernel_from_text, .flags = FALLIBLE};
static const Function TO_TEXT = {.name = "cast", .kernel = kernel_to_text, .flags = FALLIBLE};
static const Function RESOLVE = {.name = "cast", .kernel = kernel_resolve, .flags = FALLIBLE};
static const Function CONVERT = {.name = "cast", .kernel = kernel_convert, .flags = FALLIBLE};

const Function *cast_find(TypeId from, TypeId to, bool explicit_cast)
{
    for (int64_t i = 0; i < COUNT_OF(CASTS); i++) {
        if (CASTS[i].from != from || CASTS[i].to != to) continue;
        return CASTS[i].implicit || explicit_cast ? &CASTS[i].function : NULL;
    }
    if (from == TYPE_DYNAMIC) return explicit_cast ? &CONVERT : &RESOLVE;
    if (!explicit_cast) return NULL;
    if (from == TYPE_TEXT || from == TYPE_UNKNOWN) return &FROM_TEXT;
    return to == TYPE_TEXT ? &TO_TEXT : NULL;
}
