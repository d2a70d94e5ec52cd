/* Rows of a sink encoded, and sent by COPY into the target or its stage. */
#ifndef NEURON_POSTGRES_SEND_H
#define NEURON_POSTGRES_SEND_H

#include "connect/postgres/postgres_encode.h"
#include "connect/postgres/postgres_rows_out.h"
#include "connect/postgres/postgres_table.h"
#include "engine/format/reject.h"

/* COPY into the stage or the target.
 *
 *     IDLE --rows that nothing can refuse--> STREAM ---postgres_copy_stop--> IDLE
 *       |                                                                     ^
 *       +---a savepoint, rows that are kept--> GUARDED --its end, or the stop-+
 */
typedef enum PostgresCopyPhase {
    POSTGRES_COPY_IDLE,
    POSTGRES_COPY_STREAM,
    POSTGRES_COPY_GUARDED,
} PostgresCopyPhase;

typedef struct PostgresCopy {
    PostgresCopyPhase phase;
    int64_t sent;         /* rows of the COPY under way */
    bool unopened;        /* the cycle's rows are as the source's wire had them */
    PostgresRowsOut rows; /* encoded: of the batch being written, and of a guarded COPY */
    PostgresEncoder encoder;
} PostgresCopy;

/* Encode the batch's rows after those that are there; the ones that can't be held go to `refused`.
 */
MUST_USE Status postgres_rows_encode(PostgresSink *self, PostgresTable *table, const Batch *batch,
                                     PostgresRowsOut *rows, RejectList *refused, Err *err);
/* Send the batch's rows that were encoded last. The ones that the server refuses are found by
 * halving, now or with a later batch, and go to `rejects`. */
MUST_USE Status postgres_rows_send(PostgresSink *self, Batch *batch, RejectWriter *rejects,
                                   Err *err);
/* The first field whose column has another type than the one that the field was read as, or is none
 * that is built in; -1: none. */
int32_t postgres_wire_differs(const PostgresSink *self, const Schema *schema);
/* Send the batch's rows as they are (Batch.wire): one COPY, straight into a bare target. */
MUST_USE Status postgres_wire_send(PostgresSink *self, const Batch *batch, Err *err);
/* All rows are with the server, or among `rejects`. */
MUST_USE Status postgres_rows_flush(PostgresSink *self, RejectWriter *rejects, Err *err);
/* COPY … FROM STDIN into that stage (NULL: the table itself), appended. */
MUST_USE Status postgres_copy_sql(const PostgresTable *table, const char *stage, Buf *sql,
                                  Err *err);
/* End the COPY that is under way; rows of it that were refused wait for postgres_rows_flush. */
MUST_USE Status postgres_copy_stop(PostgresSink *self, Err *err);
/* A COPY from its start to its end: of these bytes into that stage. *ret_taken: rows that the
 * server says it took. */
MUST_USE Status postgres_copy_all(PostgresSink *self, const PostgresTable *table, const char *stage,
                                  Str bytes, int64_t *ret_taken, Err *err);

#endif
