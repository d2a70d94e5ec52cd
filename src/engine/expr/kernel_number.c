/* Number functions: rounding, roots, logarithms, signs, angles. */
#include <math.h>

#include "engine/expr/kernel.h"
#include "engine/expr/number_value.h"

static void out_of_range(KernelCall *call, int64_t row, const char *type)
{
    call_error(call, row, "22003", "%s out of range", type);
}

/* ---- range checks after casts ---- */

static Status check_range(KernelCall *call, int64_t low, int64_t high, const char *type)
{
    FOR_ACTIVE (call, row) {
        int64_t value = kernel_int64(call, 0, row);
        if (value < low || value > high) out_of_range(call, row, type);
        else vector_int64(call->result)[row] = value;
    }
    return OK;
}

static Status kernel_check_int4(KernelCall *call, Err *err UNUSED)
{
    return check_range(call, INT32_MIN, INT32_MAX, "integer");
}

static Status kernel_check_int2(KernelCall *call, Err *err UNUSED)
{
    return check_range(call, INT16_MIN, INT16_MAX, "smallint");
}

static Status kernel_check_float4(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        double value = kernel_double(call, 0, row);
        float small = (float)value;
        if ((isinf(small) && !isinf(value)) || (small == 0 && value != 0))
            out_of_range(call, row, "real");
        else vector_double(call->result)[row] = (double)small;
    }
    return OK;
}

static Status kernel_check_numeric(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        NumberValue n = number_at(&call->args[0], row);
        int64_t precision = kernel_int64(call, 1, row), scale = kernel_int64(call, 2, row);
        Decimal rounded;
        DecimalResult result = n.is_double ? decimal_from_double(n.real, &n.decimal) : DECIMAL_OK;
        if (result == DECIMAL_OK) result = decimal_round(n.decimal, (int32_t)scale, &rounded);
        Int128 limit = decimal_power10((int32_t)precision);
        if (result != DECIMAL_OK || rounded.value >= limit || rounded.value <= -limit) {
            call_error(call, row, "22003", "numeric field overflow: numeric(%lld,%lld)",
                       (long long)precision, (long long)scale);
        } else {
            number_put(call->result, row, rounded);
        }
    }
    return OK;
}

/* ---- abs, sign ---- */

static Status kernel_abs_int(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t value = kernel_int64(call, 0, row);
        if (value == INT64_MIN) out_of_range(call, row, "bigint");
        else vector_int64(call->result)[row] = value < 0 ? -value : value;
    }
    return OK;
}

static Status kernel_sign_int(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t value = kernel_int64(call, 0, row);
        vector_int64(call->result)[row] = (value > 0) - (value < 0);
    }
    return OK;
}

/* ---- numeric, one value in and one out ---- */

typedef DecimalResult (*DecimalFunction)(Decimal, Decimal *);

static DecimalResult decimal_abs(Decimal a, Decimal *ret)
{
    *ret = a.value < 0 ? decimal_negate(a) : a;
    return DECIMAL_OK;
}

static DecimalResult decimal_sign(Decimal a, Decimal *ret)
{
    *ret = decimal_from_int64((a.value > 0) - (a.value < 0));
    return DECIMAL_OK;
}

static DecimalResult decimal_round0(Decimal a, Decimal *ret)
{
    return decimal_round(a, 0, ret);
}

static DecimalResult decimal_trunc0(Decimal a, Decimal *ret)
{
    return decimal_trunc(a, 0, ret);
}

static double double_sign(double a)
{
    return (a > 0) - (a < 0);
}

static void numeric_one(KernelCall *call, int64_t row, DecimalFunction decimal,
                        double (*real)(double))
{
    NumberValue n = number_at(&call->args[0], row);
    Decimal out;
    if (n.is_double) number_put_double(call->result, row, real(n.real));
    else if (decimal(n.decimal, &out) == DECIMAL_OK) number_put(call->result, row, out);
    else out_of_range(call, row, "numeric");
}

#define NUMERIC_ONE(name, decimal, real)                                                           \
    static Status kernel_##name##_numeric(KernelCall *call, Err *err UNUSED)                       \
    {                                                                                              \
        FOR_ACTIVE (call, row) numeric_one(call, row, decimal, real);                              \
        return OK;                                                                                 \
    }
