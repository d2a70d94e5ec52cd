/* Counts rows that repeat an earlier row, exactly, by their 128-bit hashes, at any size. */
#ifndef NEURON_REPEAT_COUNT_H
#define NEURON_REPEAT_COUNT_H

#include "foundation/base/budget.h"
#include "foundation/base/hash.h"

/* Hashes wait in partitions (by their first bits), in blocks; past the budget full blocks go to a
 * nameless file. At the end each partition is decided alone, in a table that fits the cache. */
typedef struct RepeatCount RepeatCount;

/* `budget` may be NULL. `folder` as of file_temporary. */
MUST_USE Status repeat_count_new(Budget *budget, Str folder, RepeatCount **ret_repeats, Err *err);
void repeat_count_free(RepeatCount *repeats);
DEFINE_FREE_P(RepeatCount, repeat_count_free)
/* Rows first_row, first_row + 1, …; of those whose bit in `mask` is set (NULL: all). Ascending. */
MUST_USE Status repeat_count_add(RepeatCount *repeats, const Hash128 *hashes, int64_t rows,
                                 int64_t first_row, const uint64_t *mask, Err *err);
/* Take over what `next` holds; its rows come `row_shift` later. `next` is empty afterwards. */
MUST_USE Status repeat_count_merge(RepeatCount *repeats, RepeatCount *next, int64_t row_shift,
                                   Err *err);

typedef struct RepeatResult {
    int64_t rows;    /* added */
    int64_t repeats; /* of them, rows that came before */
    int64_t *first;  /* the first `first_count` repeats, ascending; mem_free */
    int64_t first_count;
} RepeatResult;
/* `first_max`: how many of the repeats are wanted by number. */
MUST_USE Status repeat_count_finish(RepeatCount *repeats, int64_t first_max, RepeatResult *ret,
                                    Err *err);

#endif
