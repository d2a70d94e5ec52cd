/* Numbers of any lane as one value: a decimal, or a double where 38 digits can't hold it. */
#ifndef NEURON_NUMBER_VALUE_H
#define NEURON_NUMBER_VALUE_H

#include "engine/expr/vector.h"

typedef struct NumberValue {
    bool is_double;
    Decimal decimal;
    double real;
} NumberValue;

static inline NumberValue number_of(Int128 value, uint8_t scale)
{
    NumberValue n = {.decimal = {value, scale}};
    if (scale != NUMERIC_SCALE_DOUBLE) return n;
    n.is_double = true;
    memcpy(&n.real, &value, sizeof n.real);
    return n;
}

static inline NumberValue number_at(const Vector *v, int64_t row)
{
    return number_of(vector_numeric(v)[row & v->mask], vector_scale(v, row));
}

/* One scale for all rows, so that their values may be taken as integers; no doubles among them. */
static inline bool number_one_scale(const Vector *v, int64_t rows, uint8_t *ret_scale)
{
    uint8_t scale = vector_scale(v, 0), differs = scale == NUMERIC_SCALE_DOUBLE;
    if (v->scales && v->mask) {
        for (int64_t i = 0; i < rows; i++) differs |= v->scales[i] ^ scale;
    }
    *ret_scale = scale;
    return !differs;
}

static inline double number_double(NumberValue n)
{
    return n.is_double ? n.real : decimal_to_double(n.decimal);
}

static inline void number_put_double(Vector *v, int64_t row, double real)
{
    Int128 bits = 0;
    memcpy(&bits, &real, sizeof real);
    vector_numeric(v)[row] = bits;
    v->scales[row] = NUMERIC_SCALE_DOUBLE;
}

static inline void number_put(Vector *v, int64_t row, Decimal value)
{
    vector_numeric(v)[row] = value.value;
    v->scales[row] = (uint8_t)value.scale;
}

/* PostgreSQL's order: NaN equals NaN and is above everything. */
static inline int double_compare(double a, double b)
{
    bool nan_a = a != a, nan_b = b != b;
    if (nan_a || nan_b) return nan_a - nan_b;
    return (a > b) - (a < b);
}

static inline int number_compare(NumberValue a, NumberValue b)
{
    if (!a.is_double && !b.is_double) return decimal_compare(a.decimal, b.decimal);
    return double_compare(number_double(a), number_double(b));
}

/* The number in a dynamic cell; false: it holds something else. */
static inline bool cell_number(const Cell *cell, NumberValue *ret_number)
{
    if (cell->type == TYPE_NUMERIC) *ret_number = number_of(cell->numeric, cell->scale);
    else if (cell->type == TYPE_INT64) *ret_number = number_of(cell->integer, 0);
    else if (cell->type == TYPE_DOUBLE) {
        *ret_number = (NumberValue){.is_double = true, .real = cell->real};
    } else {
        return false;
    }
    return true;
}

#endif
