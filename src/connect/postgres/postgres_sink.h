/* The PostgreSQL sink's state, shared by its files. */
#ifndef NEURON_POSTGRES_SINK_H
#define NEURON_POSTGRES_SINK_H

#include "connect/postgres/postgres_encode.h"
#include "connect/postgres/postgres_impl.h"
#include "connect/table/table_loads.h"
#include "foundation/base/thread.h"

/* What stands in front of the fields in a row that is sent. */
typedef enum PostgresPrefix {
    POSTGRES_PREFIX_NONE,
    POSTGRES_PREFIX_STAGE,  /* neuron_ord, neuron_row */
    POSTGRES_PREFIX_REJECT, /* run_id, seq */
} PostgresPrefix;

/* One written table: the target itself, or the table for rejects. */
typedef struct PostgresTable {
    Schema *schema;
    Buf name;                /* as the user wrote it */
    PGresult *look;          /* what the catalog said when the plan was made */
    bool exists;             /* before this cycle */
    bool foreign;            /* a foreign table */
    bool deferrable;         /* constraints may be judged as late as at COMMIT */
    bool held;               /* nobody alters it before the end of this transaction */
    bool prepared;           /* created or widened in this cycle's transaction */
    bool referred;           /* other tables have foreign keys to it */
    PostgresColumn *columns; /* per field */
    int32_t *new_columns;    /* fields that the table lacks */
    int32_t new_count;
    bool checked; /* the server may refuse values in a column */
    bool ruled;   /* rules rewrite its INSERT or UPDATE: each has to be a statement of its own */
    bool bare;    /* nothing but the types of its columns and NOT NULL can refuse a row */
    bool differs; /* it may hold other rows than it was given: triggers, rules, policies, and those
                     of its partitions; a foreign table */
    bool unique;  /* no two of its rows have the same key */
    bool cast;    /* COPY can't write it: a column is staged as text, or it is a view, has rules or
                     row security */
    PostgresPrefix prefix;
    Arena arena;
} PostgresTable;

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

enum { POSTGRES_KEYS_MAX = 4 };

/* While each key is greater than the one before, none comes twice. */
typedef struct PostgresKeys {
    bool ascend, some;
    int32_t fields[POSTGRES_KEYS_MAX];
    int32_t count;
    int64_t last[POSTGRES_KEYS_MAX];
} PostgresKeys;

/* Staged: rows go to pg_temp.neuron_stage (neuron_ord, neuron_row, columns…), apply merges them.
 * Otherwise COPY goes straight into the target. All in one transaction per cycle. */
typedef struct PostgresSink {
    TableSink core;
    PostgresDb *db;        /* NULL: not connected */
    pthread_mutex_t mutex; /* guards db against the thread that cancels */
    bool cancelled;        /* db was told to stop: it is of no more use */
    PostgresTable out, reject;
    bool has_out, has_reject;
    bool begun;    /* the first cycle has begun */
    bool copying;  /* COPY into the stage or the target is under way */
    bool guarded;  /* … after a savepoint, and its rows are kept */
    int64_t sent;  /* rows of it */
    bool unopened; /* its rows are as the source's wire had them */
    char xid[24];  /* of the last COMMIT without an OUT port or of a shared stream: what it came to
                      can be asked for */
    char pid[16]; /* of the open transaction's backend, and when it began: what tells it from all */
    char began[40]; /* others when it has to be ended */
    PostgresKeys keys;
    int64_t reject_seq;      /* rejects written in this run */
    int64_t cycle_seq;       /* … before this cycle was first begun */
    bool stale;              /* without an OUT port: a try of this cycle may have left some */
    bool cleared;            /* … which this transaction has deleted */
    PostgresRowsOut rows;    /* the batch being written */
    PostgresRowsOut rejects; /* rejects that wait for the end of COPY */
    PostgresEncoder encoder;
} PostgresSink;

/* The target is a stream's, which several processes may share part by part. */
static inline bool postgres_sink_is_shared(const PostgresSink *self)
{
    return sink_keeps_parts(&self->core.sink) && self->core.sink.req->table.len > 0;
}
/* Run what stands in self->core.sql. */
MUST_USE Status postgres_sink_run(PostgresSink *self, Err *err);

/* ---- the session (postgres_session.c) ---- */

/* Where there is none. */
MUST_USE Status postgres_session_open(PostgresSink *self, Err *err);
void postgres_session_close(PostgresSink *self);
/* It broke, or was told to stop. */
bool postgres_session_is_lost(const PostgresSink *self);
/* `begin` in a session that works: in a new one where it turns out that the old one broke while
 * nothing was under way. */
