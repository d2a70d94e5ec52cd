/* What the files of this room share. */
#ifndef NEURON_STEP_IMPL_H
#define NEURON_STEP_IMPL_H

#include "foundation/base/hash.h"
#include "work/step/step.h"

/* Name, operations and output schema. */
MUST_USE Status step_init(Step *step, const StepOps *ops, int32_t number, const char *kind,
                          const Schema *schema);
/* Hand the failed rows of `in` to the reject lane and forget them. */
MUST_USE Status step_reject(Step *step, const Batch *in, RejectList *list, RejectWriter *rejects,
                            Err *err);
/* The rows whose bit is set: NULL when none, the same batch when all. */
MUST_USE Status step_keep_rows(Batch *in, const uint64_t *keep, Batch **ret_out, Err *err);
/* Bits for the rows of the largest batch so far. */
typedef struct KeepMask {
    uint64_t *bits;
    int64_t rows;
} KeepMask;
MUST_USE Status keep_mask_reserve(KeepMask *mask, int64_t rows, Err *err);
/* Hashes for the rows of the largest batch so far. */
typedef struct HashRows {
    Hash128 *items;
    int64_t rows;
} HashRows;
MUST_USE Status hash_rows_reserve(HashRows *hashes, int64_t rows, Err *err);
/* Field indices by name; all fields when count is 0. The array is the caller's (mem_free). */
MUST_USE Status step_columns(const Str *names, int32_t count, const Schema *in,
                             int32_t **ret_columns, int32_t *ret_count, Err *err);

#endif
