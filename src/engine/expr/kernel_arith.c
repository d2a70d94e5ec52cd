/* Arithmetic: + - * / % ^ on integers, decimals, doubles, dates and intervals. */
#include <math.h>

#include "engine/expr/kernel.h"
#include "engine/expr/number_value.h"

static void out_of_range(KernelCall *call, int64_t row, const char *type)
{
    call_error(call, row, "22003", "%s out of range", type);
}

static void division_by_zero(KernelCall *call, int64_t row)
{
    call_error(call, row, "22012", "division by zero");
}

/* ---- bigint: computed for all rows with wrap-around, overflow collected from the sign bits ----
 */

#define INT_LOOP(compute, overflow)                                                                \
    do {                                                                                           \
        const uint64_t *a = (const uint64_t *)call->args[0].data;                                  \
        const uint64_t *b = (const uint64_t *)call->args[1].data;                                  \
        int64_t ma = call->args[0].mask, mb = call->args[1].mask;                                  \
        uint64_t bad = 0;                                                                          \
        if (ma && !mb) {                                                                           \
            uint64_t y = b[0];                                                                     \
            for (int64_t i = 0; i < rows; i++) {                                                   \
                uint64_t x = a[i], r = compute;                                                    \
                out[i] = r;                                                                        \
                bad |= overflow;                                                                   \
            }                                                                                      \
        } else if (ma && mb) {                                                                     \
            for (int64_t i = 0; i < rows; i++) {                                                   \
                uint64_t x = a[i], y = b[i], r = compute;                                          \
                out[i] = r;                                                                        \
                bad |= overflow;                                                                   \
            }                                                                                      \
        } else {                                                                                   \
            for (int64_t i = 0; i < rows; i++) {                                                   \
                uint64_t x = a[i & ma], y = b[i & mb], r = compute;                                \
                out[i] = r;                                                                        \
                bad |= overflow;                                                                   \
            }                                                                                      \
        }                                                                                          \
        any_bad = bad >> 63;                                                                       \
    } while (0)

/* Only when some row overflowed: find the active ones among them. */
static void int_errors(KernelCall *call, bool (*overflows)(int64_t, int64_t))
{
    FOR_ACTIVE (call, row) {
        int64_t a = kernel_int64(call, 0, row), b = kernel_int64(call, 1, row);
        if (overflows(a, b)) out_of_range(call, row, "bigint");
    }
}

static bool add_overflows(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_add_overflow(a, b, &r);
}

static bool sub_overflows(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_sub_overflow(a, b, &r);
}

static bool mul_overflows(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_mul_overflow(a, b, &r);
}

static Status kernel_add_int(KernelCall *call, Err *err UNUSED)
{
    int64_t rows = call->rows;
    uint64_t *out = (uint64_t *)call->result->data;
    bool any_bad;
    INT_LOOP(x + y, (x ^ r) & (y ^ r));
    if (any_bad) int_errors(call, add_overflows);
    return OK;
}

static Status kernel_sub_int(KernelCall *call, Err *err UNUSED)
{
    int64_t rows = call->rows;
    uint64_t *out = (uint64_t *)call->result->data;
    bool any_bad;
    INT_LOOP(x - y, (x ^ y) & (x ^ r));
    if (any_bad) int_errors(call, sub_overflows);
    return OK;
}

/* Products of all rows, wrapped; false when a factor needs more than 32 bits, so that one may have
 * overflowed. */
static HOT_LOOP bool multiply_small(const uint64_t *restrict a, const uint64_t *restrict b,
                                    uint64_t *restrict out, int64_t rows)
{
    uint64_t wide = 0;
    for (int64_t i = 0; i < rows; i++) {
        wide |= (a[i] + UINT64_C(0x80000000)) | (b[i] + UINT64_C(0x80000000));
        out[i] = a[i] * b[i];
    }
    return wide >> 32 == 0;
}

