/* The stable watermark of a run: samples of the highest cursor, and the wait until one is stable.
 */
#include "connect/postgres/postgres_watermark.h"
#include "connect/postgres/postgres_location.h"
#include "connect/postgres/postgres_memory.h"
#include "connect/postgres/postgres_primary.h"
#include "connect/postgres/postgres_select.h"
#include "connect/postgres/postgres_sessions.h"
#include "foundation/base/clock.h"
#include "foundation/base/number.h"

/* A message's time is taken a moment before it shows, and on a busy server its process may lose the
 * processor just then: whoever took a time up to the cursor shows this much later. Clocks that
 * step back by less do no harm for the same reason. */
#define WATERMARK_STAMP_US INT64_C(1000000)
/* Without a zone the cursor may be of any: only one older than this is old for certain, and one
 * further ahead is in the future everywhere. */
#define WATERMARK_ZONES_US (26 * INT64_C(3600000000))
#define WATERMARK_AHEAD_US (14 * INT64_C(3600000000))
#define WATERMARK_TICK_NS INT64_C(20000000)
/* How long a run waits for what its sample waits for before it leaves that to the next one, and for
 * a standby to replay what is stable on its primary. */
#define WATERMARK_WAIT_NS INT64_C(2000000000)
#define WATERMARK_REPLAY_NS INT64_C(10000000000)
/* Who holds a watermark for so long is named. */
#define WATERMARK_HELD_US INT64_C(5000000)

bool postgres_watermark_settles(const SourceReq *req, TypeId type)
{
    return type == TYPE_INT64 || type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ ||
           (type == TYPE_DATE && req->order.lag_us > 0);
}

static TypeId cursor_type(const PostgresSource *self)
{
    return self->columns.schema->fields[self->cursor].type;
}

static bool is_time(TypeId type)
{
    return type != TYPE_INT64;
}

/* A cursor's text as the number that samples hold. */
static bool cursor_number(TypeId type, Str text, int64_t *ret_number)
{
    int32_t days = 0;
    bool zone = false;
    if (type == TYPE_INT64) return number_parse_int64(text, ret_number) == NUMBER_OK;
    if (type == TYPE_DATE) {
        bool good = datetime_cast_date(text, &days);
        *ret_number = days;
        return good && days != DATE_INFINITY && days != DATE_NEG_INFINITY;
    }
    return datetime_cast_timestamp(text, ret_number, &zone) && *ret_number != DATETIME_INFINITY &&
           *ret_number != DATETIME_NEG_INFINITY;
}

static Status cursor_text(TypeId type, int64_t number, Buf *out, Err *err)
{
    CursorValue cursor = {.some = true, .type = type, .number = number};
    buf_clear(out);
    return cursor_value_format(&cursor, out, err);
}

static PostgresDb *asked(const PostgresSource *self)
{
    return self->watermark.primary ? self->watermark.primary : self->db;
}

static Status ask(PostgresSource *self, Err *err)
{
    if (postgres_server_ask(asked(self), &self->watermark.seen, err) == OK) return OK;
    return self->watermark.primary ? err_prefix(err, "primary: ") : FAIL;
}

/* ---- the highest cursor ---- */

/* The latest time that counts: rows of later ones have their turn later. */
static bool latest(const PostgresSource *self, TypeId type, int64_t *ret_number)
{
    const PostgresServer *server = &self->watermark.seen.server;
    int64_t lag_us = self->source.req->order.lag_us;
    int64_t as_of_us = postgres_server_as_of_us(server);
    int64_t local_us = server->local_us - server->clock_us;
    *ret_number = as_of_us - lag_us;
    if (type == TYPE_TIMESTAMP) *ret_number += lag_us ? local_us : WATERMARK_AHEAD_US;
    /* Rows of a day may come until it is over. */
    if (type == TYPE_DATE) *ret_number = (*ret_number + local_us) / DATETIME_DAY_US - 1;
    return as_of_us > 0;
}

static Status highest_sql(PostgresSource *self, const int64_t *latest_number, Buf *sql, Err *err)
{
    CLEANUP(buf_done) Buf to = buf_make(1 << 10);
    TRY(buf_append(sql, STR("SELECT pg_catalog.max("), err));
    TRY(postgres_db_quote(sql, self->source.req->incremental.cursor, err));
    TRY(buf_append(sql, STR(")::text FROM "), err));
    TRY(postgres_select_from(self, sql, err));
    Str sep = STR(" WHERE ");
    if (self->begin.from.len) {
        TRY(buf_append(sql, sep, err));
        TRY(postgres_select_bound(self, ">=", self->begin.from, sql, err));
        sep = STR(" AND ");
    }
    if (is_time(cursor_type(self))) {
        TRY(buf_append(sql, sep, err));
        if (latest_number) TRY(cursor_text(cursor_type(self), *latest_number, &to, err));
        Str bound = latest_number ? buf_str(&to) : STR("infinity");
        TRY(postgres_select_bound(self, latest_number ? "<=" : "<", bound, sql, err));
    }
    return buf_terminate(sql, err);
}

