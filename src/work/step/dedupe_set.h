/* An open-addressing set of 128-bit hashes, charged to a budget. */
#ifndef NEURON_DEDUPE_SET_H
#define NEURON_DEDUPE_SET_H

#include "foundation/base/budget.h"
#include "foundation/base/hash.h"

typedef struct DedupeSet {
    Hash128 *slots;   /* {0,0} is free */
    int64_t *rows;    /* a number beside each hash; NULL when not kept */
    int64_t capacity; /* a power of two */
    int64_t count;
    bool with_rows;
    Budget *budget;
} DedupeSet;

void dedupe_set_init(DedupeSet *set, bool with_rows, Budget *budget);
void dedupe_set_done(DedupeSet *set);
void dedupe_set_clear(DedupeSet *set);
/* Make room for `more` further hashes. *ret_fits false, and nothing changed, when the budget
 * refuses. */
MUST_USE Status dedupe_set_reserve(DedupeSet *set, int64_t more, bool *ret_fits, Err *err);
/* True when the hash was new. There must be room. */
bool dedupe_set_add(DedupeSet *set, Hash128 hash);
/* Remember `row` as the latest of that hash. There must be room. */
void dedupe_set_put(DedupeSet *set, Hash128 hash, int64_t row);
bool dedupe_set_has(const DedupeSet *set, Hash128 hash);

#endif
