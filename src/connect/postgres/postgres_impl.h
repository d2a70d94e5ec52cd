/* What the files of the PostgreSQL connector share. */
#ifndef NEURON_POSTGRES_IMPL_H
#define NEURON_POSTGRES_IMPL_H

#include "connect/postgres/postgres_type.h"
#include "connect/connector.h"
#include "store/db/postgres_db.h"

enum { POSTGRES_SQL_MAX = 8 << 20 };

/* A source's transaction: one snapshot, nothing written. */
/* SourceInfo.wire: rows of binary COPY, without its header and trailer. */
#define POSTGRES_WIRE "postgresql copy"
#define POSTGRES_READ_MODE "ISOLATION LEVEL REPEATABLE READ READ ONLY"

/* ---- sessions (postgres_location.c) ---- */

/* postgres_db_open with the location's URL and `timeout` option. ERR_CONFIG for one that is none.
 */
MUST_USE Status postgres_open(const Location *location, const _Atomic bool *stop,
                              PostgresDb **ret_db, Err *err);

/* ---- the query (postgres_query.c) ---- */

/* The query with its :name parameters as literals, without a semicolon at its end. Texts, comments,
 * casts (::) and slices (a[1:n]) are left alone; `\:` is a colon. ERR_CONFIG for a parameter
 * without a value. */
MUST_USE Status postgres_query_bind(PostgresDb *db, const SourceReq *req, Buf *out, Err *err);

/* ---- what it gives (postgres_describe.c) ---- */

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

MUST_USE Status postgres_source_new(const SourceReq *req, Source **ret_source, Err *err);
MUST_USE Status postgres_sink_new(const SinkReq *req, Sink **ret_sink, Err *err);

#endif
