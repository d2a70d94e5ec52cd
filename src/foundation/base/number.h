/* Integers and doubles from and to text. */
#ifndef NEURON_NUMBER_H
#define NEURON_NUMBER_H

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

#endif
