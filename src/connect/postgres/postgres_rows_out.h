/* Rows in the form of COPY that wait to be sent. */
#ifndef NEURON_POSTGRES_ROWS_OUT_H
#define NEURON_POSTGRES_ROWS_OUT_H

#include "connect/postgres/postgres_encode.h"

enum { POSTGRES_HELD_MAX = 8 };

/* Rows in the form of COPY, and where each ends; with the batches that they came from, which are
 * asked again for those that the server refuses. */
typedef struct PostgresRowsOut {
    Buf bytes;
    int64_t *ends; /* of row i, in bytes */
    int64_t *rows; /* its row in the batch */
    int64_t count, capacity;
    Batch *held[POSTGRES_HELD_MAX];
    int64_t held_ends[POSTGRES_HELD_MAX]; /* rows up to this are of that batch */
    int32_t held_count;
} PostgresRowsOut;

/* Room for so many rows more. */
MUST_USE Status postgres_rows_out_reserve(PostgresRowsOut *rows, int64_t more, Err *err);
/* Forget what waits. */
void postgres_rows_out_clear(PostgresRowsOut *rows);
void postgres_rows_out_done(PostgresRowsOut *rows);

#endif
