/* What differs between databases in the statements that a table is written with. */
#ifndef NEURON_SQL_DIALECT_H
#define NEURON_SQL_DIALECT_H

#include "foundation/base/buf.h"

typedef struct SqlMerge SqlMerge;

/* The temporary table of a merge. */
typedef struct SqlStage {
    const char *name;
    const char *create; /* CREATE … (, up to the columns of the rows */
    const char *end;    /* after them */
    const char *index;  /* statements that let small ranges of it be found; NULL: they are */
} SqlStage;

/* Texts of one database's SQL. Constant, lives for ever. */
typedef struct SqlDialect {
    const char *name;
    char quote;     /* around a name, and doubled in it */
    bool nameless;  /* a name may be empty */
    char parameter; /* before the number of a parameter */

    SqlStage stage;

    const char *differs;        /* between two values, NULL being a value like others */
    const char *as_text;        /* after a value that is compared by its text */
    const char *cast;           /* between a staged text and the type that it is read as */
    const char *given_identity; /* before SELECT, where a column makes its own numbers; NULL: not
                                   needed */
    bool writes_together;       /* updates and inserts can be one statement that counts both */
    const char *time;           /* type of a moment */
    const char *now;            /* this moment, as one */
    const char *published;      /* column published_at as text in UTC */
    const char *identity; /* of the table $1 (quoted): a text that another table of its name doesn't
                             have, one that changes when its file does, and whether its rows may be
                             read (1, 0); no row where there is none */
    const char *lock_rows; /* after SELECT … AS p: its rows stay as they are; "": they do */
    int32_t in_object;     /* so many columns can be one call that makes a JSON object; 0: any */

    bool readies_all; /* a stage without a key needs that too: */
    /* What the stage needs before it is joined: its statistics, or an index on the key. */
    Status (*put_ready)(const SqlMerge *merge, Buf *sql, Err *err);
    /* Columns [from, to) of stage `s` as a JSON object; with `key` those of the key alone. */
    Status (*put_object)(const SqlMerge *merge, int32_t from, int32_t to, bool key, Buf *sql,
                         Err *err);
} SqlDialect;

extern const SqlDialect SQL_POSTGRES;
extern const SqlDialect SQL_SQLITE;

/* Append a name, quoted. ERR_CONFIG for one that the database can't have. */
MUST_USE Status sql_put_name(const SqlDialect *dialect, Str name, Buf *sql, Err *err);
/* The same of "table" or "schema.table". */
MUST_USE Status sql_put_table(const SqlDialect *dialect, Str table, Buf *sql, Err *err);

#endif