/* In a snapshot of its own, which is over when sessions are looked at. */
static Status highest_ask(PostgresSource *self, const int64_t *latest_number, bool *ret_some,
                          int64_t *ret_cursor, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(highest_sql(self, latest_number, &sql, err));
    TRY(postgres_db_begin(self->db, "ISOLATION LEVEL READ COMMITTED READ ONLY", POSTGRES_ZONE_UTC,
                          err));
    TRY(postgres_db_query(self->db, sql.data, NULL, 0, &result, err));
    TRY(postgres_db_exec(self->db, "COMMIT", err));
    *ret_some = cursor_number(cursor_type(self), postgres_db_text(result, 0, 0), ret_cursor);
    return OK;
}

static Status note_future(PostgresSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    return source_note(
        &self->source, err, "\"%.*s\" has times in the future: the watermark doesn't follow them%s",
        STR_ARG(req->incremental.cursor),
        req->order.rows_once ? ", and such rows are loaded when their time has come" : "");
}

/* The highest cursor that may become the watermark, and the server's clock afterwards. */
static Status highest(PostgresSource *self, bool *ret_some, int64_t *ret_cursor, Err *err)
{
    const SourceReq *req = self->source.req;
    TypeId type = cursor_type(self);
    int64_t to = 0;
    *ret_some = false;
    if (req->order.lag_us && is_time(type)) {
        return latest(self, type, &to) ? highest_ask(self, &to, ret_some, ret_cursor, err) : OK;
    }
    TRY(highest_ask(self, NULL, ret_some, ret_cursor, err));
    TRY(ask(self, err));
    if (*ret_some && type == TYPE_INT64) *ret_cursor -= req->order.lag_count;
    bool future = *ret_some && is_time(type) && latest(self, type, &to) && *ret_cursor > to;
    if (!future) return OK;
    TRY(note_future(self, err));
    return highest_ask(self, &to, ret_some, ret_cursor, err);
}

/* ---- samples ---- */

static Status pause_until(PostgresSource *self, int64_t until_ns, Err *err)
{
    for (int64_t now_ns = clock_mono_ns(); now_ns < until_ns; now_ns = clock_mono_ns()) {
        clock_sleep_ns(int64_min(until_ns - now_ns, WATERMARK_TICK_NS));
        if (postgres_db_cancelled(self->db)) return err_set(err, ERR_CANCELLED, "cancelled");
    }
    return OK;
}

/* What the server's clock must show before sessions are looked at. */
static int64_t stamp_us(const PostgresSource *self, int64_t cursor, int64_t now_us)
{
    TypeId type = cursor_type(self);
    if (type == TYPE_DATE) return 0;
    if (type == TYPE_INT64) return self->watermark.clocked ? now_us + WATERMARK_STAMP_US : 0;
    if (type == TYPE_TIMESTAMPTZ) return cursor + WATERMARK_STAMP_US;
    return now_us - cursor > WATERMARK_ZONES_US ? 0 : now_us + WATERMARK_STAMP_US;
}

/* *ret_good false where the clock doesn't get there in time: it steps back just now. */
static Status stamp_wait(PostgresSource *self, int64_t cursor, bool *ret_good, Err *err)
{
    int64_t deadline_ns = clock_mono_ns() + WATERMARK_WAIT_NS;
    int64_t until_us = stamp_us(self, cursor, self->watermark.seen.server.clock_us);
    while (self->watermark.seen.server.clock_us < until_us && clock_mono_ns() < deadline_ns) {
        int64_t left_us =
            int64_min(until_us - self->watermark.seen.server.clock_us, WATERMARK_STAMP_US);
        TRY(pause_until(self, clock_mono_ns() + left_us * 1000, err));
        TRY(ask(self, err));
    }
    *ret_good = self->watermark.seen.server.clock_us >= until_us;
    return OK;
}

/* Samples that wait for nothing more are known on the primary; a standby must have got that far. */
static Status samples_free(PostgresSource *self, Err *err)
{
    if (self->watermark.primary) TRY(ask(self, err));
    postgres_samples_free(&self->watermark.samples,
                          self->watermark.primary ? self->watermark.seen.server.lsn : 0);
    return OK;
}

/* A later look. On a standby alone there is nothing to look at: `lag` or `overlap` speaks. */
static Status look(PostgresSource *self, PostgresSessions *sessions, Err *err)
{
    bool freed = false;
    if (self->standby && !self->watermark.primary) return OK;
    if (postgres_sessions_look(asked(self), self->watermark.seen.server.prepares, sessions, err) !=
        OK) {
        return self->watermark.primary ? err_prefix(err, "primary: ") : FAIL;
    }
    TRY(postgres_samples_pass(&self->watermark.samples, &sessions->look, &freed, err));
    return freed ? samples_free(self, err) : OK;
}

