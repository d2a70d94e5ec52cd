/* Vectors appended to each other into a column. */
#ifndef NEURON_STORE_H
#define NEURON_STORE_H

#include "engine/column/builder.h"
#include "engine/expr/vector.h"

/* Append rows [0, rows) of a vector of the builder's type; failed rows are NULL. */
MUST_USE Status store_vector(Builder *builder, const Vector *vector, int64_t rows, Err *err);

#endif