NUMERIC_ONE(abs, decimal_abs, fabs)
NUMERIC_ONE(sign, decimal_sign, double_sign)
NUMERIC_ONE(ceil, decimal_ceil, ceil)
NUMERIC_ONE(floor, decimal_floor, floor)
NUMERIC_ONE(round, decimal_round0, rint)
NUMERIC_ONE(trunc, decimal_trunc0, trunc)

typedef DecimalResult (*DecimalDigits)(Decimal, int32_t, Decimal *);

static Status digits_loop(KernelCall *call, DecimalDigits function)
{
    FOR_ACTIVE (call, row) {
        NumberValue n = number_at(&call->args[0], row);
        int64_t digits = kernel_int64(call, 1, row);
        digits = int64_max(int64_min(digits, DECIMAL_SCALE_MAX), -DECIMAL_DIGITS_MAX);
        Decimal out;
        if (n.is_double && decimal_from_double(n.real, &n.decimal) != DECIMAL_OK) {
            number_put_double(call->result, row, n.real);
        } else if (function(n.decimal, (int32_t)digits, &out) == DECIMAL_OK) {
            number_put(call->result, row, out);
        } else {
            out_of_range(call, row, "numeric");
        }
    }
    return OK;
}

static Status kernel_round_digits(KernelCall *call, Err *err UNUSED)
{
    return digits_loop(call, decimal_round);
}

static Status kernel_trunc_digits(KernelCall *call, Err *err UNUSED)
{
    return digits_loop(call, decimal_trunc);
}

/* ---- double, one value in and one out ---- */

static Status double_one(KernelCall *call, double (*function)(double))
{
    FOR_ACTIVE (call, row) {
        double value = kernel_double(call, 0, row), out = function(value);
        vector_double(call->result)[row] = out;
        if (isinf(out) && !isinf(value)) {
            call_error(call, row, "22003", "value out of range: overflow");
        }
    }
    return OK;
}

#define DOUBLE_ONE(name, function)                                                                 \
    static Status kernel_##name##_double(KernelCall *call, Err *err UNUSED)                        \
    {                                                                                              \
        return double_one(call, function);                                                         \
    }
DOUBLE_ONE(abs, fabs)
DOUBLE_ONE(sign, double_sign)
DOUBLE_ONE(ceil, ceil)
DOUBLE_ONE(floor, floor)
DOUBLE_ONE(round, rint)
DOUBLE_ONE(trunc, trunc)
DOUBLE_ONE(exp, exp)
DOUBLE_ONE(cbrt, cbrt)
DOUBLE_ONE(sin, sin)
DOUBLE_ONE(cos, cos)
DOUBLE_ONE(tan, tan)
DOUBLE_ONE(atan, atan)

static double to_degrees(double a)
{
    return a * (180.0 / M_PI);
}
static double to_radians(double a)
{
    return a * (M_PI / 180.0);
}
DOUBLE_ONE(degrees, to_degrees)
DOUBLE_ONE(radians, to_radians)

static Status kernel_sqrt(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        double value = kernel_double(call, 0, row);
        if (value < 0) {
            call_error(call, row, "2201F", "cannot take square root of a negative number");
        } else {
            vector_double(call->result)[row] = sqrt(value);
        }
    }
    return OK;
}

static Status logarithm(KernelCall *call, double (*function)(double))
{
    FOR_ACTIVE (call, row) {
        double value = kernel_double(call, 0, row);
        if (value == 0) call_error(call, row, "2201E", "cannot take logarithm of zero");
        else if (value < 0) {
            call_error(call, row, "2201E", "cannot take logarithm of a negative number");
        } else {
            vector_double(call->result)[row] = function(value);
        }
    }
    return OK;
}

static Status kernel_ln(KernelCall *call, Err *err UNUSED)
{
    return logarithm(call, log);
}
static Status kernel_log10(KernelCall *call, Err *err UNUSED)
{
    return logarithm(call, log10);
}

static Status kernel_arc(KernelCall *call, double (*function)(double))
{
    FOR_ACTIVE (call, row) {
        double value = kernel_double(call, 0, row);
        if (value < -1 || value > 1) call_error(call, row, "22003", "input is out of range");
        else vector_double(call->result)[row] = function(value);
    }
    return OK;
}
static Status kernel_asin(KernelCall *call, Err *err UNUSED)
{
    return kernel_arc(call, asin);
}
static Status kernel_acos(KernelCall *call, Err *err UNUSED)
{
    return kernel_arc(call, acos);
}

