/* Compares what a pipeline's source gives with what its target holds, down to the differing keys.
 */
#ifndef NEURON_VERIFY_H
#define NEURON_VERIFY_H

#include "work/pipeline/verify_ranges.h"

enum { VERIFY_KEYS_MAX = 100 };

typedef enum VerifyDifference { VERIFY_MISSING, VERIFY_DIFFERENT, VERIFY_EXTRA } VerifyDifference;

typedef struct VerifyResult {
    int64_t source_rows; /* that would be loaded by a full refresh */
    int64_t target_rows;
    int64_t superseded; /* source rows of a key that comes again in a differing range */
    int64_t missing;    /* keys that the target lacks */
    int64_t different;  /* keys whose row differs */
    int64_t extra;      /* keys that only the target has */
    int64_t ranges, ranges_differing;
    int64_t rows_read;      /* rows that came here to be compared, of both sides */
    VerifyByRange by_range; /* what the servers found */
    Buf keys; /* the first VERIFY_KEYS_MAX: members of a JSON array {"key": …, "difference": …} */
    int64_t key_count;
} VerifyResult;
void verify_result_init(VerifyResult *result);
void verify_result_done(VerifyResult *result);
static inline bool verify_is_equal(const VerifyResult *result)
{
    return result->missing == 0 && result->different == 0 && result->extra == 0;
}

/* Where the servers can compare (verify_ranges), only rows of ranges that may differ are read.
 * Otherwise the source is read whole, through the pipeline's steps, and the target; rows fall into
 * 65,536 ranges by the hash of their key, and each range has a fingerprint on either side (a sum of
 * row hashes, which doesn't depend on order). Only where they differ are both read again, and rows
 * compared key by key. Without a key all columns are the key and rows are counted. Columns in
 * `ignore_for_change` don't count. Writes nothing. Memory is charged to env->budget: ERR_LIMIT when
 * the differences don't fit. */
MUST_USE Status pipeline_verify(const PipelineConfig *config, const PipelineEnv *env,
                                VerifyResult *ret_result, Err *err);

#endif