MUST_USE Status postgres_session_begin(PostgresSink *self,
                                       Status (*begin)(PostgresSink *self, Err *err), Err *err);
/* BEGIN of a cycle, with its settings. */
MUST_USE Status postgres_session_transaction(PostgresSink *self, Err *err);

/* ---- tables (postgres_table.c) ---- */

/* Does the target exist, which of the schema's columns does it lack, what do the others take.
 * ERR_SCHEMA where the request forbids what would be needed, or a column can't take its field. */
MUST_USE Status postgres_table_inspect(PostgresSink *self, PostgresTable *table, Str name,
                                       const Schema *schema, bool create, bool evolve, Err *err);
/* At the start of a cycle: where the table was altered since the plan was made, plan anew. With
 * `hold` nobody alters it from here to the end of the transaction. ERR_SCHEMA where it can't be
 * planned any more, naming what changed. */
MUST_USE Status postgres_table_renew(PostgresSink *self, PostgresTable *table, bool hold, Err *err);
/* Before rows that were made for the plan go into the table: nobody alters it any more.
 * ERR_DEADLOCK (the run may be done again) naming the column that was altered before. */
MUST_USE Status postgres_table_hold(PostgresSink *self, PostgresTable *table, Err *err);
/* The statement that holds it, for the plan too. */
MUST_USE Status postgres_table_hold_sql(const PostgresTable *table, Buf *sql, Err *err);
/* The statements that prepare would run, one call of `each` per statement. */
MUST_USE Status postgres_table_ddl(const PostgresSink *self, const PostgresTable *table,
                                   Status (*each)(void *arg, Str sql, Err *err), void *arg,
                                   Err *err);
/* CREATE TABLE or ALTER TABLE ADD COLUMN, inside the open transaction. */
MUST_USE Status postgres_table_prepare(PostgresSink *self, PostgresTable *table, Err *err);
void postgres_table_done(PostgresTable *table);
/* "a", "b", … of the fields. */
MUST_USE Status postgres_table_names(const PostgresTable *table, const char *prefix, Buf *sql,
                                     Err *err);

/* ---- rows (postgres_send.c) ---- */

void postgres_rows_out_done(PostgresRowsOut *rows);
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
/* Forget what waits. */
void postgres_rows_clear_out(PostgresRowsOut *rows);
/* COPY … FROM STDIN into that stage (NULL: the table itself), appended. */
MUST_USE Status postgres_copy_sql(const PostgresTable *table, const char *stage, Buf *sql,
                                  Err *err);
/* End the COPY that is under way; rows of it that were refused wait for postgres_rows_flush. */
MUST_USE Status postgres_copy_stop(PostgresSink *self, Err *err);
/* Write the rejects that wait into their table. */
MUST_USE Status postgres_rejects_flush(PostgresSink *self, Err *err);
/* What is replayed leaves its table. */
MUST_USE Status postgres_rejects_leave(PostgresSink *self, Err *err);

/* ---- keys (postgres_keys.c) ---- */

void postgres_keys_begin(PostgresSink *self);
/* Look whether the keys of the batch go on ascending. */
void postgres_keys_note(PostgresSink *self, const Batch *batch);
/* Set self->fresh where it can be had. */
MUST_USE Status postgres_fresh_try(PostgresSink *self, Err *err);

/* ---- merge (postgres_merge.c) ---- */

#define POSTGRES_STAGE "pg_temp.neuron_stage"
extern const TableDriver POSTGRES_TABLE_DRIVER;
/* Describe the merge by the plan of the target. */
MUST_USE Status postgres_merge_describe(PostgresSink *self, Err *err);
MUST_USE Status postgres_merge(PostgresSink *self, RejectWriter *rejects, SinkCounts *counts,
                               Err *err);

/* ---- what came of a COMMIT (postgres_loads.c) ---- */

/* Did that cycle of the run commit? Waits for a transaction that is still at it; one of ours that
 * waits for a COMMIT that will never come is ended. */
MUST_USE Status postgres_loads_outcome(PostgresSink *self, Str run_id, int64_t cycle,
                                       Outcome *ret_outcome, SinkCounts *ret_counts, Err *err);
/* Did the transaction self->xid commit? Where there is no run record, or one that others share. */
MUST_USE Status postgres_xid_note(PostgresSink *self, Err *err);
MUST_USE Status postgres_xid_outcome(PostgresSink *self, Outcome *ret_outcome, Err *err);

/* ---- partitions (postgres_parts.c) ---- */

/* Sink.take. */
MUST_USE Status postgres_parts_take(PostgresSink *self, const int32_t *parts, int32_t count,
                                    Position *ret_from, bool *ret_taken, Err *err);

#endif
