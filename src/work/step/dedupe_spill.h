/* Rows whose being duplicates is decided at the end: rows in a spool, their hashes partitioned on
 * disk, so that any number of rows is deduplicated exactly inside a budget. */
#ifndef NEURON_DEDUPE_SPILL_H
#define NEURON_DEDUPE_SPILL_H

#include "engine/column/spool.h"
#include "work/step/dedupe_set.h"

typedef struct DedupeSpill DedupeSpill;

MUST_USE Status dedupe_spill_new(Str folder, bool keep_last, Budget *budget,
                                 DedupeSpill **ret_spill, Err *err);
void dedupe_spill_free(DedupeSpill *spill);
/* Put a batch aside; hashes[i] is the hash of its row i. */
MUST_USE Status dedupe_spill_add(DedupeSpill *spill, const Batch *batch, const Hash128 *hashes,
                                 Err *err);
/* After the last add: decide. */
MUST_USE Status dedupe_spill_decide(DedupeSpill *spill, Err *err);
/* Afterwards: the rows that stay, in their order, one batch a call; *ret_batch NULL at the end. */
MUST_USE Status dedupe_spill_next(DedupeSpill *spill, Batch **ret_batch, Err *err);

#endif
