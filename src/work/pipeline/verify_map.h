/* Keys of differing ranges with their rows' hashes: an open-addressing map. */
#ifndef NEURON_VERIFY_MAP_H
#define NEURON_VERIFY_MAP_H

#include "foundation/base/budget.h"
#include "foundation/base/hash.h"

typedef struct VerifyEntry {
    Hash128 key; /* {0, 0}: free */
    Hash128 row;
    int64_t count; /* how often the source gave it, less how often the target has it */
} VerifyEntry;

typedef struct VerifyMap {
    VerifyEntry *entries;
    int64_t capacity, count;
    Budget *budget;
} VerifyMap;

void verify_map_done(VerifyMap *map);
/* The key's entry, a new one (count 0) where there was none. ERR_LIMIT past the budget. */
MUST_USE Status verify_map_put(VerifyMap *map, Hash128 key, VerifyEntry **ret_entry, Err *err);
/* NULL when the key isn't there. */
VerifyEntry *verify_map_find(const VerifyMap *map, Hash128 key);

#endif