static Status kernel_mul_int(KernelCall *call, Err *err UNUSED)
{
    int64_t *out = vector_int64(call->result);
    const int64_t *a = vector_int64(&call->args[0]), *b = vector_int64(&call->args[1]);
    int64_t ma = call->args[0].mask, mb = call->args[1].mask, rows = call->rows;
    bool any_bad = false;
    if (ma && mb) {
        const uint64_t *x = call->args[0].data, *y = call->args[1].data;
        if (multiply_small(x, y, call->result->data, rows)) return OK;
        for (int64_t i = 0; i < rows; i++) any_bad |= __builtin_mul_overflow(a[i], b[i], &out[i]);
    } else {
        for (int64_t i = 0; i < rows; i++) {
            any_bad |= __builtin_mul_overflow(a[i & ma], b[i & mb], &out[i]);
        }
    }
    if (any_bad) int_errors(call, mul_overflows);
    return OK;
}

static Status kernel_div_int(KernelCall *call, Err *err UNUSED)
{
    int64_t *out = vector_int64(call->result);
    FOR_ACTIVE (call, row) {
        int64_t a = kernel_int64(call, 0, row), b = kernel_int64(call, 1, row);
        if (b == 0) division_by_zero(call, row);
        else if (a == INT64_MIN && b == -1) out_of_range(call, row, "bigint");
        else out[row] = a / b;
    }
    return OK;
}

static Status kernel_mod_int(KernelCall *call, Err *err UNUSED)
{
    int64_t *out = vector_int64(call->result);
    FOR_ACTIVE (call, row) {
        int64_t a = kernel_int64(call, 0, row), b = kernel_int64(call, 1, row);
        if (b == 0) division_by_zero(call, row);
        else out[row] = b == -1 ? 0 : a % b;
    }
    return OK;
}

static Status kernel_negate_int(KernelCall *call, Err *err UNUSED)
{
    int64_t *out = vector_int64(call->result);
    FOR_ACTIVE (call, row) {
        int64_t a = kernel_int64(call, 0, row);
        if (a == INT64_MIN) out_of_range(call, row, "bigint");
        else out[row] = -a;
    }
    return OK;
}

/* ---- double ---- */

typedef double (*DoubleOp)(double a, double b);

static double add_double(double a, double b)
{
    return a + b;
}
static double sub_double(double a, double b)
{
    return a - b;
}
static double mul_double(double a, double b)
{
    return a * b;
}

static inline void put_double(KernelCall *call, int64_t row, double a, double b, double r)
{
    vector_double(call->result)[row] = r;
    if (UNLIKELY(isinf(r)) && !isinf(a) && !isinf(b)) {
        call_error(call, row, "22003", "value out of range: overflow");
    }
}

/* Every row computed, in loops that vectorise; false when one may have overflowed or vanished: then
 * the careful loop says which. */
static inline bool double_bulk(KernelCall *call, DoubleOp op, bool product)
{
    const double *a = vector_double(&call->args[0]), *b = vector_double(&call->args[1]);
    double *out = vector_double(call->result);
    if (call->args[0].mask == 0 || call->args[1].mask == 0) return false;
    uint64_t bad = 0;
    int64_t rows = call->rows;
    for (int64_t i = 0; i < rows; i++) {
        double r = op(a[i], b[i]);
        out[i] = r;
        /* All bits are 0 unless r is infinite or NaN. */
        double rest = r - r;
        uint64_t bits;
        memcpy(&bits, &rest, 8);
        uint64_t gone = r == 0 ? UINT64_MAX : 0, x = a[i] != 0 ? UINT64_MAX : 0;
        uint64_t y = b[i] != 0 ? UINT64_MAX : 0;
        bad |= bits | (product ? gone & x & y : 0);
    }
    return bad == 0;
}

