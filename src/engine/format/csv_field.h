/* Fields of CSV: what type a text has, and its value into a column. */
#ifndef NEURON_CSV_FIELD_H
#define NEURON_CSV_FIELD_H

#include "engine/column/builder.h"

/* The types that a column may still have, as bits. */
typedef enum CsvCandidate {
    CSV_BOOL = 1,
    CSV_INT = 2,
    CSV_DECIMAL = 4,
    CSV_DATE = 8,
    CSV_TIMESTAMP = 16,
    CSV_TIMESTAMPTZ = 32,
    CSV_ANY = 63, /* nothing seen yet */
} CsvCandidate;

/* What of `candidates` remains when the column also holds this text (not NULL, not in quotes or the
 * quotes taken off). A type remains only when the text would be written back the same (timestamps
 * excepted): no leading zeros, +, exponents, padding, -0. */
uint8_t csv_narrow(uint8_t candidates, Str text);
/* The first type that remains; TEXT when none does or nothing was seen. */
TypeId csv_candidate_type(uint8_t candidates);

/* Append the field's value; false: the text is not one of the builder's type, nothing was added.
 * Every type but DYNAMIC. *ret_status is FAIL only for memory and limits. */
bool csv_append(Builder *builder, Str text, Status *ret_status, Err *err);

#endif
