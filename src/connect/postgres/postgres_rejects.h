/* The table of refused rows beside a target. */
#ifndef NEURON_POSTGRES_REJECTS_H
#define NEURON_POSTGRES_REJECTS_H

#include "connect/postgres/postgres_rows_out.h"
#include "connect/sink.h"

typedef struct PostgresSink PostgresSink;

/* What an earlier try of the cycle, which failed after these rows were committed, may have left.
 *
 *     NONE --a cycle's commit left some, or the run may have been tried before--> STALE
 *     STALE --DELETE in the open transaction--> CLEARED --its end, the cycle again--> STALE
 *     STALE, CLEARED --the next cycle--> NONE
 */
typedef enum PostgresLeftover {
    POSTGRES_LEFTOVER_NONE,
    POSTGRES_LEFTOVER_STALE,
    POSTGRES_LEFTOVER_CLEARED,
} PostgresLeftover;

typedef struct PostgresRejects {
    int64_t seq;               /* rejects written in this run */
    int64_t cycle_seq;         /* … before this cycle was first begun */
    PostgresLeftover leftover; /* without an OUT port */
    PostgresRowsOut rows;      /* wait for the end of COPY */
} PostgresRejects;

/* In the transaction of a cycle; `once_more`: it was begun before. */
void postgres_rejects_begin(PostgresSink *self, bool once_more);
/* After the COMMIT was sent. */
void postgres_rejects_end(PostgresSink *self, CommitResult result);
/* Write the rejects that wait into their table. */
MUST_USE Status postgres_rejects_flush(PostgresSink *self, Err *err);
/* What is replayed leaves its table. */
MUST_USE Status postgres_rejects_leave(PostgresSink *self, Err *err);

#endif