static inline Status double_loop(KernelCall *call, DoubleOp op)
{
    if (double_bulk(call, op, false)) return OK;
    FOR_ACTIVE (call, row) {
        double a = kernel_double(call, 0, row), b = kernel_double(call, 1, row);
        put_double(call, row, a, b, op(a, b));
    }
    return OK;
}

static Status kernel_add_double(KernelCall *call, Err *err UNUSED)
{
    return double_loop(call, add_double);
}
static Status kernel_sub_double(KernelCall *call, Err *err UNUSED)
{
    return double_loop(call, sub_double);
}

static Status kernel_mul_double(KernelCall *call, Err *err UNUSED)
{
    if (double_bulk(call, mul_double, true)) return OK;
    FOR_ACTIVE (call, row) {
        double a = kernel_double(call, 0, row), b = kernel_double(call, 1, row);
        double r = mul_double(a, b);
        if (r == 0 && a != 0 && b != 0) {
            call_error(call, row, "22003", "value out of range: underflow");
            continue;
        }
        put_double(call, row, a, b, r);
    }
    return OK;
}

static Status kernel_div_double(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        double a = kernel_double(call, 0, row), b = kernel_double(call, 1, row);
        if (b == 0 && !isnan(a)) division_by_zero(call, row);
        else if (a / b == 0 && a != 0 && !isinf(b)) {
            call_error(call, row, "22003", "value out of range: underflow");
        } else {
            put_double(call, row, a, b, a / b);
        }
    }
    return OK;
}

static Status kernel_pow_double(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        double a = kernel_double(call, 0, row), b = kernel_double(call, 1, row);
        if (a == 0 && b < 0) {
            call_error(call, row, "2201F", "zero raised to a negative power is undefined");
        } else if (a < 0 && b != floor(b) && !isinf(b) && !isnan(b)) {
            call_error(call, row, "2201F",
                       "a negative number raised to a non-integer power yields a complex result");
        } else {
            put_double(call, row, a, b, pow(a, b));
        }
    }
    return OK;
}

static Status kernel_negate_double(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_double(call->result)[row] = -kernel_double(call, 0, row);
    }
    return OK;
}

/* ---- numeric ---- */

typedef struct NumericOp {
    DecimalResult (*decimal)(Decimal, Decimal, Decimal *);
    double (*real)(double, double);
    bool divides;
} NumericOp;

static double div_double(double a, double b)
{
    return a / b;
}

static const NumericOp NUMERIC_ADD = {decimal_add, add_double, false};
static const NumericOp NUMERIC_SUB = {decimal_sub, sub_double, false};
static const NumericOp NUMERIC_MUL = {decimal_mul, mul_double, false};
static const NumericOp NUMERIC_DIV = {decimal_div, div_double, true};
static const NumericOp NUMERIC_MOD = {decimal_mod, fmod, true};

static void numeric_row(KernelCall *call, int64_t row, const NumericOp *op)
{
    NumberValue a = number_at(&call->args[0], row), b = number_at(&call->args[1], row);
    if (op->divides && (b.is_double ? b.real == 0 : b.decimal.value == 0)) {
        division_by_zero(call, row);
        return;
    }
    Decimal out;
    if (!a.is_double && !b.is_double && op->decimal(a.decimal, b.decimal, &out) == DECIMAL_OK) {
        number_put(call->result, row, out);
        return;
    }
    if (!a.is_double && !b.is_double) {
        out_of_range(call, row, "numeric of more than 38 digits:");
        return;
    }
    double x = number_double(a), y = number_double(b), r = op->real(x, y);
    number_put_double(call->result, row, r);
    if (isinf(r) && !isinf(x) && !isinf(y)) {
        call_error(call, row, "22003", "value out of range: overflow");
    }
}

static Status numeric_loop(KernelCall *call, const NumericOp *op)
{
    FOR_ACTIVE (call, row) numeric_row(call, row, op);
    return OK;
}

