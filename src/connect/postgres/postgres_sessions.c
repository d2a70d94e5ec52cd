/* Who is at work in a database: sessions, their messages and transactions, prepared transactions.
 */
#include "connect/postgres/postgres_sessions.h"

#include "foundation/base/mem.h"
#include "foundation/base/number.h"

enum { SESSIONS_MAX = 20000 };

/* Columns of sessions and prepared transactions. */
enum { AT_PID, AT_START, AT_MESSAGE, AT_BEGAN, AT_WHO, AT_DOING, AT_SINCE, AT_AGE, AT_ID };

/* Three statements, each after the one before: a transaction that a message leaves open shows among
 * the transactions of a look that shows the message's end, and one that is prepared among the
 * prepared of a look that doesn't show it as open.
 *
 * Idle sessions hold nothing. Processes without a user (autovacuum) and those of other databases
 * write no rows here; a wal sender that sends the log writes none either, and its command never
 * ends. Other background processes say when they are in a transaction, but not reliably what
 * they stamp their rows with: their message lasts until they are seen without one. */
static const char SESSIONS_SQL[] =
    "SELECT a.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint, "
    "CASE WHEN a.backend_start IS NULL "
    "OR a.backend_type NOT IN ('client backend', 'walsender') THEN -1 "
    "WHEN a.state LIKE 'idle%' THEN 0 "
    "ELSE coalesce((extract(epoch FROM a.query_start) * 1000000)::bigint, -1) END, "
    "(extract(epoch FROM a.xact_start) * 1000000)::bigint, "
    "pg_catalog.concat_ws(', ', nullif(a.application_name, ''), 'user ' || a.usename), "
    "coalesce(a.state, 'at work'), "
    "pg_catalog.to_char(a.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), "
    "(extract(epoch FROM pg_catalog.clock_timestamp() - a.since) * 1000000)::bigint "
    "FROM (SELECT *, coalesce(xact_start, query_start) AS since "
    "FROM pg_catalog.pg_stat_activity) a "
    "WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.usesysid IS NOT NULL "
    "AND a.datname = pg_catalog.current_database() AND a.state IS DISTINCT FROM 'idle' "
    "AND (a.backend_type = 'walsender' AND EXISTS "
    "(SELECT 1 FROM pg_catalog.pg_stat_get_wal_senders() s "
    "WHERE s.pid = a.pid AND s.state <> 'startup')) IS NOT TRUE ORDER BY a.pid";

static const char TRANSACTIONS_SQL[] = "SELECT pid, virtualtransaction FROM pg_catalog.pg_locks "
                                       "WHERE locktype = 'virtualxid' AND granted ORDER BY pid";

static const char PREPARED_SQL[] =
    "SELECT 0, 0, 0, 0, pg_catalog.concat_ws(', ', gid, 'user ' || owner), 'prepared', "
    "pg_catalog.to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), "
    "(extract(epoch FROM pg_catalog.clock_timestamp() - prepared) * 1000000)::bigint, transaction "
    "FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()";

void postgres_sessions_done(PostgresSessions *sessions)
{
    PQclear(sessions->result);
    PQclear(sessions->open);
    PQclear(sessions->prepared);
    mem_free(sessions->items);
    mem_free(sessions->ids);
    *sessions = (PostgresSessions){0};
}

static int64_t number_at(const PGresult *result, int row, int column)
{
    int64_t number = 0;
    (void)number_parse_int64(postgres_db_text(result, row, column), &number);
    return number;
}

static Status sessions_read(PostgresSessions *s, Err *err)
{
    int32_t count = PQntuples(s->result);
    if (count > SESSIONS_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d sessions are at work", SESSIONS_MAX);
    }
    s->items = mem_array(count, (int64_t)sizeof *s->items);
    if (!s->items) return err_memory(err);
    for (int32_t i = 0; i < count; i++) {
        s->items[i] = (PostgresSession){
            .pid = number_at(s->result, i, AT_PID),
            .start_us = number_at(s->result, i, AT_START),
            .message_us = number_at(s->result, i, AT_MESSAGE),
            .began_us = number_at(s->result, i, AT_BEGAN),
        };
        s->hidden += s->items[i].start_us == 0;
    }
    s->look.sessions = s->items;
    s->look.session_count = count;
    return OK;
}

