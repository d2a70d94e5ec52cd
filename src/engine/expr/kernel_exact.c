/* Exact numbers: common divisors, buckets, scales, factorials; numbers read by a format. */
#include <math.h>

#include "engine/expr/kernel.h"
#include "engine/expr/number_value.h"

static void out_of_range(KernelCall *call, int64_t row, const char *type)
{
    call_error(call, row, "22003", "%s out of range", type);
}

/* ---- greatest common divisor, least common multiple ---- */

static Uint128 divisor(Uint128 a, Uint128 b)
{
    while (b) {
        Uint128 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static Uint128 magnitude(Int128 a)
{
    return a < 0 ? 0 - (Uint128)a : (Uint128)a;
}

static Status kernel_lcm_int(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Uint128 a = magnitude(kernel_int64(call, 0, row)),
                b = magnitude(kernel_int64(call, 1, row));
        Uint128 both = a && b ? a / divisor(a, b) * b : 0;
        if (both > INT64_MAX) out_of_range(call, row, "bigint");
        else vector_int64(call->result)[row] = (int64_t)both;
    }
    return OK;
}

/* Both numbers of the row with one scale; false: the row failed. */
static bool same_scale(KernelCall *call, int64_t row, Decimal *a, Decimal *b)
{
    NumberValue x = number_at(&call->args[0], row), y = number_at(&call->args[1], row);
    if (x.is_double || y.is_double) {
        out_of_range(call, row, "numeric");
        return false;
    }
    *a = x.decimal;
    *b = y.decimal;
    Decimal *low = a->scale < b->scale ? a : b, *high = low == a ? b : a;
    Int128 value = 0;
    bool fits =
        !__builtin_mul_overflow(low->value, decimal_power10(high->scale - low->scale), &value);
    *low = (Decimal){value, high->scale};
    if (!fits) out_of_range(call, row, "numeric");
    return fits;
}

static Status common_loop(KernelCall *call, bool multiple)
{
    FOR_ACTIVE (call, row) {
        Decimal a, b;
        if (!same_scale(call, row, &a, &b)) continue;
        Uint128 x = magnitude(a.value), y = magnitude(b.value), common = divisor(x, y),
                out = common;
        bool fits = true;
        if (multiple) fits = !common || !__builtin_mul_overflow(x / common, y, &out);
        if (!fits || out >= (Uint128)decimal_power10(38)) out_of_range(call, row, "numeric");
        else number_put(call->result, row, (Decimal){(Int128)out, a.scale});
    }
    return OK;
}

static Status kernel_gcd_numeric(KernelCall *call, Err *err UNUSED)
{
    return common_loop(call, false);
}
static Status kernel_lcm_numeric(KernelCall *call, Err *err UNUSED)
{
    return common_loop(call, true);
}

/* ---- buckets ---- */

static bool bucket_count(KernelCall *call, int64_t row, int64_t *ret_count)
{
    *ret_count = kernel_int64(call, 3, row);
    if (*ret_count > 0 && *ret_count < INT32_MAX) return true;
    call_error(call, row, "2201G", "count must be greater than zero");
    return false;
}

/* The bucket of a value `part` of `whole` past the lower bound, exactly. */
static bool exact_bucket(Decimal part, Decimal whole, int64_t count, int64_t *ret_bucket)
{
    Decimal product, quotient, floor, back;
    if (decimal_mul(part, decimal_from_int64(count), &product) != DECIMAL_OK) return false;
    if (decimal_div(product, whole, &quotient) != DECIMAL_OK) return false;
    if (decimal_floor(quotient, &floor) != DECIMAL_OK) return false;
    if (decimal_to_int64(floor, ret_bucket) != DECIMAL_OK) return false;
    /* The quotient is rounded; it may have become the next whole number. */
    if (decimal_mul(floor, whole, &back) == DECIMAL_OK && decimal_compare(back, product) > 0) {
        (*ret_bucket)--;
    }
    (*ret_bucket)++;
    return true;
}

static Status kernel_bucket_numeric(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Decimal at[3], part, whole;
        int64_t count = 0;
        bool exact = true;
        if (!bucket_count(call, row, &count)) continue;
        for (int32_t i = 0; i < 3; i++) {
            NumberValue n = number_at(&call->args[i], row);
            exact = exact && !n.is_double;
            at[i] = n.decimal;
        }
        int order = exact ? decimal_compare(at[1], at[2]) : 0;
        if (!exact || order == 0) {
            call_error(call, row, "2201G", "lower and upper bounds must be finite and unequal");
            continue;
        }
        Decimal low = order < 0 ? at[1] : at[2], high = order < 0 ? at[2] : at[1];
        bool below = decimal_compare(at[0], at[1]) * -order < 0;
        bool above = decimal_compare(at[0], at[2]) * -order >= 0;
        int64_t *out = &vector_int64(call->result)[row];
        *out = below ? 0 : count + 1;
        if (below || above) continue;
        bool ok = decimal_sub(high, low, &whole) == DECIMAL_OK &&
                  (order < 0 ? decimal_sub(at[0], low, &part) : decimal_sub(high, at[0], &part)) ==
                      DECIMAL_OK &&
                  exact_bucket(part, whole, count, out);
        if (!ok) out_of_range(call, row, "numeric");
    }
    return OK;
}

