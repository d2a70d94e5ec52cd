/* Hashes of rows for counting repeats: column by column, equal by value as row_hash counts. */
#ifndef NEURON_ROW_HASHER_H
#define NEURON_ROW_HASHER_H

#include "engine/column/batch.h"
#include "foundation/base/hash.h"

/* Random for each check, so that nobody can prepare rows that collide. */
typedef struct RowHasher {
    uint64_t secret[4];
} RowHasher;

MUST_USE Status row_hasher_init(RowHasher *mix, Err *err);
/* Begin `rows` hashes. */
void row_hasher_begin(const RowHasher *mix, Hash128 *hashes, int64_t rows);
/* Add a column's values. `words` holds 2 * column->length numbers for the time of the call. Two
 * rows have equal hashes when all their values are equal; NULL equals NULL and nothing else. */
MUST_USE Status row_hasher_column(const RowHasher *mix, const Column *column, uint64_t *words,
                                  Hash128 *hashes, Err *err);

#endif
