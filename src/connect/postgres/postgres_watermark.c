/* The watermark of a run: samples of the highest cursor, and the wait until one is settled. */
#include "connect/postgres/postgres_source_impl.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "foundation/obs/log.h"

/* A transaction stamps its now() a moment before it shows in pg_locks, and on a busy server it may
 * lose the processor just then: whoever stamped a time below the highest cursor is listed this much
 * later. */
#define WATERMARK_STAMP_US INT64_C(1000000)
/* Without a zone the cursor may be of any: only one older than this is old for certain. */
#define WATERMARK_ZONES_US (26 * INT64_C(3600000000))
#define WATERMARK_TICK_NS INT64_C(20000000)
/* How long a run waits for the transactions of its sample before it leaves that to the next one. */
#define WATERMARK_WAIT_NS INT64_C(2000000000)

enum { WATERMARK_RUNNING_MAX = 20000 };

bool postgres_watermark_settles(TypeId type)
{
    return type == TYPE_INT64 || type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ;
}

static TypeId cursor_type(const PostgresSource *self)
{
    return self->columns.schema->fields[self->cursor].type;
}

/* A cursor's text as the number that samples hold. */
static bool cursor_number(TypeId type, Str text, int64_t *ret_number)
{
    bool zone = false;
    if (type == TYPE_INT64) return number_parse_int64(text, ret_number) == NUMBER_OK;
    return datetime_cast_timestamp(text, ret_number, &zone) && *ret_number != DATETIME_INFINITY &&
           *ret_number != DATETIME_NEG_INFINITY;
}

/* ---- the highest cursor ---- */

static Status highest_sql(PostgresSource *self, Buf *sql, Err *err)
{
    const SourceReq *req = self->source.req;
    TRY(buf_append(sql, STR("SELECT pg_catalog.max("), err));
    TRY(postgres_db_quote(sql, req->cursor, err));
    TRY(buf_append(
        sql,
        STR(")::text, (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint "
            "FROM "),
        err));
    TRY(postgres_source_from(self, sql, err));
    Str sep = STR(" WHERE ");
    if (req->cursor_from.len) {
        TRY(buf_append(sql, sep, err));
        TRY(postgres_source_bound(self, req->cursor_inclusive ? ">=" : ">", req->cursor_from, sql,
                                  err));
        sep = STR(" AND ");
    }
    if (cursor_type(self) != TYPE_INT64) {
        TRY(buf_append(sql, sep, err));
        TRY(postgres_source_bound(self, "<", STR("infinity"), sql, err));
    }
    return buf_terminate(sql, err);
}

/* In a snapshot of its own, which is over when the list of transactions is taken. */
static Status highest(PostgresSource *self, bool *ret_some, int64_t *ret_cursor,
                      int64_t *ret_now_us, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(highest_sql(self, &sql, err));
    TRY(postgres_db_begin(self->db, "ISOLATION LEVEL READ COMMITTED READ ONLY", POSTGRES_ZONE_UTC,
                          err));
    TRY(postgres_db_query(self->db, sql.data, NULL, 0, &result, err));
    TRY(postgres_db_exec(self->db, "COMMIT", err));
    *ret_some = cursor_number(cursor_type(self), postgres_db_text(result, 0, 0), ret_cursor);
    (void)number_parse_int64(postgres_db_text(result, 0, 1), ret_now_us);
    return OK;
}

/* ---- the transactions that are open ---- */

typedef struct Running {
    PGresult *result;
    Str *ids;
    int32_t count;
    bool prepared; /* prepared transactions are there: nobody knows when they end */
} Running;

static void running_done(Running *running)
{
    PQclear(running->result);
    mem_free(running->ids);
    *running = (Running){0};
}

/* Other databases of the server can't write here; but who isn't known for sure counts. The
 * prepared ones are asked for afterwards: a transaction is in one of the two lists. */
static Status running_list(PostgresDb *db, Running *running, Err *err)
{
    running_done(running);
    TRY(postgres_db_query(
        db,
        "SELECT l.virtualtransaction, l.pid FROM pg_catalog.pg_locks l "
        "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
        "WHERE l.locktype = 'virtualxid' AND l.pid <> pg_catalog.pg_backend_pid() "
        "AND (a.datid IS NULL OR a.datname = pg_catalog.current_database()) "
        "AND a.backend_type IS DISTINCT FROM 'autovacuum worker'",
        NULL, 0, &running->result, err));
    running->count = PQntuples(running->result);
    running->ids = mem_array(running->count, (int64_t)sizeof *running->ids);
    if (!running->ids) return err_memory(err);
    if (running->count > WATERMARK_RUNNING_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d open transactions", WATERMARK_RUNNING_MAX);
    }
    for (int32_t i = 0; i < running->count; i++) {
        running->ids[i] = postgres_db_text(running->result, i, 0);
    }
    int64_t prepared = 0;
    TRY(postgres_db_int64(db,
                          "SELECT count(*) FROM pg_catalog.pg_prepared_xacts "
                          "WHERE database = pg_catalog.current_database()",
                          NULL, 0, &prepared, err));
    running->prepared = prepared > 0;
    return OK;
}

