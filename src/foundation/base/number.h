/* Integers and doubles from and to text. */
#ifndef NEURON_NUMBER_H
#define NEURON_NUMBER_H

#include <string.h>

#include "foundation/base/err.h"

enum { NUMBER_TEXT_MAX = 40 };

typedef enum NumberResult { NUMBER_OK, NUMBER_INVALID, NUMBER_OVERFLOW } NumberResult;

/* [+-]digits, nothing else around it. */
NumberResult number_parse_int64(Str text, int64_t *ret_value);
/* Decimal or exponent notation, plus NaN, Infinity, -Infinity, inf in any case (PostgreSQL's
 * float8 input); nearest double; OVERFLOW when it would round to infinity or (non-zero) to 0. */
NumberResult number_parse_double(Str text, double *ret_value);
/* Both write at most NUMBER_TEXT_MAX bytes without NUL and return how many. */
int64_t number_format_int64(int64_t value, char *ret_text);
/* The shortest text that reads back the same, in PostgreSQL's form: 1, 1.5, 1e+20, NaN, Infinity,
 * -Infinity, -0. */
int64_t number_format_double(double value, char *ret_text);

/* "00" … "99" one after the other. */
extern const char NUMBER_PAIRS[201];
/* Decimal digits of the value; 1 for 0. */
int32_t number_digit_count(uint64_t value);
/* The last `count` digits (zeros where it has fewer) written in front of `end`; what is left of the
 * value without them. */
static inline uint64_t number_put_digits(char *end, int32_t count, uint64_t value)
{
    for (; count >= 2; count -= 2) {
        end -= 2;
        memcpy(end, NUMBER_PAIRS + value % 100 * 2, 2);
        value /= 100;
    }
    if (count > 0) {
        *--end = (char)('0' + value % 10);
        value /= 10;
    }
    return value;
}

#endif