/* Both ascend by pid. */
static void transactions_read(PostgresSessions *s)
{
    int row = 0;
    for (int32_t i = 0; i < s->look.session_count; i++) {
        while (row < PQntuples(s->open) && number_at(s->open, row, 0) < s->items[i].pid) row++;
        if (row == PQntuples(s->open)) return;
        bool same = number_at(s->open, row, 0) == s->items[i].pid;
        if (same) s->items[i].transaction = postgres_db_text(s->open, row, 1);
    }
}

static Status prepared_read(PostgresSessions *s, Err *err)
{
    int32_t count = PQntuples(s->prepared);
    s->ids = mem_array(count, (int64_t)sizeof *s->ids);
    if (!s->ids) return err_memory(err);
    for (int32_t i = 0; i < count; i++) {
        s->ids[i] = postgres_db_text(s->prepared, i, AT_ID);
    }
    s->look.prepared = s->ids;
    s->look.prepared_count = count;
    return OK;
}

Status postgres_sessions_look(PostgresDb *db, bool prepares, PostgresSessions *s, Err *err)
{
    postgres_sessions_done(s);
    TRY(postgres_db_query(db, SESSIONS_SQL, NULL, 0, &s->result, err));
    TRY(sessions_read(s, err));
    TRY(postgres_db_query(db, TRANSACTIONS_SQL, NULL, 0, &s->open, err));
    transactions_read(s);
    if (!prepares) return OK;
    TRY(postgres_db_query(db, PREPARED_SQL, NULL, 0, &s->prepared, err));
    return prepared_read(s, err);
}

Status postgres_sessions_hidden(const PostgresSessions *s, PostgresDb *db, Buf *out, Err *err)
{
    if (s->hidden == 0) return OK;
    const char *user = PQuser(postgres_db_conn(db));
    return buf_printf(out, err,
                      "the messages of %d sessions of other roles are hidden: a row of one that "
                      "commits several times within one message may be missed; "
                      "GRANT pg_read_all_stats TO \"%s\" makes the watermark exact",
                      s->hidden, user ? user : "");
}

/* ---- who holds a sample ---- */

/* The row of a wait in its result; -1: not there. */
static int row_of(const PostgresSessions *s, const PostgresWait *wait)
{
    const PGresult *result = wait->pid ? s->result : s->prepared;
    for (int row = 0; result && row < PQntuples(result); row++) {
        bool same = wait->pid ? number_at(result, row, AT_PID) == wait->pid
                              : str_eq(postgres_db_text(result, row, AT_ID), wait->transaction);
        if (same) return row;
    }
    return -1;
}

static int64_t age_at(const PGresult *result, int row)
{
    return postgres_db_text(result, row, AT_AGE).ptr ? number_at(result, row, AT_AGE) : -1;
}

Status postgres_sessions_holder(const PostgresSessions *s, const PostgresSample *sample, Buf *out,
                                int64_t *ret_age_us, Err *err)
{
    const PGresult *result = NULL;
    int row = -1;
    for (int32_t i = 0; i < sample->count; i++) {
        const PGresult *at = sample->waits[i].pid ? s->result : s->prepared;
        int found = row_of(s, &sample->waits[i]);
        if (found < 0 || (result && age_at(at, found) <= age_at(result, row))) continue;
        result = at;
        row = found;
    }
    if (!result) return OK;
    Str who = postgres_db_text(result, row, AT_WHO);
    Str since = postgres_db_text(result, row, AT_SINCE);
    *ret_age_us = age_at(result, row);
    if (result == s->prepared) TRY(buf_append(out, STR("a transaction"), err));
    else TRY(buf_printf(out, err, "pid %lld", (long long)number_at(result, row, AT_PID)));
    TRY(buf_printf(out, err, " (%.*s), ", STR_ARG(who.len ? who : STR("starting"))));
    TRY(buf_append(out, postgres_db_text(result, row, AT_DOING), err));
    return since.len ? buf_printf(out, err, " since %.*s UTC", STR_ARG(since)) : OK;
}
