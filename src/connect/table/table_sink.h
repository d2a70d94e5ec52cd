/* What sinks that write into tables of a database share; a driver does what differs. */
#ifndef NEURON_TABLE_SINK_H
#define NEURON_TABLE_SINK_H

#include "connect/sink.h"
#include "connect/sink_parts.h"
#include "engine/sql/sql_merge.h"
#include "store/db/write_error.h"

typedef struct TableSink TableSink;

/* Staged rows by their numbers (neuron_ord), both ends included. */
typedef struct TableRange {
    int64_t from, to;
    bool part; /* false: all that are staged, of which these are the ends */
} TableRange;

/* A staged row that was refused. */
typedef struct TableRow {
    bool found;
    int64_t row; /* its number in the source */
    Buf data;    /* JSON */
    Buf key;     /* JSON, empty where there is no key */
} TableRow;

/* Rows that a statement gave, as texts. */
typedef struct TableResult {
    int32_t rows, columns;
    int64_t changed; /* rows that it wrote */
    Str *cells;      /* rows * columns; NULL values: STR_NULL */
    Arena arena;     /* holds them */
} TableResult;

typedef enum TableSave {
    TABLE_SAVE_BEGIN, /* what follows can be undone by itself */
    TABLE_SAVE_KEEP,
    TABLE_SAVE_UNDO,
} TableSave;

/* All of these run on the sink's thread, in the transaction where one is open, and end with
 * ERR_CANCELLED once the sink was cancelled. */
typedef struct TableDriver {
    const SqlDialect *dialect;
    /* Several statements with `;` between them. */
    Status (*exec)(TableSink *sink, const char *sql, Err *err);
    /* One statement with parameters $1, $2, … (texts; STR_NULL: NULL), at most 64. The caller frees
     * the result's arena. */
    Status (*query)(TableSink *sink, const char *sql, const Str *params, int32_t count,
                    TableResult *ret_result, Err *err);
    /* Is there such a table, and (unless NULL) such a column of it? */
    Status (*has)(TableSink *sink, const char *table, const char *column, bool *ret_has, Err *err);
    /* One statement of the merge. ret_numbers: the columns of its only row; of one that gives no
     * row, how many rows it wrote. */
    Status (*run)(TableSink *sink, SqlMergePart part, TableRange range, int64_t *ret_numbers,
                  int32_t count, Err *err);
    Status (*read_row)(TableSink *sink, int64_t ord, TableRow *row, Err *err);
    Status (*save)(TableSink *sink, TableSave what, Err *err);
    /* After statements that wrote: is all that they wrote valid, as far as COMMIT would judge?
     * NULL: `run` has said so. */
    Status (*judge)(TableSink *sink, Err *err);
    /* Of an error of `run` that wrote. */
    WriteError (*error)(const Err *err);
} TableDriver;

/* What the target is, and how rows get into it. */
typedef struct TablePlan {
    SqlMerge merge;
    SqlColumn *columns; /* of the merge */
    bool exists;        /* the target, before this cycle */
    bool keyed;         /* rows of a key replace each other */
    bool staged;        /* rows go to the stage, apply merges them */
    bool deletes;       /* what was not staged is deleted at the end */
    bool differs;       /* the target may hold other rows than it was given: triggers, rules, … */
    bool uncounted;     /* it doesn't even say how many it wrote */
    bool apart;         /* updates and inserts are statements of their own */
    bool together;      /* … but judged together, so that one may refer to the other */
} TablePlan;

/* The transaction of a cycle, in which all of it is written.
 *
 *     CLOSED --table_cycle_begin--> OPEN --table_cycle_end--> CLOSED
 *                                    |                          ^
 *                          the answer to COMMIT is lost         |
 *                                    v                          |
 *                                 UNKNOWN -----table_cycle_end--+
 */
typedef enum TablePhase { TABLE_CLOSED, TABLE_OPEN, TABLE_UNKNOWN } TablePhase;

typedef struct TableCycle {
    int64_t number;
    TablePhase phase;
    bool fenced;    /* this cycle's epoch is taken */
    bool has_stage; /* the stage is there */
    bool distinct;  /* no key was staged twice */
    bool fresh; /* the target was empty and ours alone: rows whose keys ascend went straight in */
    int64_t written;   /* rows of this cycle */
    int64_t direct;    /* those of them that went straight into the target */
    int64_t discarded; /* and those of `direct` that it left out */
    int64_t next_ord;  /* number of the next row staged, from 1 */
} TableCycle;

