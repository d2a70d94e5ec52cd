/* Sessions with PostgreSQL: statements, transactions, quoting. */
#include "store/db/postgres_db.h"

#include <stdatomic.h>
#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/base/number.h"
#include "store/db/postgres_db_impl.h"
#include "engine/sql/sql_dialect.h"
#include "store/db/postgres_error.h"

enum { POSTGRES_PARAMS_MAX = 64 };

/* The server rolls back by itself when the session is closed: it is not waited for longer. */
#define ROLLBACK_NS INT64_C(5000000000)

PGconn *postgres_db_conn(PostgresDb *db)
{
    return db->conn;
}

/* ---- statements ---- */

/* The last result of what was sent; the first failure is the one that counts. */
static Status results(PostgresDb *db, PGresult **ret_result, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *last = NULL;
    Status status = OK;
    while (true) {
        CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
        TRY(postgres_result(db, &result, err));
        if (!result) break;
        ExecStatusType type = PQresultStatus(result);
        bool good =
            type == PGRES_COMMAND_OK || type == PGRES_TUPLES_OK || type == PGRES_EMPTY_QUERY;
        if (!good && status == OK) status = postgres_db_error(db, result, err);
        if (PQstatus(db->conn) == CONNECTION_BAD && status != OK) break;
        if (type == PGRES_COPY_IN || type == PGRES_COPY_OUT) break;
        PQclear(last);
        last = TAKE(result);
    }
    TRY(status);
    if (!last) return postgres_db_error(db, NULL, err);
    if (ret_result) *ret_result = TAKE(last);
    return OK;
}

Status postgres_db_exec(PostgresDb *db, const char *sql, Err *err)
{
    TRY(postgres_check(db, err));
    postgres_asked(db);
    if (!PQsendQuery(db->conn, sql)) return postgres_db_error(db, NULL, err);
    return results(db, NULL, err);
}

Status postgres_db_query(PostgresDb *db, const char *sql, const Str *params, int param_count,
                         PGresult **ret_result, Err *err)
{
    TRY(postgres_check(db, err));
    const char *values[POSTGRES_PARAMS_MAX];
    if (param_count > POSTGRES_PARAMS_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d parameters", POSTGRES_PARAMS_MAX);
    }
    CLEANUP(buf_done) Buf texts = buf_make(INT64_C(1) << 30);
    int64_t bytes = 0;
    for (int i = 0; i < param_count; i++) bytes += params[i].len + 1;
    TRY(buf_reserve(&texts, bytes, err));
    for (int i = 0; i < param_count; i++) {
        values[i] = params[i].ptr ? texts.data + texts.len : NULL;
        if (str_find_char(params[i], '\0') >= 0) {
            return err_set(err, ERR_DATA, "postgresql: text with a NUL byte can't be sent");
        }
        TRY(buf_append(&texts, params[i], err));
        TRY(buf_append_char(&texts, 0, err));
    }
    postgres_asked(db);
    if (!PQsendQueryParams(db->conn, sql, param_count, NULL, values, NULL, NULL, 0)) {
        return postgres_db_error(db, NULL, err);
    }
    return results(db, ret_result, err);
}

Str postgres_db_text(const PGresult *result, int row, int column)
{
    if (row >= PQntuples(result) || PQgetisnull(result, row, column)) return STR_NULL;
    return str_make(PQgetvalue(result, row, column), PQgetlength(result, row, column));
}

Status postgres_db_int64(PostgresDb *db, const char *sql, const Str *params, int param_count,
                         int64_t *ret_value, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(db, sql, params, param_count, &result, err));
    *ret_value = 0;
    (void)number_parse_int64(postgres_db_text(result, 0, 0), ret_value);
    return OK;
}

Status postgres_db_describe(PostgresDb *db, const char *sql, PGresult **ret_result, Err *err)
{
    TRY(postgres_check(db, err));
    postgres_asked(db);
    if (!PQsendPrepare(db->conn, "", sql, 0, NULL)) return postgres_db_error(db, NULL, err);
    TRY(results(db, NULL, err));
    postgres_asked(db);
    if (!PQsendDescribePrepared(db->conn, "")) return postgres_db_error(db, NULL, err);
    return results(db, ret_result, err);
}

/* What texts, types and errors depend on, whatever the role, the database or the URL set. What the
 * user's own SQL means stays as they set it: search_path, the order of day and month, lc_monetary.
 */
static const char PINNED[] =
    "SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres';"
    " SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex';"
    " SET LOCAL standard_conforming_strings = on; SET LOCAL quote_all_identifiers = off;"
    " SET LOCAL array_nulls = on; SET LOCAL xmloption = 'content'; SET LOCAL xmlbinary = 'base64';"
    " SET LOCAL exit_on_error = off; SET LOCAL client_min_messages = 'error';"
    " SET LOCAL idle_in_transaction_session_timeout = 0";

Status postgres_db_begin(PostgresDb *db, const char *mode, PostgresZone zone, Err *err)
{
    char sql[sizeof PINNED + 128];
    (void)snprintf(sql, sizeof sql, "BEGIN %s; %s%s", mode,
                   zone == POSTGRES_ZONE_UTC ? "SET LOCAL TimeZone = 'UTC'; " : "", PINNED);
    return postgres_db_exec(db, sql, err);
}

void postgres_db_rollback(PostgresDb *db)
{
    PGTransactionStatusType state = PQtransactionStatus(db->conn);
    bool some = state == PQTRANS_INTRANS || state == PQTRANS_INERROR;
    int64_t deadline_ns = clock_mono_ns() + ROLLBACK_NS;
    Err ignored = {0};
    if (!some || !PQsendQuery(db->conn, "ROLLBACK")) return;
    postgres_asked(db);
    while (true) {
        bool unsent = PQflush(db->conn) == 1, ready = false;
        if (!unsent && !PQisBusy(db->conn)) {
            PGresult *result = PQgetResult(db->conn);
            PQclear(result);
            if (!result) return;
            continue;
        }
        if (postgres_wait(db, unsent, deadline_ns, &ready, &ignored) != OK || !ready) return;
        if (!PQconsumeInput(db->conn)) return;
    }
}

/* ---- quoting ---- */

Status postgres_db_quote(Buf *out, Str identifier, Err *err)
{
    return sql_put_name(&SQL_POSTGRES, identifier, out, err);
}

Status postgres_db_quote_table(Buf *out, Str table, Err *err)
{
    return sql_put_table(&SQL_POSTGRES, table, out, err);
}

Status postgres_db_literal(PostgresDb *db, Buf *out, Str text, Err *err)
{
    if (str_find_char(text, '\0') >= 0) {
        return err_set(err, ERR_DATA, "postgresql: text with a NUL byte can't be sent");
    }
    char *quoted = PQescapeLiteral(db->conn, text.ptr ? text.ptr : "", (size_t)text.len);
    if (!quoted) {
        return err_set(err, ERR_DATA, "postgresql: a value is not UTF-8 text");
    }
    Status status = buf_append(out, str_trim(str_from(quoted)), err);
    PQfreemem(quoted);
    return status;
}
