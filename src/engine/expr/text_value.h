/* Values as text, in PostgreSQL's forms; and the few readers that only casts need. */
#ifndef NEURON_TEXT_VALUE_H
#define NEURON_TEXT_VALUE_H

#include "engine/expr/function.h"

enum { TEXT_VALUE_MAX = 96 };

/* The row's value of a vector (any type) as the call's text result. */
void text_of_value(KernelCall *call, int64_t row, const Vector *v);
void text_of_cell(KernelCall *call, int64_t row, const Cell *cell);
/* The text of an argument as PostgreSQL's output function writes it (booleans as t and f), in
 * `scratch` of TEXT_VALUE_MAX bytes or in the row's result; false: it is NULL. */
bool text_of_argument(KernelCall *call, const Vector *v, int64_t row, char *scratch, Str *ret_text);
/* A dynamic value as JSON text. */
void json_of_cell(KernelCall *call, int64_t row, const Cell *cell);
/* Any value as a piece of JSON, appended. */
MUST_USE Status json_of_value(Buf *out, const Vector *v, int64_t row, Err *err);
/* Scalars of at most TEXT_VALUE_MAX bytes into `to`; -1: the type has longer texts (TEXT, JSON…).
 */
int64_t text_of_scalar(const Vector *v, int64_t row, char *to);

/* PostgreSQL's forms: with or without hyphens and braces. */
bool text_parse_uuid(Str text, uint8_t *ret_bytes);
/* \x… hex, or the escape format. */
void text_to_bytes(KernelCall *call, int64_t row, Str text);
/* The escape format only. */
void text_unescape_bytes(KernelCall *call, int64_t row, Str text);

#endif
