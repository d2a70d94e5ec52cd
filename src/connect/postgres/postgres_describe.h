/* What a query gives: its columns, how each is read, and our schema. */
#ifndef NEURON_POSTGRES_DESCRIBE_H
#define NEURON_POSTGRES_DESCRIBE_H

#include "connect/postgres/postgres_type.h"
#include "foundation/base/buf.h"
#include "store/db/postgres_db.h"

/* A source's transaction: one snapshot, nothing written. */
#define POSTGRES_READ_MODE "ISOLATION LEVEL REPEATABLE READ READ ONLY"

/* The table column that a column of the result is; table 0: none. */
typedef struct PostgresOrigin {
    uint32_t table;
    int32_t column;
} PostgresOrigin;

/* The columns of a query: how each is read, and our schema. Zeroed, then made; done at the end. */
typedef struct PostgresColumns {
    int32_t count;
    PostgresType *types;
    PostgresOrigin *origins;
    Schema *schema;
    bool cast; /* at least one is not read as it is */
} PostgresColumns;
void postgres_columns_done(PostgresColumns *columns);
/* Describe `sql` in the open transaction (POSTGRES_READ_MODE, and nothing done in it yet: it begins
 * anew where its snapshot is older than the tables' files). Nobody alters the tables of the query
 * from here to the end of the transaction. Two columns of one name are ERR_CONFIG. */
MUST_USE Status postgres_columns_describe(PostgresDb *db, const char *sql, PostgresColumns *columns,
                                          Err *err);
/* The list for SELECT that reads them without loss: "a", "b"::text AS "b". */
MUST_USE Status postgres_columns_list(const PostgresColumns *columns, Buf *out, Err *err);

#endif