/* Not 0 where the value needs more than 62 bits. Smaller ones multiply without checks. */
static inline uint64_t is_wide(Int128 value)
{
    int64_t low = (int64_t)value, high = (int64_t)(value >> 64);
    return (uint64_t)(high ^ (low >> 63)) | ((uint64_t)(low ^ (low >> 63)) >> 62);
}

static bool small_values(const Vector *v, int64_t rows)
{
    const Int128 *data = vector_numeric(v);
    uint64_t wide = 0;
    for (int64_t i = 0; i < (v->mask ? rows : 1); i++) {
        wide |= is_wide(data[i]);
    }
    return wide == 0;
}

static bool add_fast(KernelCall *call, bool subtract)
{
    const Vector *a = &call->args[0], *b = &call->args[1];
    uint8_t scale_a, scale_b;
    bool alike = number_one_scale(a, call->rows, &scale_a) &&
                 number_one_scale(b, call->rows, &scale_b) && scale_a == scale_b;
    if (!alike) return false;
    Int128 *out = vector_numeric(call->result);
    const Int128 *from_a = vector_numeric(a), *from_b = vector_numeric(b);
    uint64_t wide = 0;
    int64_t ma = a->mask, mb = b->mask, rows = call->rows;
    for (int64_t i = 0; i < rows; i++) {
        Int128 x = from_a[i & ma], y = from_b[i & mb];
        Uint128 sum = subtract ? (Uint128)x - (Uint128)y : (Uint128)x + (Uint128)y;
        int64_t high = (int64_t)(sum >> 64);
        /* From 2^126 on, which is below the limit of 38 digits, the careful way decides; a sum that
         * wrapped lies there too. */
        wide |= (uint64_t)(high ^ (high >> 63)) >> 62;
        out[i] = (Int128)sum;
    }
    if (wide) return false;
    memset(call->result->scales, scale_a, (size_t)call->rows);
    return true;
}

static Status kernel_add_numeric(KernelCall *call, Err *err UNUSED)
{
    return add_fast(call, false) ? OK : numeric_loop(call, &NUMERIC_ADD);
}
static Status kernel_sub_numeric(KernelCall *call, Err *err UNUSED)
{
    return add_fast(call, true) ? OK : numeric_loop(call, &NUMERIC_SUB);
}

static Status kernel_mul_numeric(KernelCall *call, Err *err UNUSED)
{
    const Vector *a = &call->args[0], *b = &call->args[1];
    uint8_t scale_a, scale_b;
    bool fast = number_one_scale(a, call->rows, &scale_a) &&
                number_one_scale(b, call->rows, &scale_b) &&
                scale_a + scale_b <= DECIMAL_SCALE_MAX && small_values(a, call->rows) &&
                small_values(b, call->rows);
    if (!fast) return numeric_loop(call, &NUMERIC_MUL);
    /* 62 bits times 62 bits stay below 10^38. */
    Int128 *out = vector_numeric(call->result);
    for (int64_t i = 0; i < call->rows; i++) {
        out[i] = (Int128)(int64_t)vector_numeric(a)[i & a->mask] *
                 (int64_t)vector_numeric(b)[i & b->mask];
    }
    memset(call->result->scales, scale_a + scale_b, (size_t)call->rows);
    return OK;
}

static Status kernel_div_numeric(KernelCall *call, Err *err UNUSED)
{
    return numeric_loop(call, &NUMERIC_DIV);
}
static Status kernel_mod_numeric(KernelCall *call, Err *err UNUSED)
{
    return numeric_loop(call, &NUMERIC_MOD);
}

