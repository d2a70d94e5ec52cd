/* Where source and target may differ, found by their servers: sums of row hashes per key range. */
#ifndef NEURON_VERIFY_RANGES_H
#define NEURON_VERIFY_RANGES_H

#include "work/pipeline/pipeline.h"

typedef struct VerifyByRange {
    bool server;      /* the servers compared; false: they can't, for this reason */
    char reason[200]; /* why rows have to be read here; empty when server */
    int64_t source_rows, target_rows;
    int64_t ranges, ranges_differing;
    SourceRanges source, target; /* of the differing rows; count 0: there are none */
    int64_t rows;                /* in those ranges, on the side that has more */
    int32_t *keys;
    int64_t *numbers;
} VerifyByRange;
void verify_ranges_done(VerifyByRange *by_range);

/* Both sides are systems of one kind, and what the steps do can be said in the fingerprints'
 * statements (columns left out or renamed, drop_nulls; computed columns only where they are in
 * `ignore_for_change`): then all ranges that are not in the result hold equal rows on both sides,
 * while ranges in it need not differ. Ranges that differ are cut into 64 until few rows are left in
 * them. Each side is one snapshot. */
MUST_USE Status verify_ranges(const PipelineConfig *config, const PipelineEnv *env,
                              VerifyByRange *ret_by_range, Err *err);

#endif