static Status pause_until(PostgresSource *self, int64_t until_ns, Err *err)
{
    while (clock_mono_ns() < until_ns) {
        postgres_pause(int64_min(until_ns, clock_mono_ns() + WATERMARK_TICK_NS));
        if (postgres_db_cancelled(self->db)) return err_set(err, ERR_CANCELLED, "cancelled");
    }
    return OK;
}

/* ---- samples ---- */

/* How long to wait until every transaction that stamped a time up to the cursor shows. */
static int64_t stamp_wait_us(TypeId type, int64_t cursor, int64_t now_us)
{
    int64_t age_us = now_us - cursor;
    if (type == TYPE_INT64) return 0;
    if (type == TYPE_TIMESTAMP) return age_us > WATERMARK_ZONES_US ? 0 : WATERMARK_STAMP_US;
    return int64_max(0, int64_min(WATERMARK_STAMP_US, WATERMARK_STAMP_US - age_us));
}

/* Steps one and two: the highest cursor, then who is open. */
static Status sample_take(PostgresSource *self, Running *running, bool *ret_some, Err *err)
{
    int64_t cursor = 0, now_us = 0;
    TRY(highest(self, ret_some, &cursor, &now_us, err));
    int64_t wait_us = *ret_some ? stamp_wait_us(cursor_type(self), cursor, now_us) : 0;
    TRY(pause_until(self, clock_mono_ns() + wait_us * 1000, err));
    TRY(running_list(self->db, running, err));
    if (!*ret_some) return OK;
    return postgres_settle_add(&self->settle, cursor, running->ids, running->count, err);
}

/* Step two b: list again until the sample's transactions are over, for a while. */
static Status sample_wait(PostgresSource *self, Running *now, int64_t *ret_cursor, bool *ret_some,
                          Err *err)
{
    int64_t deadline_ns = clock_mono_ns() + WATERMARK_WAIT_NS;
    *ret_some = false;
    while (self->settle.count > 0) {
        int64_t cursor = 0;
        if (!now->prepared &&
            postgres_settle_decide(&self->settle, now->ids, now->count, &cursor)) {
            *ret_cursor = cursor;
            *ret_some = true;
        }
        if (self->settle.count == 0 || clock_mono_ns() >= deadline_ns) return OK;
        TRY(pause_until(self, clock_mono_ns() + WATERMARK_TICK_NS, err));
        TRY(running_list(self->db, now, err));
    }
    return OK;
}

/* Somebody's transaction holds the watermark back: say whose, once a run. */
static void tell_unsettled(const PostgresSource *self, const Running *now)
{
    if (self->settle.count == 0) return;
    const PostgresSample *newest = &self->settle.samples[self->settle.count - 1];
    for (int32_t i = 0; i < now->count; i++) {
        for (int32_t r = 0; r < newest->count; r++) {
            if (!str_eq(newest->running[r], now->ids[i])) continue;
            int64_t pid = 0;
            (void)number_parse_int64(postgres_db_text(now->result, i, 1), &pid);
            LOG(LOG_INFO, "postgres", "an open transaction holds the watermark back",
                log_text("cursor", self->source.req->cursor), log_int("pid", pid));
            return;
        }
    }
}

static Status settled_note(PostgresSource *self, const Position *from, int64_t cursor, Err *err)
{
    TypeId type = cursor_type(self);
    int64_t before = 0;
    bool back = from && cursor_number(type, buf_str(&from->cursor), &before) && before > cursor;
    if (back) return OK;
    PostgresCursor settled = {.some = true, .number = cursor};
    buf_clear(&self->settled);
    return postgres_cursor_format(&settled, type, &self->settled, err);
}

Status postgres_watermark_settle(PostgresSource *self, const Position *from, Err *err)
{
    CLEANUP(running_done) Running running = {0};
    bool some = false;
    int64_t cursor = 0;
    if (from) TRY(postgres_settle_load(&self->settle, buf_str(&from->samples), err));
    if (from) TRY(buf_append(&self->settled, buf_str(&from->cursor), err));
    TRY(sample_take(self, &running, &some, err));
    TRY(sample_wait(self, &running, &cursor, &some, err));
    tell_unsettled(self, &running);
    return some ? settled_note(self, from, cursor, err) : OK;
}

Status postgres_watermark_observe(PostgresSource *self, Position *position, Err *err)
{
    CLEANUP(running_done) Running running = {0};
    bool some = false;
    TRY(postgres_settle_load(&self->settle, buf_str(&position->samples), err));
    return sample_take(self, &running, &some, err);
}
