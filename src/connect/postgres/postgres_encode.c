/* Values of equal types into binary COPY, and numerics in base 10000. */
#include "connect/postgres/postgres_encode.h"

#include <assert.h>

#include "foundation/base/number.h"

enum {
    NUMERIC_NEGATIVE = 0x4000,
    NUMERIC_NAN = 0xC000,
    NUMERIC_INFINITY = 0xD000,
    NUMERIC_NEG_INFINITY = 0xF000,
    NUMERIC_GROUPS_MAX = 12, /* of a Decimal */
    NUMERIC_DIGITS_MAX = 131072,
    NUMERIC_FRACTION_MAX = 16383,
};

/* Microseconds between the values that a column with fewer digits of a second holds. */
static const int64_t FRACTION_US[] = {1000000, 100000, 10000, 1000, 100, 10, 1};

static Status refuse(PostgresEncoder *e, const char *sqlstate, const char *reason)
{
    e->reason = reason;
    e->sqlstate = sqlstate;
    return OK;
}

/* ---- numeric ---- */

static Status numeric_special(PostgresEncoder *e, const PostgresColumn *to, int32_t sign, Err *err)
{
    if (sign != NUMERIC_NAN && to->precision) {
        return refuse(e, "22003", "a numeric with a precision holds no infinity");
    }
    char bytes[8];
    (void)postgres_put16(postgres_put16(postgres_put16(postgres_put16(bytes, 0), 0), sign), 0);
    return postgres_put_bytes(e->out, bytes, 8, err);
}

/* Groups of four digits, the lowest first; returns how many. By constants and in 64 bits where that
 * is enough: most of what a numeric costs is division. */
static int32_t numeric_groups(Uint128 value, int32_t scale, uint16_t groups[NUMERIC_GROUPS_MAX])
{
    int32_t count = 0;
    int32_t odd = scale & 3; /* digits of the lowest group that are there */
    while (UNLIKELY(value > UINT64_MAX)) {
        uint16_t power = odd == 1 ? 10 : odd == 2 ? 100 : odd == 3 ? 1000 : 10000;
        groups[count++] = (uint16_t)((uint16_t)(value % power) * (10000 / power));
        value /= power;
        odd = 0;
    }
    uint64_t low = (uint64_t)value;
    if (odd) {
        uint64_t rest = odd == 1 ? low / 10 : odd == 2 ? low / 100 : low / 1000;
        uint64_t power = odd == 1 ? 10 : odd == 2 ? 100 : 1000;
        groups[count++] = (uint16_t)((low - rest * power) * (10000 / power));
        low = rest;
    }
    for (; low; low /= 10000) groups[count++] = (uint16_t)(low % 10000);
    while (count > 0 && groups[count - 1] == 0) count--;
    return count;
}

/* Does numeric(p,s) hold the value as it is? */
static bool numeric_fits(PostgresEncoder *e, const PostgresColumn *to, Uint128 value, int32_t scale)
{
    if (!to->precision || (scale == to->scale && value < to->below)) return true;
    int32_t beyond = scale - to->scale;
    if (beyond > 0 &&
        (beyond > DECIMAL_DIGITS_MAX || value % (Uint128)decimal_power10(beyond) != 0)) {
        (void)refuse(e, "22003", "the column would round this number");
        return false;
    }
    int32_t digits = to->precision - to->scale + scale;
    bool holds = digits > DECIMAL_DIGITS_MAX ||
                 (digits < 0 ? value == 0 : value < (Uint128)decimal_power10(digits));
    if (!holds) (void)refuse(e, "22003", "the number has more digits than the column holds");
    return holds;
}

Status postgres_encode_numeric(PostgresEncoder *e, const PostgresColumn *to, Decimal decimal,
                               Err *err)
{
    bool negative = decimal.value < 0;
    Uint128 value = negative ? -(Uint128)decimal.value : (Uint128)decimal.value;
    if (!numeric_fits(e, to, value, decimal.scale)) return OK;
    uint16_t groups[NUMERIC_GROUPS_MAX];
    int32_t count = numeric_groups(value, decimal.scale, groups);
    int32_t weight = count - 1 - (decimal.scale + 3) / 4;
    int32_t lowest = 0;
    while (lowest < count && groups[lowest] == 0) lowest++;
    TRY(buf_reserve(e->out, 12 + 2 * NUMERIC_GROUPS_MAX, err));
    int32_t kept = count - lowest;
    char *at = postgres_put32(e->out->data + e->out->len, 8 + 2 * kept);
    at = postgres_put16(postgres_put16(at, kept), kept ? weight : 0);
    at = postgres_put16(postgres_put16(at, negative && kept ? NUMERIC_NEGATIVE : 0), decimal.scale);
    for (int32_t i = count - 1; i >= lowest; i--) at = postgres_put16(at, groups[i]);
    e->out->len = at - e->out->data;
    return OK;
}

