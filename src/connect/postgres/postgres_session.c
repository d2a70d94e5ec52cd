/* The sink's session with its server: opened, opened anew, and the settings of its transactions. */
#include "connect/postgres/postgres_session.h"

#include <stdio.h>

#include "connect/postgres/postgres_location.h"
#include "connect/postgres/postgres_sink.h"

/* So long may a cycle of a shared stream stand still in its transaction. */
enum { PATIENCE_CYCLES = 10, PATIENCE_MS = 60000 };

void postgres_session_close(PostgresSink *self)
{
    pthread_mutex_lock(&self->session.mutex);
    PostgresDb *db = TAKE(self->session.db);
    self->session.cancelled = false;
    pthread_mutex_unlock(&self->session.mutex);
    postgres_db_close(db);
}

/* Before the first transaction. */
static void note_zone(PostgresSinkSession *session, PostgresDb *db)
{
    const char *name = PQparameterStatus(postgres_db_conn(db), "TimeZone");
    if (session->zone_name[0]) return;
    str_to_array(session->zone_name, (int64_t)sizeof session->zone_name,
                 name ? str_from(name) : STR("UTC"));
    Err ignored = {0};
    IGNORE(timezone_load(str_from(session->zone_name), &session->zone, &ignored));
}

Status postgres_session_open(PostgresSink *self, Err *err)
{
    if (self->session.db) return OK;
    PostgresDb *db = NULL;
    TRY(postgres_open(self->core.sink.req->location, self->core.sink.req->stop, &db, err));
    note_zone(&self->session, db);
    /* Before the first cycle nothing is lost: a cycle that has begun is ended by cancel alone. */
    if (!self->session.begun) postgres_db_stop_on(db, self->core.sink.req->stop);
    pthread_mutex_lock(&self->session.mutex);
    self->session.db = db;
    pthread_mutex_unlock(&self->session.mutex);
    return OK;
}

Status postgres_session_run(PostgresSink *self, Err *err)
{
    TRY(buf_terminate(&self->core.sql, err));
    return postgres_db_exec(self->session.db, self->core.sql.data, err);
}

bool postgres_session_is_lost(const PostgresSink *self)
{
    return !self->session.db || self->session.cancelled ||
           PQstatus(postgres_db_conn(self->session.db)) == CONNECTION_BAD;
}

Status postgres_session_begin(PostgresSink *self, Status (*begin)(PostgresSink *self, Err *err),
                              Err *err)
{
    if (postgres_session_is_lost(self)) postgres_session_close(self);
    bool fresh = !self->session.db;
    TRY(postgres_session_open(self, err));
    if (begin(self, err) == OK) return OK;
    if (fresh || err->kind != ERR_CONNECT) return FAIL;
    err_clear(err);
    postgres_session_close(self);
    TRY(postgres_session_open(self, err));
    return begin(self, err);
}

/* One round trip. The server looks after a client that it doesn't hear of any more, since what it
 * holds would keep the next run waiting; joins and sorts of the merge get memory. */
static const char SETTINGS[] = "SELECT pg_backend_pid(), now(), set_config('jit', 'off', true),"
                               " set_config('tcp_keepalives_idle', '30', true),"
                               " set_config('tcp_keepalives_interval', '10', true),"
                               " set_config('tcp_keepalives_count', '3', true),"
                               " set_config('work_mem', greatest(65536,"
                               " pg_size_bytes(current_setting('work_mem')) / 1024) || 'kB', true),"
                               " set_config('idle_in_transaction_session_timeout', coalesce($1,"
                               " current_setting('idle_in_transaction_session_timeout')), true)";

/* Whoever sleeps in its cycle holds rows that its successor is to write: the server undoes that. */
static Str patience(const PostgresSink *self, char text[32])
{
    int64_t cycle_ms = self->core.sink.req->cycle_us / 1000;
    if (!postgres_sink_is_shared(self) || cycle_ms <= 0) return STR_NULL;
    int64_t ms = int64_max(PATIENCE_CYCLES * cycle_ms, PATIENCE_MS);
    int len = snprintf(text, 32, "%lld", (long long)int64_min(ms, INT32_MAX));
    return str_make(text, len);
}

Status postgres_session_transaction(PostgresSink *self, Err *err)
{
    TRY(postgres_db_begin(self->session.db, "ISOLATION LEVEL READ COMMITTED", POSTGRES_ZONE_SESSION,
                          err));
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    char text[32];
    Str param = patience(self, text);
    TRY(postgres_db_query(self->session.db, SETTINGS, &param, 1, &result, err));
    str_to_array(self->session.pid, (int64_t)sizeof self->session.pid,
                 postgres_db_text(result, 0, 0));
    str_to_array(self->session.began, (int64_t)sizeof self->session.began,
                 postgres_db_text(result, 0, 1));
    return OK;
}
