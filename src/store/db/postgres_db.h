/* Sessions with PostgreSQL: opening, statements, COPY, and its errors in our terms. */
#ifndef NEURON_POSTGRES_DB_H
#define NEURON_POSTGRES_DB_H

#include <libpq-fe.h>

#include "foundation/base/buf.h"

/* One libpq session for one thread; only postgres_db_cancel may come from another. Every wait has
 * an end: opening (connect_timeout, 10 s for each place, names included), a dead network
 * (keepalives, tcp_user_timeout 120 s; the URL may set all three otherwise), a server that says
 * nothing: after a minute of silence it is asked over another connection whether it is there, and
 * after `timeout` the statement is given up. Notices are dropped, and bounded. */
typedef struct PostgresDb PostgresDb;

/* A statement may give nothing for so long: a day. */
#define POSTGRES_TIMEOUT_US INT64_C(86400000000)

typedef struct PostgresOpen {
    Str url;                  /* libpq's: parameters, .pgpass, services and PG… variables count */
    int64_t timeout_us;       /* 0: POSTGRES_TIMEOUT_US */
    int64_t deadline_ns;      /* the opening ends then (clock_mono_ns); 0: connect_timeout only */
    const _Atomic bool *stop; /* true: the opening ends; may be NULL */
} PostgresOpen;

/* Several hosts are tried in their order, and each address of a name. ERR_CONFIG for a URL that
 * libpq can't read, ERR_CONNECT, ERR_TIMEOUT, ERR_PERMISSION, ERR_NOT_FOUND (no such database),
 * ERR_CANCELLED. */
MUST_USE Status postgres_db_open(const PostgresOpen *how, PostgresDb **ret_db, Err *err);
/* From now on no wait of the session goes beyond the deadline (clock_mono_ns; 0: none), sending
 * included. What was waited for is then ERR_TIMEOUT, and the session good for closing only. */
void postgres_db_deadline(PostgresDb *db, int64_t deadline_ns);
/* NULL is fine. */
void postgres_db_close(PostgresDb *db);
PGconn *postgres_db_conn(PostgresDb *db);

/* The time zone that the server reads and shows times in. */
typedef enum PostgresZone {
    POSTGRES_ZONE_UTC,
    POSTGRES_ZONE_SESSION, /* as the role, the database or the URL sets it */
} PostgresZone;

/* BEGIN with `mode` ("ISOLATION LEVEL REPEATABLE READ READ ONLY", or ""), and in the same round
 * trip the settings that texts, types and comparisons depend on, among them: ISO dates, exact
 * floats, hex bytea, names without quotes, no notices, no timeout while idle. They hold to the end
 * of the transaction, so that nothing is left behind in a pooled connection (PgBouncer's
 * transaction mode). No snapshot is taken yet. */
MUST_USE Status postgres_db_begin(PostgresDb *db, const char *mode, PostgresZone zone, Err *err);
/* ROLLBACK where a transaction is open; failures don't matter (the session is closed next). */
void postgres_db_rollback(PostgresDb *db);

/* FAIL with the kind that the SQLSTATE says, the server's message, detail and hint. `result` NULL:
 * the connection's own error. Rows of the table ("Failing row contains …") are left out. */
Status postgres_db_error(PostgresDb *db, const PGresult *result, Err *err);

/* Run commands (several with `;` between them); rows are dropped. */
MUST_USE Status postgres_db_exec(PostgresDb *db, const char *sql, Err *err);
/* One statement; parameters are bound as text (ptr NULL: NULL). The caller frees the result with
 * PQclear. At most 64 parameters. */
MUST_USE Status postgres_db_query(PostgresDb *db, const char *sql, const Str *params,
                                  int param_count, PGresult **ret_result, Err *err);
/* Field of a result as text; NULL values: STR_NULL. */
Str postgres_db_text(const PGresult *result, int row, int column);
/* The first field of the first row as an integer; 0 when there is none or it is NULL. */
MUST_USE Status postgres_db_int64(PostgresDb *db, const char *sql, const Str *params,
                                  int param_count, int64_t *ret_value, Err *err);
/* Prepare the unnamed statement and describe it: types and names, no rows. */
MUST_USE Status postgres_db_describe(PostgresDb *db, const char *sql, PGresult **ret_result,
                                     Err *err);

/* Append "identifier" quoted; of "schema.name" both parts; 'text' as a literal. */
MUST_USE Status postgres_db_quote(Buf *out, Str identifier, Err *err);
MUST_USE Status postgres_db_quote_table(Buf *out, Str table, Err *err);
MUST_USE Status postgres_db_literal(PostgresDb *db, Buf *out, Str text, Err *err);

/* From any thread, without a wait: the running statement ends soon with ERR_CANCELLED, later ones
 * at once. */
void postgres_db_cancel(PostgresDb *db);
/* The same as soon as `*stop` is true; looked at while the session waits. It outlives the session.
 */
void postgres_db_stop_on(PostgresDb *db, const _Atomic bool *stop);
bool postgres_db_cancelled(const PostgresDb *db);

/* COPY … FROM STDIN: start, any number of pieces of any size, end. `ret_rows` may be NULL. When a
 * put fails, copy_end still has to be called where the session goes on: it makes the server drop
 * the COPY and gives the error, the server's own where there is one. */
MUST_USE Status postgres_db_copy_in(PostgresDb *db, const char *sql, Err *err);
MUST_USE Status postgres_db_copy_put(PostgresDb *db, Str bytes, Err *err);
MUST_USE Status postgres_db_copy_end(PostgresDb *db, int64_t *ret_rows, Err *err);
/* Which row of the COPY that failed the server refused, from 1; 0: it didn't say. */
int64_t postgres_db_copy_line(const PostgresDb *db);
/* End a COPY … FROM STDIN so that the server drops it. The transaction is then to be rolled back.
 */
void postgres_db_copy_abort(PostgresDb *db);

/* COPY … TO STDOUT: send it, then take rows one by one (ptr NULL: the end); what is wrong with the
 * statement shows at the first row. A row's bytes hold until the next call. */
MUST_USE Status postgres_db_copy_out(PostgresDb *db, const char *sql, Err *err);
MUST_USE Status postgres_db_copy_get(PostgresDb *db, Str *ret_row, Err *err);
/* The same, but not beyond the deadline (clock_mono_ns): *ret_ready false then. */
MUST_USE Status postgres_db_copy_poll(PostgresDb *db, int64_t deadline_ns, bool *ret_ready,
                                      Str *ret_row, Err *err);

static inline void postgres_db_clear_p(PGresult **p)
{
    PQclear(*p);
    *p = NULL;
}

#endif
