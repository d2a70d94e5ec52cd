/* Sessions with PostgreSQL: opening, statements, and waiting for them. */
#include "store/db/postgres_db.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "foundation/codec/url.h"
#include "store/db/postgres_db_impl.h"
#include "store/db/postgres_error.h"

enum { POSTGRES_PARAMS_MAX = 64, POSTGRES_CONNECT_S = 10, POSTGRES_HOSTS_MAX = 64 };

/* How long a wait lasts before the session looks whether it was cancelled. */
enum { POSTGRES_TICK_MS = 100 };
/* A cancelled statement that the server doesn't end in this time is left behind. */
#define POSTGRES_CANCEL_NS INT64_C(5000000000)

/* ---- waiting ---- */

Status postgres_wait(PostgresDb *db, bool write, int64_t deadline_ns, bool *ret_ready, Err *err)
{
    int64_t cancelled_ns = 0;
    *ret_ready = false;
    while (true) {
        int64_t now_ns = clock_mono_ns();
        int64_t left_ms = deadline_ns < 0 ? POSTGRES_TICK_MS : (deadline_ns - now_ns) / 1000000;
        struct pollfd fd = {.fd = PQsocket(db->conn),
                            .events = (short)(write ? POLLIN | POLLOUT : POLLIN)};
        if (fd.fd < 0) return postgres_error_connection(db->conn, false, err);
        int ready = poll(&fd, 1, (int)int64_max(int64_min(left_ms, POSTGRES_TICK_MS), 0));
        if (ready > 0) {
            *ret_ready = true;
            return OK;
        }
        if (db->stop && atomic_load(db->stop) && !cancelled_ns) postgres_db_cancel(db);
        if (db->deadline_ns && clock_mono_ns() >= db->deadline_ns) {
            return err_set(err, ERR_TIMEOUT, "postgresql: the server did not answer in time");
        }
        if (deadline_ns >= 0 && clock_mono_ns() >= deadline_ns) return OK;
        if (!atomic_load(&db->cancelled)) continue;
        if (!cancelled_ns) cancelled_ns = now_ns;
        if (now_ns - cancelled_ns > POSTGRES_CANCEL_NS) {
            return err_set(err, ERR_CANCELLED, "cancelled");
        }
    }
}

Status postgres_db_error(PostgresDb *db, const PGresult *result, Err *err)
{
    bool cancelled = atomic_load(&db->cancelled);
    bool lost = PQstatus(db->conn) == CONNECTION_BAD;
    if (result && PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
        return postgres_error_result(result, cancelled, err);
    }
    if (cancelled) return err_set(err, ERR_CANCELLED, "cancelled");
    if (!result || lost) return postgres_error_connection(db->conn, false, err);
    return postgres_error_result(result, cancelled, err);
}

Status postgres_result(PostgresDb *db, PGresult **ret_result, Err *err)
{
    bool unsent = false, ready = false;
    while ((unsent = PQflush(db->conn) == 1) || PQisBusy(db->conn)) {
        TRY(postgres_wait(db, unsent, -1, &ready, err));
        if (!PQconsumeInput(db->conn)) break; /* PQgetResult tells what the server said last */
    }
    *ret_result = PQgetResult(db->conn);
    return OK;
}

/* ---- opening ---- */

/* A URL that libpq can't read. Its message may hold the URL's text, so only the harmless one is
 * shown: of a parameter's name, where no @ behind it says that it was part of a password. */
static Status url_error(const char *url, const char *message, Err *err)
{
    const char *query = strchr(url, '?');
    bool harmless = query && !strchr(query, '@');
    if (harmless && message && strncmp(message, "invalid URI query parameter", 27) == 0) {
        Str line = str_trim(str_from(message));
        (void)err_set(err, ERR_CONFIG, "postgresql: %.*s", STR_ARG(line));
        return err_hint(err, "parameters are libpq's own: sslmode, connect_timeout, options, …");
    }
    (void)err_set(err, ERR_CONFIG, "postgresql: the URL can't be read");
    return err_hint(err, "postgresql://user:password@host:5432/database; write @ : / %% # ? of a "
                         "password as %%40 %%3A %%2F %%25 %%23 %%3F");
}