static Status kernel_bucket_double(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        double value = kernel_double(call, 0, row);
        double low = kernel_double(call, 1, row), high = kernel_double(call, 2, row);
        int64_t count = 0;
        if (!bucket_count(call, row, &count)) continue;
        if (isnan(value) || !isfinite(low) || !isfinite(high) || low == high) {
            call_error(call, row, "2201G", "lower and upper bounds must be finite and unequal");
            continue;
        }
        double part = (value - low) / (high - low);
        int64_t bucket = part < 0 ? 0 : part >= 1 ? count + 1 : (int64_t)(part * (double)count) + 1;
        vector_int64(call->result)[row] = bucket;
    }
    return OK;
}

/* ---- scales ---- */

static Status scale_loop(KernelCall *call, bool least)
{
    FOR_ACTIVE (call, row) {
        NumberValue n = number_at(&call->args[0], row);
        if (n.is_double) call_null(call, row);
        else {
            vector_int64(call->result)[row] =
                least ? decimal_normalize(n.decimal).scale : n.decimal.scale;
        }
    }
    return OK;
}

static Status kernel_scale(KernelCall *call, Err *err UNUSED)
{
    return scale_loop(call, false);
}
static Status kernel_min_scale(KernelCall *call, Err *err UNUSED)
{
    return scale_loop(call, true);
}

static Status kernel_trim_scale(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        NumberValue n = number_at(&call->args[0], row);
        if (n.is_double) number_put_double(call->result, row, n.real);
        else number_put(call->result, row, decimal_normalize(n.decimal));
    }
    return OK;
}

static Status kernel_factorial(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t n = kernel_int64(call, 0, row);
        Int128 product = 1;
        if (n < 0) {
            call_error(call, row, "22003", "factorial of a negative number is undefined");
        } else if (n > 33) {
            call_error(call, row, "22003", "the factorial has more than 38 digits");
        } else {
            for (int64_t i = 2; i <= n; i++) product *= i;
            number_put(call->result, row, (Decimal){product, 0});
        }
    }
    return OK;
}

static Status kernel_log_base(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        double base = kernel_double(call, 0, row), value = kernel_double(call, 1, row);
        if (base <= 0 || value <= 0) {
            call_error(call, row, "2201E", "cannot take logarithm of %s",
                       base == 0 || value == 0 ? "zero" : "a negative number");
        } else if (base == 1) {
            call_error(call, row, "22012", "division by zero");
        } else {
            vector_double(call->result)[row] = log(value) / log(base);
        }
    }
    return OK;
}

/* ---- to_number ---- */

/* Reading a number by the patterns 9 0 . D , G S MI PL SG PR L and text in quotes. */
typedef struct NumberReader {
    Str text;
    int64_t at;
    char digits[DECIMAL_TEXT_MAX];
    int64_t count;
    bool negative, point, quoted;
} NumberReader;

static char reader_peek(const NumberReader *r)
{
    return r->at < r->text.len ? r->text.ptr[r->at] : 0;
}

static void reader_spaces(NumberReader *r)
{
    while (reader_peek(r) == ' ') r->at++;
}

static void reader_put(NumberReader *r, char c)
{
    if (r->count < DECIMAL_TEXT_MAX - 2) r->digits[r->count++] = c;
}

static void reader_sign(NumberReader *r)
{
    reader_spaces(r);
    char c = reader_peek(r);
    r->negative |= c == '-' || c == '<';
    if (c == '-' || c == '+' || c == '<' || c == '>') r->at++;
}

static void reader_digit(NumberReader *r)
{
    if (r->count == 0 || (r->count == 1 && r->point)) reader_sign(r);
    char c = reader_peek(r);
    if (c == '.' && !r->point) return;
    if (c < '0' || c > '9') return;
    reader_put(r, c);
    r->at++;
}

static bool starts(Str format, const char *word)
{
    return str_starts_nocase(format, str_from(word));
}

