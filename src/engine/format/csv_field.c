/* Fields of CSV: what type a text has, and its value into a column. */
#include "engine/format/csv_field.h"

#include "foundation/base/number.h"
#include "foundation/codec/datetime_text.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/uuid.h"

/* ---- inference ---- */

/* Digits as they would be written: no leading zero but the one in front of the point. */
static int64_t whole_digits(Str text)
{
    int64_t i = 0;
    while (i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9') i++;
    return i > 1 && text.ptr[0] == '0' ? 0 : i;
}

static bool is_zero(Str digits)
{
    for (int64_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] != '0' && digits.ptr[i] != '.') return false;
    }
    return true;
}

/* CSV_INT | CSV_DECIMAL for an int64, CSV_DECIMAL for a decimal of up to 38 digits, else 0. */
static uint8_t number_kind(Str text)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    Str digits = negative ? str_slice(text, 1, text.len) : text;
    int64_t whole = whole_digits(digits);
    if (whole == 0 || (negative && is_zero(digits))) return 0;
    if (whole == digits.len) {
        int64_t value;
        if (whole <= 18 || number_parse_int64(text, &value) == NUMBER_OK) {
            return CSV_INT | CSV_DECIMAL;
        }
        return whole <= DECIMAL_DIGITS_MAX ? CSV_DECIMAL : 0;
    }
    if (digits.ptr[whole] != '.') return 0;
    Str fraction = str_slice(digits, whole + 1, digits.len);
    for (int64_t i = 0; i < fraction.len; i++) {
        if (fraction.ptr[i] < '0' || fraction.ptr[i] > '9') return 0;
    }
    bool zero_whole = whole == 1 && digits.ptr[0] == '0';
    int64_t significant = fraction.len + (zero_whole ? 0 : whole);
    return fraction.len > 0 && significant <= DECIMAL_DIGITS_MAX ? CSV_DECIMAL : 0;
}

static uint8_t time_kind(Str text)
{
    int32_t days;
    int64_t us;
    bool zone = false;
    if (text.len < 10 || text.ptr[4] != '-') return 0;
    if (text.len == 10) return datetime_parse_date(text, &days) ? CSV_DATE : 0;
    if (!datetime_parse_timestamp(text, &us, &zone)) return 0;
    return zone ? CSV_TIMESTAMPTZ : CSV_TIMESTAMP;
}

uint8_t csv_narrow(uint8_t candidates, Str text)
{
    if (candidates == 0 || text.len == 0) return 0;
    char first = text.ptr[0];
    bool digit = (first >= '0' && first <= '9') || first == '-';
    if (digit) {
        uint8_t kind = candidates & (CSV_INT | CSV_DECIMAL) ? number_kind(text) : 0;
        if (!kind && (candidates & (CSV_DATE | CSV_TIMESTAMP | CSV_TIMESTAMPTZ))) {
            kind = time_kind(text);
        }
        return candidates & kind;
    }
    bool boolean = str_eq(text, STR("true")) || str_eq(text, STR("false"));
    return boolean ? candidates & CSV_BOOL : 0;
}

TypeId csv_candidate_type(uint8_t candidates)
{
    static const TypeId TYPES[] = {TYPE_BOOL, TYPE_INT64,     TYPE_NUMERIC,
                                   TYPE_DATE, TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ};
    if (candidates == 0 || candidates == CSV_ANY) return TYPE_TEXT;
    return TYPES[__builtin_ctz(candidates)];
}

/* ---- reading ---- */

static bool append_bool(Builder *b, Str text, Status *status, Err *err)
{
    /* As nearly all files have it. */
    bool as_usual = str_eq(text, STR("true"));
    if (as_usual || str_eq(text, STR("false"))) {
        *status = builder_bool(b, as_usual, err);
        return true;
    }
    bool value = false;
    if (!str_parse_bool(text, &value)) return false;
    *status = builder_bool(b, value, err);
    return true;
}

static bool append_numeric(Builder *b, Str text, Status *status, Err *err)
{
    Decimal value;
    if (decimal_parse(text, &value) != DECIMAL_OK) return false;
    *status = builder_numeric(b, value, err);
    return true;
}

static bool append_time(Builder *b, Str text, Status *status, Err *err)
{
    int64_t us;
    bool zone = false;
    bool ok = b->type == TYPE_TIME ? datetime_parse_time(text, &us) || datetime_read_time(text, &us)
                                   : datetime_parse_timestamp(text, &us, &zone) ||
                                         datetime_read_timestamp(text, &us, &zone);
    if (!ok || (b->type == TYPE_TIMESTAMP && zone)) return false;
    *status = builder_int64(b, us, err);
    return true;
}

static bool append_other(Builder *b, Str text, Status *status, Err *err)
{
    Interval interval;
    uint8_t uuid[16];
    if (b->type == TYPE_INTERVAL) {
        if (!interval_parse(text, &interval)) return false;
        *status = builder_interval(b, interval, err);
        return true;
    }
    if (b->type == TYPE_UUID) {
        if (!uuid_parse(text, uuid)) return false;
        *status = builder_uuid(b, uuid, err);
        return true;
    }
    if (b->type == TYPE_JSON && !json_validate(text, NULL)) return false;
    *status = builder_text(b, text, err);
    return true;
}

bool csv_append(Builder *b, Str text, Status *status, Err *err)
{
    int64_t integer;
    double real;
    int32_t days;
    switch (b->type) {
    case TYPE_BOOL:
        return append_bool(b, text, status, err);
    case TYPE_INT64:
        if (number_parse_int64(text, &integer) != NUMBER_OK) return false;
        *status = builder_int64(b, integer, err);
        return true;
    case TYPE_DOUBLE:
        if (number_parse_double(text, &real) != NUMBER_OK) return false;
        *status = builder_double(b, real, err);
        return true;
    case TYPE_NUMERIC:
        return append_numeric(b, text, status, err);
    case TYPE_DATE:
        if (!datetime_parse_date(text, &days) && !datetime_read_date(text, &days)) return false;
        *status = builder_date(b, days, err);
        return true;
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return append_time(b, text, status, err);
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return append_other(b, text, status, err);
}
