/* What the files of this room share about batches and chosen rows. */
#ifndef NEURON_BATCH_IMPL_H
#define NEURON_BATCH_IMPL_H

#include "engine/column/batch.h"

/* Span, seq, epoch and origin (not the ordinals) of `like` for a batch derived from it. */
MUST_USE Status batch_inherit(const Batch *like, Batch *batch, Err *err);

typedef struct Run {
    int64_t from, len;
} Run;

/* The rows that were chosen, `count` in all: as runs where runs are long (rows NULL), else one by
 * one. */
typedef struct Choice {
    const Run *runs;
    int64_t run_count;
    const int64_t *rows;
    int64_t count;
} Choice;

/* Copy the chosen rows of a column. `ret_column` is zeroed before and, also after a failure, is the
 * caller's to be done with. Views have no heaps yet: gather_heaps gives them. */
MUST_USE Status gather_column(const Column *from, const Choice *choice, Column *ret_column,
                              Err *err);
/* Let the views of to[0 … count) that were gathered from `from` share its heaps, or copy their text
 * when all of it is less than a quarter of what the heaps would keep alive. */
MUST_USE Status gather_heaps(const Column *from, int32_t count, Column *to, Err *err);

/* Up to 64 bits from `first` on, the others 0; reads no byte after them. */
static inline uint64_t bits_load(const uint8_t *bits, int64_t first, int64_t count)
{
    int64_t shift = first & 7;
    int64_t bytes = (shift + count + 7) / 8;
    uint64_t low = 0;
    memcpy(&low, bits + first / 8, (size_t)int64_min(bytes, 8));
    low >>= shift;
    if (bytes > 8) low |= (uint64_t)bits[first / 8 + 8] << (64 - shift);
    return count < 64 ? low & ((UINT64_C(1) << count) - 1) : low;
}

/* Or `count` bits of `word` (the others 0) into zeroed words at bit `at`. */
static inline void bits_put(uint64_t *words, int64_t at, uint64_t word, int64_t count)
{
    int64_t shift = at & 63;
    words[at / 64] |= word << shift;
    if (shift + count > 64) words[at / 64 + 1] |= word >> (64 - shift);
}

/* Copy bits [first, first + count) to `at` of zeroed words; how many of them are set. */
static inline int64_t bits_copy(uint64_t *words, int64_t at, const uint8_t *from, int64_t first,
                                int64_t count)
{
    int64_t set = 0;
    for (int64_t i = 0; i < count; i += 64) {
        int64_t some = int64_min(64, count - i);
        uint64_t word = bits_load(from, first + i, some);
        bits_put(words, at + i, word, some);
        set += __builtin_popcountll(word);
    }
    return set;
}

#endif