static Status numeric_from_double(PostgresEncoder *e, const PostgresColumn *to, double value,
                                  Err *err)
{
    char text[NUMBER_TEXT_MAX];
    Str shortest = str_make(text, number_format_double(value, text));
    Decimal decimal;
    if (decimal_parse(shortest, &decimal) == DECIMAL_OK) {
        return postgres_encode_numeric(e, to, decimal, err);
    }
    return postgres_encode_numeric_text(e, to, shortest, err);
}

/* A plain decimal of any length, taken apart. */
typedef struct NumericText {
    Str whole, fraction; /* digits before and after the point; whole without leading zeros */
    bool negative;
} NumericText;

static int64_t digits_len(Str text)
{
    int64_t count = 0;
    while (count < text.len && text.ptr[count] >= '0' && text.ptr[count] <= '9') count++;
    return count;
}

/* Only what a number would be written as: no +, no leading zeros, no exponent. */
static bool numeric_parse(Str text, NumericText *ret)
{
    ret->negative = str_starts(text, STR("-"));
    if (ret->negative) text = str_slice(text, 1, text.len);
    int64_t whole = digits_len(text);
    if (whole == 0 || (whole > 1 && text.ptr[0] == '0')) return false;
    ret->whole = text.ptr[0] == '0' ? STR_NULL : str_slice(text, 0, whole);
    Str rest = str_slice(text, whole, text.len);
    ret->fraction = STR_NULL;
    if (rest.len == 0) return true;
    ret->fraction = str_slice(rest, 1, rest.len);
    return rest.ptr[0] == '.' && rest.len > 1 && digits_len(ret->fraction) == ret->fraction.len;
}

static int32_t group_at(Str digits, int64_t from)
{
    int32_t value = 0;
    for (int64_t i = from; i < from + 4; i++) {
        bool there = i >= 0 && i < digits.len;
        value = value * 10 + (there ? digits.ptr[i] - '0' : 0);
    }
    return value;
}

static bool text_fits(PostgresEncoder *e, const PostgresColumn *to, const NumericText *n)
{
    if (n->whole.len > NUMERIC_DIGITS_MAX || n->fraction.len > NUMERIC_FRACTION_MAX) {
        (void)refuse(e, "22003", "the number has more digits than a numeric holds");
        return false;
    }
    if (!to->precision) return true;
    int64_t shown = n->fraction.len;
    while (shown > 0 && n->fraction.ptr[shown - 1] == '0') shown--;
    if (shown > to->scale) {
        (void)refuse(e, "22003", "the column would round this number");
        return false;
    }
    if (n->whole.len <= to->precision - to->scale) return true;
    (void)refuse(e, "22003", "the number has more digits than the column holds");
    return false;
}

Status postgres_encode_numeric_text(PostgresEncoder *e, const PostgresColumn *to, Str text,
                                    Err *err)
{
    if (str_eq(text, STR("NaN"))) return numeric_special(e, to, NUMERIC_NAN, err);
    if (str_eq(text, STR("Infinity"))) return numeric_special(e, to, NUMERIC_INFINITY, err);
    if (str_eq(text, STR("-Infinity"))) return numeric_special(e, to, NUMERIC_NEG_INFINITY, err);
    Decimal decimal;
    NumericText n;
    if (!numeric_parse(text, &n)) {
        bool real = decimal_parse(text, &decimal) == DECIMAL_OK && str_find_char(text, 'e') > 0;
        if (real) return postgres_encode_numeric(e, to, decimal, err);
        return refuse(e, "22P02", "not a number as the column would write it");
    }
    if (!text_fits(e, to, &n)) return OK;
    int64_t wholes = (n.whole.len + 3) / 4, fractions = (n.fraction.len + 3) / 4;
    int64_t groups = wholes + fractions;
    TRY(buf_reserve(e->out, 12 + 2 * groups, err));
    char *at = postgres_put32(e->out->data + e->out->len, (int32_t)(8 + 2 * groups));
    at = postgres_put16(postgres_put16(at, (int32_t)groups), (int32_t)wholes - 1);
    at = postgres_put16(at, n.negative ? NUMERIC_NEGATIVE : 0);
    at = postgres_put16(at, (int32_t)n.fraction.len);
    int64_t first = n.whole.len - 4 * wholes; /* ≤ 0: the first group is filled up in front */
    for (int64_t i = 0; i < wholes; i++) at = postgres_put16(at, group_at(n.whole, first + 4 * i));
    for (int64_t i = 0; i < fractions; i++) at = postgres_put16(at, group_at(n.fraction, 4 * i));
    e->out->len = at - e->out->data;
    return OK;
}

static Status encode_numeric_row(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                                 int64_t row, Err *err)
{
    Int128 value = column_numeric(column)[row];
    uint8_t scale = column_scale(column, row);
    if (LIKELY(scale != NUMERIC_SCALE_DOUBLE)) {
        return postgres_encode_numeric(e, to, (Decimal){value, scale}, err);
    }
    double real;
    memcpy(&real, &value, sizeof real);
    return numeric_from_double(e, to, real, err);
}

/* ---- text ---- */