static Status kernel_atan2(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_double(call->result)[row] =
            atan2(kernel_double(call, 0, row), kernel_double(call, 1, row));
    }
    return OK;
}

static Status kernel_pi(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) vector_double(call->result)[row] = M_PI;
    return OK;
}

static Status kernel_div_whole(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        NumberValue a = number_at(&call->args[0], row), b = number_at(&call->args[1], row);
        Decimal quotient, whole;
        if (b.is_double ? b.real == 0 : b.decimal.value == 0) {
            call_error(call, row, "22012", "division by zero");
        } else if (a.is_double || b.is_double) {
            number_put_double(call->result, row, trunc(number_double(a) / number_double(b)));
        } else if (decimal_div(a.decimal, b.decimal, &quotient) == DECIMAL_OK &&
                   decimal_trunc(quotient, 0, &whole) == DECIMAL_OK) {
            number_put(call->result, row, whole);
        } else {
            out_of_range(call, row, "numeric");
        }
    }
    return OK;
}

static Status kernel_gcd(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t a = kernel_int64(call, 0, row), b = kernel_int64(call, 1, row);
        uint64_t x = a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
        uint64_t y = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
        while (y) {
            uint64_t rest = x % y;
            x = y;
            y = rest;
        }
        if (x > INT64_MAX) out_of_range(call, row, "bigint");
        else vector_int64(call->result)[row] = (int64_t)x;
    }
    return OK;
}

static Status kernel_is_nan(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row)
        vector_bool(call->result)[row] = (uint8_t)(isnan(kernel_double(call, 0, row)) != 0);
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define N "number"

