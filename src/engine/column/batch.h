/* A batch: columns of equal length, where they came from, and the rows that were refused. */
#ifndef NEURON_BATCH_H
#define NEURON_BATCH_H

#include "engine/column/column.h"

/* Where the rows of a batch stand in their source. Merged spans of committed batches make a
 * position (connect/source.h). */
typedef struct Span {
    int32_t part;  /* part of the source (file, partition, key range), 0 when there is one */
    int64_t first; /* ordinal or offset of the first row read for this batch */
    int64_t next;  /* one past the last row read, whether or not it was kept */
    int64_t bytes; /* input bytes read for it */
    Str cursor;    /* the highest cursor so far, in the source's own text; empty: none.
                      Lives in the batch's arena. */
} Span;

/* Counted; handed over between threads; immutable once shared (refs > 1). */
typedef struct Batch {
    _Atomic int32_t refs;
    Schema *schema; /* counted */
    int64_t rows;
    Column *columns; /* schema->count of them */
    int64_t seq;     /* order within its part, from 0 */
    int64_t epoch;   /* assignment epoch of the part (revocations); 0 elsewhere */
    Span span;
    Buffer *ordinals; /* int64 per row: the row's ordinal in its source; NULL: span.first + row */
    Budget *budget;   /* charged with charge_bytes until the end; may be NULL */
    int64_t charge_bytes;
    Buffer *wire; /* rows as the source's system wrote them, unopened; counted. Then the columns are
                     empty: only for a sink that takes them (connect/sink.h). NULL: columns */
    int64_t wire_bytes; /* of `wire` that are rows */
    void *origin;       /* what the bytes belong to (messages); given back by origin_unref */
    void (*origin_unref)(void *origin);
    struct Batch *from; /* what the rows were made of, found there by their ordinals (messages of
                           which outputs were made); counted; NULL: not kept */
    Arena arena;
} Batch;

/* A batch without columns yet: takes a reference on the schema; columns are zeroed and the caller
 * fills batch->columns[0 … schema->count) and batch->rows before sharing it. */
MUST_USE Status batch_new(const Schema *schema, Batch **ret_batch, Err *err);
Batch *batch_ref(Batch *batch);
void batch_unref(Batch *batch);
static inline void batch_unref_p(Batch **p)
{
    batch_unref(*p);
    *p = NULL;
}

/* A new batch with the rows whose bit in `keep` (batch->rows bits) is set; same schema, span, seq,
 * epoch, origin; ordinals carried. Views keep pointing into the same heaps unless less than a
 * quarter of the bytes of all heaps is in use: then the text is copied (compacted). */
MUST_USE Status batch_filter(const Batch *batch, const uint8_t *keep, Batch **ret_batch, Err *err);
/* The rows at `rows[0 … count)`, in that order, each < batch->rows. */
MUST_USE Status batch_take(const Batch *batch, const int64_t *rows, int64_t count,
                           Batch **ret_batch, Err *err);
/* Rows [from, from + count), sharing buffers; from a multiple of 64. Rows must be in ascending
 * order of their ordinals: the spans of the slices that make up a batch add up to its span, with
 * bytes and cursor in the last of them. */
MUST_USE Status batch_slice(const Batch *batch, int64_t from, int64_t count, Batch **ret_batch,
                            Err *err);
/* The same rows with other columns: takes over span, ordinals, origin of `like`; columns are left
 * for the caller to fill as in batch_new. */
MUST_USE Status batch_like(const Batch *like, const Schema *schema, int64_t rows, Batch **ret_batch,
                           Err *err);
int64_t batch_ordinal(const Batch *batch, int64_t row);
/* The row's text in the TEXT column of that name; STR_NULL where there is none, or it is NULL. */
Str batch_text_in(const Batch *batch, Str name, int64_t row);
/* The ordinal of each row, ascending and within the batch's span; copied only where they have gaps,
 * so that span.first + row doesn't say them. `budget` may be NULL. */
MUST_USE Status batch_keep_ordinals(Batch *batch, const int64_t *ordinals, Budget *budget,
                                    Err *err);
/* Bytes kept alive. */
int64_t batch_bytes(const Batch *batch);

/* One refused row: which, why, where. */
typedef struct Reject {
    int64_t row; /* in the batch that `rows` was taken from, or in RejectList.rows */
    ErrKind kind;
    char sqlstate[6]; /* may be empty */
    int32_t position; /* byte offset in the expression's text, -1: none */
    Str column;       /* may be empty */
    Str reason;
} Reject;

/* Rows that failed in one stage over one batch: texts live in the list's arena. Ascending rows. */
typedef struct RejectList {
    Reject *items;
    int64_t count, capacity;
    Arena arena;
} RejectList;

void reject_list_init(RejectList *list);
void reject_list_done(RejectList *list);
void reject_list_clear(RejectList *list);
/* Copies the texts; memory is bounded by 64 MiB per list (ERR_LIMIT). */
MUST_USE Status reject_list_add(RejectList *list, const Reject *reject, Err *err);

#endif
