/* Exact decimals of up to 38 digits: value * 10^-scale. */
#ifndef NEURON_DECIMAL_H
#define NEURON_DECIMAL_H

#include "foundation/base/err.h"

typedef __int128 Int128;
typedef unsigned __int128 Uint128;

enum { DECIMAL_DIGITS_MAX = 38, DECIMAL_SCALE_MAX = 38, DECIMAL_TEXT_MAX = 48 };

/* |value| < 10^38, 0 <= scale <= 38. The scale is how many digits are shown after the point, as
 * PostgreSQL's numeric keeps it (1.50 stays 1.50); comparison is by value. */
typedef struct Decimal {
    Int128 value;
    int32_t scale;
} Decimal;

typedef enum DecimalResult {
    DECIMAL_OK,
    DECIMAL_INVALID,  /* not a number */
    DECIMAL_OVERFLOW, /* needs more than 38 digits */
    DECIMAL_DIVISION_BY_ZERO,
} DecimalResult;

/* [+-]digits[.digits][e[+-]digits], as PostgreSQL's numeric input (white space at both ends
 * allowed; no NaN, no infinity). The scale is the digits after the point after the exponent. */
DecimalResult decimal_parse(Str text, Decimal *ret_value);
/* Writes at most DECIMAL_TEXT_MAX bytes, returns how many; always `scale` digits after the point.
 */
int64_t decimal_format(Decimal value, char *ret_text);

Decimal decimal_from_int64(int64_t value);
/* To the nearest double / from a double's shortest text (as PostgreSQL casts float8 to numeric:
 * 15 significant digits). */
double decimal_to_double(Decimal value);
DecimalResult decimal_from_double(double value, Decimal *ret_value);
/* Rounded half away from zero; OVERFLOW outside int64. */
DecimalResult decimal_to_int64(Decimal value, int64_t *ret_value);

/* Result scales are PostgreSQL's: add, sub: the larger; mul: the sum (cut by rounding to what 38
 * digits hold, OVERFLOW only when the integer part does not fit); div: at least 16 significant
 * digits as select_div_scale does; mod: the larger, sign of the dividend. */
DecimalResult decimal_add(Decimal a, Decimal b, Decimal *ret_value);
DecimalResult decimal_sub(Decimal a, Decimal b, Decimal *ret_value);
DecimalResult decimal_mul(Decimal a, Decimal b, Decimal *ret_value);
DecimalResult decimal_div(Decimal a, Decimal b, Decimal *ret_value);
DecimalResult decimal_mod(Decimal a, Decimal b, Decimal *ret_value);
Decimal decimal_negate(Decimal a);
/* -1, 0, 1 by value, exact for any two scales. */
int decimal_compare(Decimal a, Decimal b);
/* Round half away from zero (or cut) to `scale` digits after the point; negative scales round to
 * tens, hundreds… and give scale 0. */
DecimalResult decimal_round(Decimal a, int32_t scale, Decimal *ret_value);
DecimalResult decimal_trunc(Decimal a, int32_t scale, Decimal *ret_value);
DecimalResult decimal_floor(Decimal a, Decimal *ret_value);
DecimalResult decimal_ceil(Decimal a, Decimal *ret_value);
/* The same value with trailing zeros after the point removed: one form per value. */
Decimal decimal_normalize(Decimal a);
/* 10^n for 0 <= n <= 38. */
Int128 decimal_power10(int32_t n);

#endif
