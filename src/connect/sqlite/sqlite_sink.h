/* The SQLite sink's state, shared by its files. */
#ifndef NEURON_SQLITE_SINK_H
#define NEURON_SQLITE_SINK_H

#include "connect/sqlite/sqlite_impl.h"
#include "connect/table/table_loads.h"

/* One written table: the target itself, or the table for rejects. */
typedef struct SqliteTable {
    Schema *schema;
    Buf name;             /* as the user wrote it */
    int64_t version;      /* of the database's schema when the plan was made */
    bool exists;          /* before this run */
    bool referred;        /* other tables have foreign keys to it */
    bool deferrable;      /* foreign keys may be judged as late as at COMMIT */
    bool view;            /* it doesn't say how many rows it took */
    bool differs;         /* it may leave rows out: triggers, ON CONFLICT IGNORE */
    bool halfway;         /* a trigger may fail a statement and keep a part of it */
    bool unique;          /* no two of its rows have the same key */
    const char *conflict; /* SqlMerge.conflict: a conflict is a refused row, and no row of the
                             target goes for another */
    int32_t *new_columns; /* fields that the table lacks */
    int32_t new_count;
    SqliteAffinity *affinity; /* per field */
    sqlite3_stmt *insert;     /* into the target, or into the stage */
} SqliteTable;

/* Upsert, mirror: rows go to temp.neuron_stage (neuron_ord, neuron_row, columns…) first; apply
 * merges them. Append and replace write into the target at once. All in one transaction. */
typedef struct SqliteSink {
    TableSink core;
    sqlite3 *db;
    SqliteStop stop; /* what was cancelled ends until the cycle is undone */
    SqliteTable out, reject;
    bool has_out, has_reject;
    int64_t rows_before;                     /* of a view, when the cycle began */
    sqlite3_stmt *merge[SQL_MERGE_PARTS][2]; /* of all that is staged, and of a range */
    sqlite3_stmt *save[TABLE_SAVE_UNDO + 1];
} SqliteSink;

enum { SQLITE_SQL_MAX = 4 << 20 };

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

/* ---- the plan (sqlite_plan.c) ---- */

/* Of the target that was looked at. */
MUST_USE Status sqlite_plan(SqliteSink *self, SinkPlan *plan, Err *err);

/* ---- merge (sqlite_merge.c) ---- */

extern const TableDriver SQLITE_TABLE_DRIVER;
/* Describe the merge by the plan of the target. */
MUST_USE Status sqlite_merge_describe(SqliteSink *self, Err *err);
/* The statements of the merge are made anew when they run next. */
void sqlite_merge_forget(SqliteSink *self);
/* FAIL with the connection's error of a statement that wrote. Where that ended the transaction it
 * is the run's error. */
Status sqlite_write_error(SqliteSink *self, Err *err);
/* Begin, keep or undo what can be undone by itself. A statement is that already, unless triggers
 * may end it halfway, or foreign keys are judged after it: then it is TableSink.together. */
MUST_USE Status sqlite_save(SqliteSink *self, TableSave what, Err *err);

/* ---- the catalog (sqlite_look.c) ---- */

/* What the table's definition, its triggers and indexes say, into the table. */
MUST_USE Status sqlite_look(SqliteSink *self, SqliteTable *table, Err *err);

/* Bind a text, which is copied; ptr NULL: an empty one. */
MUST_USE Status sqlite_bind_str(sqlite3_stmt *statement, int index, Str text, Err *err);

#endif
