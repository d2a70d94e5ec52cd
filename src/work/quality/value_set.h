/* A set of values by their hashes, for reference lists of any type. */
#ifndef NEURON_VALUE_SET_H
#define NEURON_VALUE_SET_H

#include "engine/column/batch.h"
#include "foundation/base/hash.h"

/* Numbers count by value, whatever their type; texts by their bytes. */
typedef struct ValueSet ValueSet;

MUST_USE Status value_set_new(Budget *budget, ValueSet **ret_set, Err *err);
void value_set_free(ValueSet *set);
DEFINE_FREE_P(ValueSet, value_set_free)
/* Every value of the column that is not NULL. ERR_LIMIT past the budget. */
MUST_USE Status value_set_add(ValueSet *set, const Column *column, Err *err);
/* Set the bit of each row whose value is not NULL and not in the set. */
MUST_USE Status value_set_lacks(const ValueSet *set, const Column *column, uint64_t *bits,
                                Err *err);

#endif