/* Steps one and two: the highest cursor, then who is at work. */
static Status sample_take(PostgresSource *self, PostgresSessions *sessions, Err *err)
{
    const SourceReq *req = self->source.req;
    int64_t cursor = 0;
    bool some = false, good = false;
    TRY(highest(self, &some, &cursor, err));
    if (some) TRY(stamp_wait(self, cursor, &good, err));
    TRY(look(self, sessions, err));
    if (!good) return OK;
    int64_t as_of_us = postgres_server_as_of_us(&self->watermark.seen.server);
    bool waits = req->order.lag_us && !is_time(cursor_type(self));
    int64_t ripe_us = waits ? as_of_us + req->order.lag_us : 0;
    if (waits && as_of_us <= 0) return OK;
    TRY(postgres_samples_add(&self->watermark.samples, cursor, ripe_us, &sessions->look, err));
    return samples_free(self, err);
}

/* Is there a sample that somebody's work holds back, or one that a standby doesn't know yet? */
static bool is_held(const PostgresSource *self, int64_t lsn, bool *ret_replay)
{
    bool held = false;
    *ret_replay = false;
    for (int32_t i = 0; i < self->watermark.samples.count; i++) {
        held = held || self->watermark.samples.items[i].lsn < 0;
        *ret_replay = *ret_replay || self->watermark.samples.items[i].lsn > lsn;
    }
    return held;
}

static Status note_replay(PostgresSource *self, int64_t lsn, Err *err)
{
    int64_t missing = self->watermark.seen.server.lsn - lsn;
    return source_note(&self->source, err,
                       "the standby is %lld bytes of log behind its primary: the watermark "
                       "advances when it has replayed them",
                       (long long)int64_max(missing, 0));
}

/* Step two b: look again until what the samples wait for is over, for a while. */
static Status sample_wait(PostgresSource *self, PostgresSessions *sessions, bool *ret_some,
                          int64_t *ret_cursor, Err *err)
{
    int64_t start_ns = clock_mono_ns();
    *ret_some = false;
    while (true) {
        int64_t lsn = INT64_MAX, cursor = 0;
        bool replay = false;
        if (self->watermark.primary) TRY(postgres_server_log(self->db, &lsn, err));
        int64_t as_of_us = postgres_server_as_of_us(&self->watermark.seen.server);
        if (postgres_samples_decide(&self->watermark.samples, as_of_us, lsn, &cursor)) {
            *ret_cursor = cursor;
            *ret_some = true;
        }
        bool held = is_held(self, lsn, &replay);
        int64_t waited_ns = clock_mono_ns() - start_ns;
        bool more =
            (held && waited_ns < WATERMARK_WAIT_NS) || (replay && waited_ns < WATERMARK_REPLAY_NS);
        if (!more) return replay ? note_replay(self, lsn, err) : OK;
        TRY(pause_until(self, clock_mono_ns() + WATERMARK_TICK_NS, err));
        if (held) TRY(look(self, sessions, err));
    }
}

/* ---- what a run says ---- */

/* Somebody's work holds the watermark: say whose. */
static Status note_holder(PostgresSource *self, const PostgresSessions *sessions, Err *err)
{
    CLEANUP(buf_done) Buf who = buf_make(1 << 16);
    int64_t age_us = -1;
    if (self->watermark.samples.count == 0) return OK;
    const PostgresSample *newest =
        &self->watermark.samples.items[self->watermark.samples.count - 1];
    TRY(postgres_sessions_holder(sessions, newest, &who, &age_us, err));
    if (who.len == 0 || (age_us >= 0 && age_us < WATERMARK_HELD_US)) return OK;
    return source_note(
        &self->source, err, "the watermark waits for %.*s: %s", STR_ARG(buf_str(&who)),
        self->source.req->order.rows_once ? "rows since then are loaded when it has ended"
                                          : "rows since then are read again each run");
}

static Status note_hidden(PostgresSource *self, const PostgresSessions *sessions, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 16);
    TRY(postgres_sessions_hidden(sessions, asked(self), &text, err));
    return text.len ? source_note(&self->source, err, "%.*s", STR_ARG(buf_str(&text))) : OK;
}

/* ---- a run ---- */

static Status stable_note(PostgresSource *self, int64_t cursor, Err *err)
{
    TypeId type = cursor_type(self);
    int64_t before = 0;
    if (cursor_number(type, buf_str(&self->watermark.stable), &before) && before > cursor)
        return OK;
    return cursor_text(type, cursor, &self->watermark.stable, err);
}

Status postgres_watermark_settle(PostgresSource *self, const Position *from, Err *err)
{
    CLEANUP(postgres_sessions_done) PostgresSessions sessions = {0};
    bool some = false;
    int64_t cursor = 0;
    TRY(ask(self, err));
    if (from) TRY(postgres_memory_load(self, from, err));
    TRY(sample_take(self, &sessions, err));
    TRY(sample_wait(self, &sessions, &some, &cursor, err));
    TRY(note_holder(self, &sessions, err));
    TRY(note_hidden(self, &sessions, err));
    return some ? stable_note(self, cursor, err) : OK;
}