/* One pattern of the format; returns its length, 0 for what isn't offered. */
static int64_t reader_step(NumberReader *r, Str format)
{
    char c = format.ptr[0];
    if (c == '"' || r->quoted) {
        r->quoted ^= c == '"';
        if (c != '"' && r->at < r->text.len) r->at++;
        return 1;
    }
    if (starts(format, "EEEE") || starts(format, "RN") || (c | 32) == 'v') return 0;
    if (starts(format, "MI") || starts(format, "PL") || starts(format, "SG") ||
        starts(format, "PR")) {
        reader_sign(r);
        return 2;
    }
    if (starts(format, "FM") || starts(format, "TH")) {
        if ((c | 32) == 't' && r->at + 2 <= r->text.len) r->at += 2;
        return 2;
    }
    if (c == '9' || c == '0') reader_digit(r);
    else if ((c | 32) == 's') reader_sign(r);
    else if (c == '.' || (c | 32) == 'd') {
        if (reader_peek(r) == '.') {
            reader_put(r, '.');
            r->point = true;
            r->at++;
        }
    } else if (c == ',' || (c | 32) == 'g') {
        if (reader_peek(r) == ',') r->at++;
    } else if ((c | 32) == 'l') {
        if (reader_peek(r) == '$') r->at++;
    } else if (r->at < r->text.len) {
        r->at++;
    }
    return 1;
}

static Status kernel_to_number(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        NumberReader r = {.text = kernel_text(call, 0, row)};
        Str format = kernel_text(call, 1, row);
        int64_t step = 1;
        Decimal value;
        for (int64_t at = 0; at < format.len && step > 0; at += step) {
            step = reader_step(&r, str_slice(format, at, format.len));
        }
        if (step == 0) {
            call_error(call, row, "0A000", "to_number doesn't offer EEEE, RN and V");
        } else if (decimal_parse(str_make(r.digits, r.count), &value) != DECIMAL_OK) {
            call_error(call, row, "22P02", "invalid input syntax for type numeric: \"%.*s\"",
                       STR_ARG(str_slice(r.text, 0, 100)));
        } else {
            number_put(call->result, row, r.negative ? decimal_negate(value) : value);
        }
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define N "number"

static const Function FUNCTIONS[] = {
    {"lcm", "bigint, bigint -> bigint", kernel_lcm_int, FALLIBLE, N, "Least common multiple.",
     "lcm(4, 6) = 12", 0, 0, 0},
    {"lcm", "numeric, numeric -> numeric", kernel_lcm_numeric, FALLIBLE, N,
     "Least common multiple.", "lcm(1.5, 2) = 6.0", 0, 0, 0},
    {"gcd", "numeric, numeric -> numeric", kernel_gcd_numeric, FALLIBLE, N,
     "Greatest common divisor.", "gcd(1.5, 2) = 0.5", 0, 0, 0},
    {"width_bucket", "numeric, numeric, numeric, bigint -> bigint", kernel_bucket_numeric, FALLIBLE,
     N, "Which of N equal parts between two bounds; 0 below, one more above.",
     "width_bucket(5.35, 0.024, 10.06, 5) = 3", 0, 0, 0},
    {"width_bucket", "double, double, double, bigint -> bigint", kernel_bucket_double, FALLIBLE, N,
     "The same of doubles.", "width_bucket(3::double, 0, 10, 5) = 2", 0, 0, 0},
    {"scale", "numeric -> bigint", kernel_scale, STRICT, N, "Digits after the point.",
     "scale(8.4100) = 4", 0, 0, 0},
    {"min_scale", "numeric -> bigint", kernel_min_scale, STRICT, N,
     "Digits after the point that count.", "min_scale(8.4100) = 2", 0, 0, 0},
    {"trim_scale", "numeric -> numeric", kernel_trim_scale, STRICT, N, "Without zeros at the end.",
     "trim_scale(8.4100) = 8.41", 0, 0, 0},
    {"factorial", "bigint -> numeric", kernel_factorial, FALLIBLE, N, "Factorial, up to 33.",
     "factorial(5) = 120", 0, 0, 0},
    {"log", "double, double -> double", kernel_log_base, FALLIBLE, N,
     "Logarithm to the first as base.", "log(2, 8) = 3", 0, 0, 0},
    {"to_number", "text, text -> numeric", kernel_to_number, FALLIBLE, N,
     "Read by the format's patterns: 9 0 . , S MI PL SG PR L and text.",
     "to_number('12,454.8-', '99G999D9S') = -12454.8", 0, 0, 0},
};
const FunctionTable EXACT_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