static Status kernel_negate_numeric(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        NumberValue a = number_at(&call->args[0], row);
        if (a.is_double) number_put_double(call->result, row, -a.real);
        else number_put(call->result, row, decimal_negate(a.decimal));
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define OP "operator"

static const Function FUNCTIONS[] = {
    {"+", "bigint, bigint -> bigint", kernel_add_int, FALLIBLE, OP, "Sum.", "1 + 2 = 3", 0, 0, 0},
    {"+", "numeric, numeric -> numeric", kernel_add_numeric, FALLIBLE, OP, "Sum.",
     "1.10 + 2 = 3.10", 0, 0, 0},
    {"+", "double, double -> double", kernel_add_double, FALLIBLE, OP, "Sum.",
     "0.5::double + 1 = 1.5", 0, 0, 0},
    {"-", "bigint, bigint -> bigint", kernel_sub_int, FALLIBLE, OP, "Difference.", "5 - 7 = -2", 0,
     0, 0},
    {"-", "numeric, numeric -> numeric", kernel_sub_numeric, FALLIBLE, OP, "Difference.",
     "1.5 - 0.5 = 1.0", 0, 0, 0},
    {"-", "double, double -> double", kernel_sub_double, FALLIBLE, OP, "Difference.",
     "1.5::double - 1 = 0.5", 0, 0, 0},
    {"*", "bigint, bigint -> bigint", kernel_mul_int, FALLIBLE, OP, "Product.", "6 * 7 = 42", 0, 0,
     0},
    {"*", "numeric, numeric -> numeric", kernel_mul_numeric, FALLIBLE, OP, "Product.",
     "1.5 * 1.5 = 2.25", 0, 0, 0},
    {"*", "double, double -> double", kernel_mul_double, FALLIBLE, OP, "Product.",
     "1.5::double * 2 = 3", 0, 0, 0},
    {"/", "bigint, bigint -> bigint", kernel_div_int, FALLIBLE, OP,
     "Quotient; of integers cut towards zero.", "7 / 2 = 3", 0, 0, 0},
    {"/", "numeric, numeric -> numeric", kernel_div_numeric, FALLIBLE, OP, "Quotient.",
     "7.0 / 2 = 3.5000000000000000", 0, 0, 0},
    {"/", "double, double -> double", kernel_div_double, FALLIBLE, OP, "Quotient.",
     "7::double / 2 = 3.5", 0, 0, 0},
    {"%", "bigint, bigint -> bigint", kernel_mod_int, FALLIBLE, OP,
     "Remainder, with the dividend's sign.", "-7 % 3 = -1", 0, 0, 0},
    {"%", "numeric, numeric -> numeric", kernel_mod_numeric, FALLIBLE, OP, "Remainder.",
     "7.5 % 2 = 1.5", 0, 0, 0},
    {"mod", "bigint, bigint -> bigint", kernel_mod_int, FALLIBLE, "number", "Remainder.",
     "mod(7, 3) = 1", 0, 0, 0},
    {"mod", "numeric, numeric -> numeric", kernel_mod_numeric, FALLIBLE, "number", "Remainder.",
     "mod(7.5, 2) = 1.5", 0, 0, 0},
    {"^", "double, double -> double", kernel_pow_double, FALLIBLE, OP, "Power, as a double.",
     "2 ^ 10 = 1024", 0, 0, 0},
    {"power", "double, double -> double", kernel_pow_double, FALLIBLE, "number",
     "Power, as a double.", "power(2, 3) = 8", 0, 0, 0},
    {"pow", "double, double -> double", kernel_pow_double, FALLIBLE, "number", "The same as power.",
     "pow(2, 3) = 8", 0, 0, "power"},
    {"negate", "bigint -> bigint", kernel_negate_int, FALLIBLE, OP, "Minus sign.", "-(5) = -5", 0,
     0, 0},
    {"negate", "numeric -> numeric", kernel_negate_numeric, STRICT, OP, "Minus sign.",
     "-(1.5) = -1.5", 0, 0, 0},
    {"negate", "double -> double", kernel_negate_double, STRICT, OP, "Minus sign.",
     "-(1.5::double) = -1.5", 0, 0, 0},
};
const FunctionTable ARITHMETIC_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