static int64_t characters(Str text)
{
    int64_t count = 0;
    for (int64_t i = 0; i < text.len; i++) count += ((uint8_t)text.ptr[i] & 0xC0) != 0x80;
    return count;
}

static Status encode_text(PostgresEncoder *e, const PostgresColumn *to, Str text, Err *err)
{
    if (UNLIKELY(text.len && memchr(text.ptr, 0, (size_t)text.len))) {
        return refuse(e, "22021", "PostgreSQL's text holds no zero byte");
    }
    if (to->limit && text.len > to->limit && characters(text) > to->limit) {
        return refuse(e, "22001", "the text is longer than the column holds");
    }
    return postgres_put_bytes(e->out, text.ptr, text.len, err);
}

static Status encode_jsonb(PostgresEncoder *e, Str text, Err *err)
{
    TRY(buf_reserve(e->out, text.len + 5, err));
    char *at = postgres_put32(e->out->data + e->out->len, (int32_t)text.len + 1);
    *at = 1;
    if (text.len) memcpy(at + 1, text.ptr, (size_t)text.len);
    e->out->len += text.len + 5;
    return OK;
}

/* ---- times ---- */

static bool fraction_fits(PostgresEncoder *e, const PostgresColumn *to, int64_t us)
{
    if (to->fraction == 6 || us % FRACTION_US[to->fraction] == 0) return true;
    (void)refuse(e, "22008", "the column would cut digits of the second");
    return false;
}

static Status encode_date(PostgresEncoder *e, int32_t days, Err *err)
{
    bool good = true;
    int32_t there = postgres_date(days, &good);
    if (!good) return refuse(e, "22008", "outside of PostgreSQL's dates");
    return postgres_put_int32(e->out, there, err);
}

static Status encode_timestamp(PostgresEncoder *e, const PostgresColumn *to, int64_t us, Err *err)
{
    bool finite = us != DATETIME_INFINITY && us != DATETIME_NEG_INFINITY;
    if (finite && !fraction_fits(e, to, us)) return OK;
    bool good = true;
    int64_t there = postgres_timestamp(us, &good);
    if (!good) return refuse(e, "22008", "outside of PostgreSQL's timestamps");
    return postgres_put_int64(e->out, there, err);
}

static Status encode_interval(PostgresEncoder *e, const PostgresColumn *to, Interval interval,
                              Err *err)
{
    if (!fraction_fits(e, to, interval.us)) return OK;
    char bytes[16];
    (void)postgres_put32(postgres_put32(postgres_put64(bytes, interval.us), interval.days),
                         interval.months);
    return postgres_put_bytes(e->out, bytes, 16, err);
}

static Status encode_double(PostgresEncoder *e, double value, Err *err)
{
    int64_t bits;
    memcpy(&bits, &value, 8);
    return postgres_put_int64(e->out, bits, err);
}

/* ---- cells ---- */

Status postgres_encode_same(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                            int64_t row, Err *err)
{
    switch (to->kind) {
    case POSTGRES_KIND_BOOL: {
        char value = (char)column_bool(column, row);
        return postgres_put_bytes(e->out, &value, 1, err);
    }
    case POSTGRES_KIND_INT8:
        return postgres_put_int64(e->out, column_int64(column)[row], err);
    case POSTGRES_KIND_FLOAT8:
        return encode_double(e, column_double(column)[row], err);
    case POSTGRES_KIND_NUMERIC:
        return encode_numeric_row(e, to, column, row, err);
    case POSTGRES_KIND_TEXT:
        return encode_text(e, to, column_text(column, row), err);
    case POSTGRES_KIND_BYTEA:
    case POSTGRES_KIND_JSON: {
        Str bytes = column_text(column, row);
        return postgres_put_bytes(e->out, bytes.ptr, bytes.len, err);
    }
    case POSTGRES_KIND_JSONB:
        return encode_jsonb(e, column_text(column, row), err);
    case POSTGRES_KIND_DATE:
        return encode_date(e, column_date(column)[row], err);
    case POSTGRES_KIND_TIME:
        if (!fraction_fits(e, to, column_int64(column)[row])) return OK;
        return postgres_put_int64(e->out, column_int64(column)[row], err);
    case POSTGRES_KIND_TIMESTAMP:
    case POSTGRES_KIND_TIMESTAMPTZ:
        return encode_timestamp(e, to, column_int64(column)[row], err);
    case POSTGRES_KIND_INTERVAL:
        return encode_interval(e, to, column_interval(column)[row], err);
    case POSTGRES_KIND_UUID:
        return postgres_put_bytes(e->out, column_uuid(column) + row * 16, 16, err);
    case POSTGRES_KIND_INT2:
    case POSTGRES_KIND_INT4:
    case POSTGRES_KIND_FLOAT4:
    case POSTGRES_KIND_ARRAY:
    case POSTGRES_KIND_OTHER:
        break;
    }
    assert(false); /* no type of ours is the same as these */
    return refuse(e, "42804", "a value of this type doesn't fit the column");
}
