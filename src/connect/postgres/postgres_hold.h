/* Keeps others from altering a target table while rows made for its plan are on their way. */
#ifndef NEURON_POSTGRES_HOLD_H
#define NEURON_POSTGRES_HOLD_H

#include "connect/postgres/postgres_table.h"

/* At the start of a cycle: where the table was altered since the plan was made, plan anew. With
 * `hold` nobody alters it from here to the end of the transaction. ERR_SCHEMA where it can't be
 * planned any more, naming what changed. */
MUST_USE Status postgres_table_renew(PostgresSink *self, PostgresTable *table, bool hold, Err *err);
/* Before rows that were made for the plan go into the table: nobody alters it any more.
 * ERR_DEADLOCK (the run may be done again) naming the column that was altered before. */
MUST_USE Status postgres_table_hold(PostgresSink *self, PostgresTable *table, Err *err);
/* The statement that holds it, for the plan too. */
MUST_USE Status postgres_table_hold_sql(const PostgresTable *table, Buf *sql, Err *err);

#endif