/* Embedded as a sink's first member. */
struct TableSink {
    Sink sink;
    const TableDriver *driver;
    Buf run_id;
    int64_t epoch;   /* of the last published run or cycle */
    SinkParts parts; /* of a stream's topic: those that are ours */
    TablePlan plan;
    TableCycle cycle;
    Buf sql; /* scratch */
};

/* The system's own struct, of which the table sink is the first member. */
#define TABLE_SELF(Type, DRIVER, sink) DOWNCAST(Type, sink, (sink)->driver == &(DRIVER))

/* Zeroed memory becomes one of that request; `sql_max` bounds a statement. */
void table_sink_init(TableSink *sink, Sink base, const TableDriver *driver, int64_t sql_max);
void table_sink_done(TableSink *sink);

/* ---- the plan ---- */

/* The key's columns are there, and the mode has one. ERR_CONFIG. */
MUST_USE Status table_check_key(const SinkReq *req, const Schema *schema, Err *err);
/* The key as a JSON array of names, appended. */
MUST_USE Status table_key_json(const SinkReq *req, Buf *out, Err *err);
/* From the request and whether other tables refer to the target's rows: keyed, staged, deletes. */
void table_decide(TableSink *sink, bool referred);
/* Describe the merge: names, key, ignored columns. What the target says of its columns is for the
 * caller to fill in. The schema and the name outlive the description. */
MUST_USE Status table_describe(TableSink *sink, Str name, const Schema *schema, Err *err);
/* Replace deletes all rows before the first cycle. */
bool table_deletes_first(const TableSink *sink);
/* The statements of the merge that would run, exact. */
MUST_USE Status table_merge_plan(const TableSink *sink, SinkPlan *plan, Err *err);

/* FAIL always, with ERR_SCHEMA: the target isn't as the request allows, or is no more. */
Status table_missing(Str name, Err *err);
Status table_column_missing(Str name, Str column, Err *err);
Status table_dropped(Str name, Err *err);
/* Do two names of columns differ by nothing but case and blanks around them? */
bool table_names_near(Str a, Str b);
/* FAIL always: the rows' column isn't added beside the one that is nearly called so. */
Status table_column_near(const Buf *table, Str column, Str there, Err *err);

/* ---- a cycle ---- */

/* The transaction of that cycle has begun: nothing is written yet. */
void table_cycle_begin(TableSink *sink, int64_t number);
/* The answer to COMMIT is lost: table_cycle_end once it is known. */
void table_cycle_unknown(TableSink *sink);
/* The transaction is committed, or undone; harmless when there is none. */
void table_cycle_end(TableSink *sink, bool committed);

/* From here on to the end of the section: in an open cycle. Delete all rows of the target.
 * ERR_CONFIG where other tables refer to them; ERR_CONSTRAINT where some are there all the same. */
MUST_USE Status table_clear(TableSink *sink, bool referred, Err *err);
MUST_USE Status table_stage_create(TableSink *sink, Err *err);
/* Merge what was staged into the target, and count. Rows that it refuses are found by halving and
 * go to `rejects`; where the request allows none, the first one ends the search. */
MUST_USE Status table_merge(TableSink *sink, RejectWriter *rejects, SinkCounts *ret_counts,
                            Err *err);
/* What became of work on the table of refused rows: where it doesn't take them, or isn't there as
 * it was, a stream is held (ERR_HELD: tried again until it does), a pipeline's run ends. */
MUST_USE Status table_rejects_result(const TableSink *sink, Str table, Status status, Err *err);
/* FAIL always: of so many refused rows their table kept fewer. */
Status table_rejects_lost(Str table, int64_t rows, int64_t kept, Err *err);
/* The counts of rows that went straight in. */
SinkCounts table_straight_counts(const TableSink *sink);

/* ---- what the search for refused rows has found ---- */

/* Rows may seem refused that aren't: where no row of a statement is taken, and what is said of them
 * says nothing about rows, that is the run's error. Not in a stream, where one message may be all
 * there is: each pays for itself, and becomes a dead letter. */
typedef struct TableSearch {
    bool stream;
    bool taken;     /* a row was taken */
    int64_t unsure; /* rows refused for such a reason … */
    bool other;     /* … and one for another */
    Err first;      /* the first such reason */
} TableSearch;
/* A row was refused for this reason. FAIL where so many were refused for one such reason, and none
 * was taken, that it is no row's. */
MUST_USE Status table_search_refused(TableSearch *search, WriteError what, const Err *cause,
                                     Err *err);
/* At the end of the search: FAIL where every row was refused for one such reason. */
MUST_USE Status table_search_end(const TableSearch *search, Err *err);

#endif