static const Function FUNCTIONS[] = {
    {"check_int4", "bigint -> bigint", kernel_check_int4, FALLIBLE, N, "Range of integer.",
     "5::int = 5", 0, 0, 0},
    {"check_int2", "bigint -> bigint", kernel_check_int2, FALLIBLE, N, "Range of smallint.",
     "5::smallint = 5", 0, 0, 0},
    {"check_float4", "double -> double", kernel_check_float4, FALLIBLE, N, "Precision of real.",
     "0.5::real = 0.5", 0, 0, 0},
    {"check_numeric", "numeric, bigint, bigint -> numeric", kernel_check_numeric, FALLIBLE, N,
     "Digits of numeric(p, s).", "1.005::numeric(5,2) = 1.01", 0, 0, 0},
    {"abs", "bigint -> bigint", kernel_abs_int, FALLIBLE, N, "Without its sign.", "abs(-3) = 3", 0,
     0, 0},
    {"abs", "numeric -> numeric", kernel_abs_numeric, FALLIBLE, N, "Without its sign.",
     "abs(-1.5) = 1.5", 0, 0, 0},
    {"abs", "double -> double", kernel_abs_double, STRICT, N, "Without its sign.",
     "abs(-1.5::double) = 1.5", 0, 0, 0},
    {"sign", "bigint -> bigint", kernel_sign_int, STRICT, N, "-1, 0 or 1.", "sign(-3) = -1", 0, 0,
     0},
    {"sign", "numeric -> numeric", kernel_sign_numeric, FALLIBLE, N, "-1, 0 or 1.",
     "sign(-3.5) = -1", 0, 0, 0},
    {"sign", "double -> double", kernel_sign_double, STRICT, N, "-1, 0 or 1.",
     "sign(2::double) = 1", 0, 0, 0},
    {"ceil", "numeric -> numeric", kernel_ceil_numeric, FALLIBLE, N, "The next whole number up.",
     "ceil(1.2) = 2", 0, 0, 0},
    {"ceil", "double -> double", kernel_ceil_double, STRICT, N, "The next whole number up.",
     "ceil(1.2::double) = 2", 0, 0, 0},
    {"ceiling", "numeric -> numeric", kernel_ceil_numeric, FALLIBLE, N, "The same as ceil.",
     "ceiling(1.2) = 2", 0, 0, "ceil"},
    {"ceiling", "double -> double", kernel_ceil_double, STRICT, N, "The same as ceil.",
     "ceiling(1.2::double) = 2", 0, 0, "ceil"},
    {"floor", "numeric -> numeric", kernel_floor_numeric, FALLIBLE, N,
     "The next whole number down.", "floor(-1.2) = -2", 0, 0, 0},
    {"floor", "double -> double", kernel_floor_double, STRICT, N, "The next whole number down.",
     "floor(1.8::double) = 1", 0, 0, 0},
    {"round", "numeric -> numeric", kernel_round_numeric, FALLIBLE, N,
     "To a whole number, halves away from zero.", "round(2.5) = 3", 0, 0, 0},
    {"round", "double -> double", kernel_round_double, STRICT, N,
     "To a whole number, halves to even.", "round(2.5::double) = 2", 0, 0, 0},
    {"round", "numeric, bigint -> numeric", kernel_round_digits, FALLIBLE, N,
     "To digits after the point.", "round(2.345, 2) = 2.35", 0, 0, 0},
    {"trunc", "numeric -> numeric", kernel_trunc_numeric, FALLIBLE, N, "Towards zero.",
     "trunc(-2.7) = -2", 0, 0, 0},
    {"trunc", "double -> double", kernel_trunc_double, STRICT, N, "Towards zero.",
     "trunc(2.7::double) = 2", 0, 0, 0},
    {"trunc", "numeric, bigint -> numeric", kernel_trunc_digits, FALLIBLE, N,
     "Cut to digits after the point.", "trunc(2.349, 2) = 2.34", 0, 0, 0},
    {"sqrt", "double -> double", kernel_sqrt, FALLIBLE, N, "Square root.", "sqrt(9) = 3", 0, 0, 0},
    {"cbrt", "double -> double", kernel_cbrt_double, STRICT, N, "Cube root.",
     "round(cbrt(27)::numeric, 9) = 3.000000000", 0, 0, 0},
    {"exp", "double -> double", kernel_exp_double, FALLIBLE, N, "e to that power.", "exp(0) = 1", 0,
     0, 0},
    {"ln", "double -> double", kernel_ln, FALLIBLE, N, "Natural logarithm.", "ln(1) = 0", 0, 0, 0},
    {"log", "double -> double", kernel_log10, FALLIBLE, N, "Logarithm to base 10.", "log(1000) = 3",
     0, 0, 0},
    {"log10", "double -> double", kernel_log10, FALLIBLE, N, "The same as log.", "log10(100) = 2",
     0, 0, "log"},
    {"sin", "double -> double", kernel_sin_double, STRICT, N, "Sine of radians.", "sin(0) = 0", 0,
     0, 0},
    {"cos", "double -> double", kernel_cos_double, STRICT, N, "Cosine of radians.", "cos(0) = 1", 0,
     0, 0},
    {"tan", "double -> double", kernel_tan_double, STRICT, N, "Tangent of radians.", "tan(0) = 0",
     0, 0, 0},
    {"asin", "double -> double", kernel_asin, FALLIBLE, N, "Inverse sine.", "asin(0) = 0", 0, 0, 0},
    {"acos", "double -> double", kernel_acos, FALLIBLE, N, "Inverse cosine.", "acos(1) = 0", 0, 0,
     0},
    {"atan", "double -> double", kernel_atan_double, STRICT, N, "Inverse tangent.", "atan(0) = 0",
     0, 0, 0},
    {"atan2", "double, double -> double", kernel_atan2, STRICT, N, "Inverse tangent of y/x.",
     "atan2(0, 1) = 0", 0, 0, 0},
    {"degrees", "double -> double", kernel_degrees_double, STRICT, N, "Radians to degrees.",
     "degrees(0) = 0", 0, 0, 0},
    {"radians", "double -> double", kernel_radians_double, STRICT, N, "Degrees to radians.",
     "radians(0) = 0", 0, 0, 0},
    {"pi", " -> double", kernel_pi, STRICT, N, "3.14159…", "round(pi()::numeric, 4) = 3.1416", 0, 0,
     0},
    {"div", "numeric, numeric -> numeric", kernel_div_whole, FALLIBLE, N,
     "Whole part of the quotient.", "div(9, 4) = 2", 0, 0, 0},
    {"gcd", "bigint, bigint -> bigint", kernel_gcd, FALLIBLE, N, "Greatest common divisor.",
     "gcd(12, 18) = 6", 0, 0, 0},
    {"is_nan", "double -> boolean", kernel_is_nan, STRICT, N, "Whether it is not a number.",
     "is_nan('NaN'::double) = true", 0, 0, 0},
};
const FunctionTable NUMBER_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