/* asyncpg's and other drivers' `ssl=require` is libpq's `sslmode=require`. */
static Status url_text(Str url, Buf *out, Err *err)
{
    int64_t question = str_find_char(url, '?');
    Str head = question < 0 ? url : str_slice(url, 0, question);
    Str rest = question < 0 ? STR_NULL : str_slice(url, question + 1, url.len);
    Url parsed;
    TRY(url_parse(url, &parsed, err));
    TRY(buf_append(out, head, err));
    Str item = STR_NULL;
    for (char sep = '?'; rest.len && str_next_part(&rest, '&', &item); sep = '&') {
        bool ssl = str_starts(item, STR("ssl=")) && !str_eq(item, STR("ssl=true"));
        TRY(buf_append_char(out, sep, err));
        if (ssl) TRY(buf_append(out, STR("sslmode="), err));
        TRY(buf_append(out, ssl ? str_slice(item, 4, item.len) : item, err));
    }
    return buf_terminate(out, err);
}

typedef struct ConnectTime {
    int64_t seconds; /* per host */
    int64_t hosts;
} ConnectTime;

/* What the URL says about time, and whether libpq can read it at all. */
static Status url_check(const char *url, ConnectTime *ret_time, Err *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);
    Status status = options ? OK : url_error(url, message, err);
    PQfreemem(message);
    const char *env = getenv("PGCONNECT_TIMEOUT");
    int64_t seconds = POSTGRES_CONNECT_S;
    if (env) (void)number_parse_int64(str_from(env), &seconds);
    ret_time->hosts = 1;
    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        if (!o->val) continue;
        if (strcmp(o->keyword, "connect_timeout") == 0) {
            (void)number_parse_int64(str_from(o->val), &seconds);
        }
        if (strcmp(o->keyword, "host") != 0) continue;
        for (const char *c = o->val; *c; c++) ret_time->hosts += *c == ',';
    }
    PQconninfoFree(options);
    ret_time->seconds = seconds > 0 && seconds < 3600 ? seconds : POSTGRES_CONNECT_S;
    ret_time->hosts = int64_min(ret_time->hosts, POSTGRES_HOSTS_MAX);
    return status;
}

static void drop_notice(void *arg UNUSED, const PGresult *result UNUSED)
{
}

/* Drive the opening to its end, at most until the deadline. A host that doesn't answer counts as
 * one that isn't there. */
static Status connect_wait(PGconn *conn, int64_t deadline_ns, Err *err)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED) return postgres_error_connection(conn, true, err);
        int64_t left_ms = (deadline_ns - clock_mono_ns()) / 1000000;
        if (left_ms <= 0) {
            const char *host = PQhost(conn);
            return err_set(err, ERR_TIMEOUT, "postgresql: no answer from %s:%s in time",
                           host ? host : "the server", PQport(conn));
        }
        struct pollfd fd = {.fd = PQsocket(conn),
                            .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (poll(&fd, 1, (int)left_ms) <= 0) continue;
        state = PQconnectPoll(conn);
    }
    return OK;
}

