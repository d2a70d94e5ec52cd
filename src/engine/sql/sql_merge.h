/* The statements that merge staged rows into a table, made from one description for each dialect.
 */
#ifndef NEURON_SQL_MERGE_H
#define NEURON_SQL_MERGE_H

#include "engine/sql/sql_dialect.h"

typedef struct SqlColumn {
    Str name;
    bool key;
    bool ignored;  /* a difference in it alone is no change */
    bool by_text;  /* it has no equality of its own */
    bool identity; /* the database makes its numbers, unless told */
    Str cast;      /* staged as text and cast to this type; empty: staged as it is */
    Str stage;     /* type of the stage's column; empty: none is said */
    Str fold;      /* of a key: values are one key where they are equal as values of this type, to
                      which any staged value can be cast; empty: where they are equal as staged */
} SqlColumn;

/* Rows are staged with the columns, neuron_ord (1, 2, … in the order in which they came) and
 * neuron_row (their number in the source). Borrowed texts. */
struct SqlMerge {
    const SqlDialect *dialect;
    Str table; /* "name" or "schema.name" */
    const SqlColumn *columns;
    int32_t count;
    bool keyed;     /* rows are matched by the columns that are `key`; at least one is */
    int32_t cursor; /* of several rows of a key the highest of this column wins; -1: the last */
    bool own_rows;  /* the table holds rows of this run: one with a higher cursor stays */
    bool unique;    /* a key is at most one row of the table */
    const char *conflict; /* after INSERT and UPDATE: what to do where a constraint doesn't hold,
                             " OR ABORT"; "": as the table says */
};

typedef enum SqlMergePart {
    SQL_MERGE_STAGE,     /* creates the stage */
    SQL_MERGE_READY,     /* what it needs before it is joined */
    SQL_MERGE_SUPERSEDE, /* of several staged rows of a key all but one go */
    SQL_MERGE_EXPECT,    /* counts: staged rows that are new, rows of the table to update, staged
                            rows to update them with */
    SQL_MERGE_WRITE,     /* updates and inserts; counts: updated, inserted, and those of EXPECT */
    SQL_MERGE_UPDATE,    /* rows that differ */
    SQL_MERGE_INSERT,    /* rows that are new; not keyed: all */
    SQL_MERGE_ANY,       /* counts one row, where the table has any */
    SQL_MERGE_CLEAR,     /* deletes all rows */
    SQL_MERGE_COUNT,     /* counts the table's rows */
    SQL_MERGE_MISSING,   /* counts those whose key was not staged */
    SQL_MERGE_DELETE,    /* deletes them */
    SQL_MERGE_ROW,       /* staged row $1: neuron_row, the row and its key as JSON */
    SQL_MERGE_PARTS
} SqlMergePart;

/* Append the statement. `range`: EXPECT, WRITE, UPDATE and INSERT take the staged rows from $1 to
 * $2 only. */
MUST_USE Status sql_merge_put(const SqlMerge *merge, SqlMergePart part, bool range, Buf *sql,
                              Err *err);
/* Is there a column that makes a row differ? */
bool sql_merge_compares(const SqlMerge *merge);
/* "a", "b", … each after `prefix`; with `key` those of the key alone. */
MUST_USE Status sql_put_columns(const SqlMerge *merge, const char *prefix, bool key, Buf *sql,
                                Err *err);

#endif
