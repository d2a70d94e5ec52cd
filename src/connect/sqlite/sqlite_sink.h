/* The SQLite sink's state, shared by its files. */
#ifndef NEURON_SQLITE_SINK_H
#define NEURON_SQLITE_SINK_H

#include "connect/sink_parts.h"
#include "connect/sqlite/sqlite_impl.h"

/* One written table: the target itself, or the table for rejects. */
typedef struct SqliteTable {
    Schema *schema;
    Buf name;             /* as the user wrote it */
    int64_t version;      /* of the database's schema when the plan was made */
    bool exists;          /* before this run */
    bool referred;        /* other tables have foreign keys to it */
    bool deferrable;      /* foreign keys may be judged as late as at COMMIT */
    int32_t *new_columns; /* fields that the table lacks */
    int32_t new_count;
    SqliteAffinity *affinity; /* per field */
    sqlite3_stmt *insert;     /* into the target, or into the stage */
} SqliteTable;

/* Upsert, mirror: rows go to temp.neuron_stage (ord, columns…) first; apply merges them. Append and
 * replace write into the target at once. All in one transaction. */
typedef struct SqliteSink {
    Sink sink;
    sqlite3 *db;
    SqliteStop stop; /* what was cancelled ends until the cycle is undone */
    Buf run_id;
    int64_t epoch;   /* of the last published run */
    SinkParts parts; /* of a stream's topic: those that are ours */
    SqliteTable out, reject;
    bool has_out, has_reject;
    bool keyed; /* rows of a key replace each other */
    bool staged;
    bool deletes; /* what was not staged is deleted at the end */
    bool open;    /* in a transaction */
    int64_t cycle;
    int64_t written; /* rows of this cycle */
    Buf sql;         /* scratch */
} SqliteSink;

enum { SQLITE_SQL_MAX = 4 << 20 };

/* After an error: is it of a row, which may be rejected while the transaction goes on? Where the
 * table has it that such a row undoes the whole transaction, the error says so. */
bool sqlite_sink_may_refuse(const SqliteSink *self, Err *err);
/* Does the target exist, which of the schema's columns does it lack, what are the affinities.
 * ERR_SCHEMA where the request forbids what would be needed. */
MUST_USE Status sqlite_table_inspect(SqliteSink *self, SqliteTable *table, Str name,
                                     const Schema *schema, bool create, bool evolve, Err *err);
/* The same for the target, and what follows from it for its rows: are they staged? */
MUST_USE Status sqlite_sink_look(SqliteSink *self, Str name, const Schema *schema, Err *err);
/* Inside the open transaction: where the database's schema changed since the plan was made, plan
 * anew. ERR_SCHEMA where it can't be any more, and where the table is gone. */
MUST_USE Status sqlite_table_renew(SqliteSink *self, SqliteTable *table, Err *err);
/* Make it so: CREATE TABLE or ALTER TABLE ADD COLUMN, inside the open transaction. */
MUST_USE Status sqlite_table_prepare(SqliteSink *self, SqliteTable *table, Err *err);
/* The statements that prepare would run, one call of `each` per statement. */
MUST_USE Status sqlite_table_ddl(const SqliteSink *self, const SqliteTable *table,
                                 Status (*each)(void *arg, Str sql, Err *err), void *arg, Err *err);
void sqlite_table_done(SqliteTable *table);

/* Merge temp.neuron_stage into the target. */
MUST_USE Status sqlite_merge(SqliteSink *self, RejectWriter *rejects, SinkCounts *counts, Err *err);
/* The exact statements of the merge, for the plan. */
MUST_USE Status sqlite_merge_sql(const SqliteSink *self, SinkPlan *plan, Err *err);

/* neuron_positions, of SinkReq.topic: SinkOps of these names. The others inside the open cycle. */
MUST_USE Status sqlite_parts_take(SqliteSink *self, const int32_t *parts, int32_t count,
                                  Position *ret_from, bool *ret_taken, Err *err);
/* Move what the position moves; *ret_held false: another process has some of it. */
MUST_USE Status sqlite_parts_move(SqliteSink *self, const Position *position, const SinkRun *run,
                                  bool *ret_held, Err *err);
/* Where each part of the topic is, added to the position; *ret_any false: the stream has no parts
 * there, of whatever topic. */
MUST_USE Status sqlite_parts_state(sqlite3 *db, const SinkReq *req, Position *position,
                                   bool *ret_any, Err *err);

/* neuron_loads: state, compare-and-set of the epoch, run record. */
MUST_USE Status sqlite_loads_state(sqlite3 *db, Str pipeline, LoadState *ret_state, Err *err);
MUST_USE Status sqlite_bind_str(sqlite3_stmt *statement, int index, Str text, Err *err);
MUST_USE Status sqlite_loads_record(SqliteSink *self, const Position *position, const SinkRun *run,
                                    Err *err);
MUST_USE Status sqlite_loads_outcome(sqlite3 *db, Str pipeline, Str run_id, Outcome *ret_outcome,
                                     SinkCounts *ret_counts, Err *err);

#endif