static Status connect_start(const char *url, int64_t deadline_ns, PGconn **ret_conn, Err *err)
{
    /* What stands before dbname the URL may say otherwise; what stands behind it may not. */
    static const char *const NAMES[] = {
        "fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout",          "dbname",          "client_encoding",     NULL};
    const char *values[] = {"neuron", "30", "10", "3", "120000", url, "UTF8", NULL};
    PGconn *conn = PQconnectStartParams(NAMES, values, 1);
    if (!conn) return err_memory(err);
    if (PQstatus(conn) == CONNECTION_BAD) {
        Status status = postgres_error_connection(conn, true, err);
        PQfinish(conn);
        return status;
    }
    (void)PQsetNoticeReceiver(conn, drop_notice, NULL);
    /* Only a verbose message shows why the server turned us away. */
    (void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    if (connect_wait(conn, deadline_ns, err) != OK) {
        PQfinish(conn);
        return FAIL;
    }
    (void)PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    *ret_conn = conn;
    return OK;
}

Status postgres_db_open(Str url, PostgresDb **ret_db, Err *err)
{
    return postgres_db_open_until(url, INT64_MAX, ret_db, err);
}

Status postgres_db_open_until(Str url, int64_t deadline_ns, PostgresDb **ret_db, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 17);
    TRY(url_text(url, &text, err));
    ConnectTime time = {0};
    TRY(url_check(text.data, &time, err));
    PostgresDb *db = mem_zalloc((int64_t)sizeof *db);
    if (!db) return err_memory(err);
    int64_t time_ns = time.seconds * time.hosts * INT64_C(1000000000);
    deadline_ns = int64_min(deadline_ns, clock_mono_ns() + time_ns);
    if (connect_start(text.data, deadline_ns, &db->conn, err) != OK) {
        mem_free(db);
        return FAIL;
    }
    db->cancel = PQgetCancel(db->conn);
    if (!db->cancel) {
        postgres_db_close(db);
        return err_memory(err);
    }
    *ret_db = db;
    return OK;
}

void postgres_db_close(PostgresDb *db)
{
    if (!db) return;
    PQfreemem(db->row);
    PQfreeCancel(db->cancel);
    PQfinish(db->conn);
    mem_free(db);
}

void postgres_db_deadline(PostgresDb *db, int64_t deadline_ns)
{
    db->deadline_ns = deadline_ns;
    (void)PQsetnonblocking(db->conn, deadline_ns != 0); /* else libpq itself waits when it sends */
}

PGconn *postgres_db_conn(PostgresDb *db)
{
    return db->conn;
}

void postgres_db_cancel(PostgresDb *db)
{
    char ignored[256];
    atomic_store(&db->cancelled, true);
    (void)PQcancel(db->cancel, ignored, (int)sizeof ignored);
}

void postgres_db_stop_on(PostgresDb *db, const _Atomic bool *stop)
{
    db->stop = stop;
}

bool postgres_db_cancelled(const PostgresDb *db)
{
    return atomic_load(&db->cancelled) || (db->stop && atomic_load(db->stop));
}

/* ---- statements ---- */

Status postgres_check(PostgresDb *db, Err *err)
{
    bool stop = atomic_load(&db->cancelled) || (db->stop && atomic_load(db->stop));
    return stop ? err_set(err, ERR_CANCELLED, "cancelled") : OK;
}

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
    if (!PQsendPrepare(db->conn, "", sql, 0, NULL)) return postgres_db_error(db, NULL, err);
    TRY(results(db, NULL, err));
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
    if (PQtransactionStatus(db->conn) == PQTRANS_IDLE) return;
    PQclear(PQexec(db->conn, "ROLLBACK"));
}

/* ---- quoting ---- */

Status postgres_db_quote(Buf *out, Str identifier, Err *err)
{
    if (str_find_char(identifier, '\0') >= 0 || identifier.len == 0) {
        return err_set(err, ERR_CONFIG, "«%.*s» is not a name for PostgreSQL", STR_ARG(identifier));
    }
    TRY(buf_append_char(out, '"', err));
    for (int64_t i = 0; i < identifier.len; i++) {
        if (identifier.ptr[i] == '"') TRY(buf_append_char(out, '"', err));
        TRY(buf_append_char(out, identifier.ptr[i], err));
    }
    return buf_append_char(out, '"', err);
}

Status postgres_db_quote_table(Buf *out, Str table, Err *err)
{
    int64_t dot = str_find_char(table, '.');
    if (dot >= 0) {
        TRY(postgres_db_quote(out, str_slice(table, 0, dot), err));
        TRY(buf_append_char(out, '.', err));
    }
    return postgres_db_quote(out, str_slice(table, dot + 1, table.len), err);
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
