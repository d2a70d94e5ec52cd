/* One table that a sink writes: what it is, and what its columns take. */
#ifndef NEURON_POSTGRES_TABLE_H
#define NEURON_POSTGRES_TABLE_H

#include "connect/postgres/postgres_encode.h"
#include "connect/postgres/postgres_location.h"

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

typedef struct PostgresSink PostgresSink;

/* Does the target exist, which of the schema's columns does it lack, what do the others take.
 * ERR_SCHEMA where the request forbids what would be needed, or a column can't take its field. */
MUST_USE Status postgres_table_inspect(PostgresSink *self, PostgresTable *table, Str name,
                                       const Schema *schema, bool create, bool evolve, Err *err);
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

#endif
