/* Runs of pipelines, failed attempts, ticks, leases, which of several neurons this is. */
#include <stdio.h>

#include "foundation/base/clock.h"
#include "store/state/state_store_impl.h"

#define RUN_COLUMNS                                                                                \
    "run_id, pipeline, trigger, status, scheduled_us, started_us, finished_us, attempts, result"
/* So far ahead of the store's clock is not in the future yet. */
#define TICK_SLACK_US "1000000"
enum { RUNS_DEFAULT = 100, RUNS_MAX = 1000 };

Status state_run_put(StateStore *store, const StateRun *r, Err *err)
{
    StateQuery query = {
        .sql = "INSERT INTO runs(" RUN_COLUMNS ", scope) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,"
               " {scope})"
               " ON CONFLICT(run_id) DO UPDATE SET pipeline=?2, trigger=?3, status=?4,"
               " scheduled_us=?5, started_us=?6, finished_us=?7, attempts=?8, result=?9, "
               "scope={scope}",
        STATE_VALUES(state_text(r->run_id), state_text(r->pipeline), state_text(r->trigger),
                     state_text(r->status), state_int(r->scheduled_us), state_int(r->started_us),
                     state_int(r->finished_us), state_int(r->attempts), state_text(r->result))};
    return state_query(store, &query, err);
}

Status state_run_finish(StateStore *store, Str run_id, Str status, int64_t finished_us,
                        int64_t attempts, Str result, const StateLetter *letter, Err *err)
{
    StateLetter none = {0};
    const StateLetter *put = letter ? letter : &none;
    StateQuery queries[] = {
        {.sql = "UPDATE runs SET status=?2, finished_us=?3, attempts=?4, result=?5 WHERE run_id=?1",
         STATE_VALUES(state_text(run_id), state_text(status), state_int(finished_us),
                      state_int(attempts), state_text(result))},
        {.sql = STATE_LETTER_SQL, STATE_LETTER_VALUES(put)}};
    TRY(state_queries(store, queries, letter ? 2 : 1, err));
    if (queries[0].changes == 1) return OK;
    return err_set(err, ERR_NOT_FOUND, "no run %.*s", STR_ARG(run_id));
}

typedef struct RunVisit {
    StateRunEach each;
    void *arg;
    int64_t count;
} RunVisit;

static Status run_row(void *arg, const StateRow *row, Err *err)
{
    RunVisit *visit = arg;
    StateRun run = {
        .run_id = state_column(row, 0),
        .pipeline = state_column(row, 1),
        .trigger = state_column(row, 2),
        .status = state_column(row, 3),
        .scheduled_us = state_column_int(row, 4),
        .started_us = state_column_int(row, 5),
        .finished_us = state_column_int(row, 6),
        .attempts = state_column_int(row, 7),
        .result = state_column(row, 8),
    };
    visit->count++;
    return visit->each(visit->arg, &run, err);
}

Status state_run_get(StateStore *store, Str run_id, StateRunEach each, void *arg, Err *err)
{
    RunVisit visit = {each, arg, 0};
    StateQuery query = {.sql = "SELECT " RUN_COLUMNS " FROM runs WHERE run_id=?1",
                        STATE_VALUES(state_text(run_id)),
                        .each = run_row,
                        .arg = &visit};
    TRY(state_query(store, &query, err));
    if (visit.count) return OK;
    return err_set(err, ERR_NOT_FOUND, "no run %.*s", STR_ARG(run_id));
}

/* Conditions that are asked for, and no others: SQLite plans without knowing the values. */
typedef struct RunSelect {
    Buf sql;
    StateValue values[8];
    int32_t count;
} RunSelect;

/* `sql` ends where the value's number comes. */
static Status condition(RunSelect *s, const char *sql, StateValue value, const char *end, Err *err)
{
    s->values[s->count++] = value;
    return buf_printf(&s->sql, err, "%s?%d%s", sql, s->count, end);
}

static Status run_select(const StateRunFilter *f, RunSelect *s, Err *err)
{
    int64_t limit = f->limit > 0 ? int64_min(f->limit, RUNS_MAX) : RUNS_DEFAULT;
    TRY(buf_printf(&s->sql, err,
                   "SELECT run_id, pipeline, trigger, status, scheduled_us,"
                   " started_us, finished_us, attempts, %s FROM runs WHERE 1=1",
                   f->brief ? "''" : "result"));
    if (f->pipeline.len) TRY(condition(s, " AND pipeline=", state_text(f->pipeline), "", err));
    if (f->status.len) TRY(condition(s, " AND status=", state_text(f->status), "", err));
    if (f->before.len) {
        TRY(condition(s, " AND seq<(SELECT seq FROM runs WHERE run_id=", state_text(f->before), ")",
                      err));
    }
    if (f->since_us) TRY(condition(s, " AND started_us>=", state_int(f->since_us), "", err));
    if (f->mine) TRY(buf_append(&s->sql, STR(" AND scope={scope}"), err));
    TRY(condition(s, " ORDER BY seq DESC LIMIT ", state_int(limit), "", err));
    return buf_terminate(&s->sql, err);
}

Status state_run_list(StateStore *store, const StateRunFilter *f, StateRunEach each, void *arg,
                      Err *err)
{
    RunVisit visit = {each, arg, 0};
    RunSelect select = {.sql = buf_make(4096)};
    Status status = run_select(f, &select, err);
    if (status == OK) {
        StateQuery query = {.sql = select.sql.data,
                            .values = select.values,
                            .value_count = select.count,
                            .each = run_row,
                            .arg = &visit};
        status = state_query(store, &query, err);
    }
    buf_done(&select.sql);
    return status;
}

Status state_run_adopt(StateStore *store, StateRunEach each, void *arg, Err *err)
{
    RunVisit visit = {each, arg, 0};
    StateQuery query = {.sql = "UPDATE runs SET scope={scope} WHERE status IN ('queued', 'running')"
                               " AND scope<>{scope} AND 'replica:' || scope NOT IN"
                               " (SELECT name FROM leases WHERE until_us>={now})"
                               " RETURNING " RUN_COLUMNS,
                        .each = run_row,
                        .arg = &visit};
    return state_query(store, &query, err);
}

Status state_attempt_failed(StateStore *store, Str pipeline, Str run_id, int64_t at_us, Str kind,
                            Err *err)
{
    StateQuery query = {
        .sql = "INSERT INTO attempts(pipeline, at_us, run_id, kind) VALUES(?1,?2,?3,?4)",
        STATE_VALUES(state_text(pipeline), state_int(at_us), state_text(run_id), state_text(kind))};
    return state_query(store, &query, err);
}

Status state_clock_set_back(StateStore *store, Err *err)
{
    StateQuery queries[] = {
        {.sql = "UPDATE attempts SET at_us={now} WHERE at_us > {now} + " TICK_SLACK_US},
        {.sql =
             "UPDATE notices SET at_us={now}, due_us={now} WHERE at_us > {now} + " TICK_SLACK_US}};
    return state_queries(store, queries, COUNT_OF(queries), err);
}

static Status int64_row(void *arg, const StateRow *row, Err *err UNUSED)
{
    *(int64_t *)arg = state_column_int(row, 0);
    return OK;
}

Status state_attempts_failed(StateStore *store, Str pipeline, int64_t since_us, int64_t *ret_count,
                             Err *err)
{
    int64_t count = 0;
    StateQuery query = {.sql = "SELECT count(*) FROM attempts WHERE pipeline=?1 AND at_us>=?2",
                        STATE_VALUES(state_text(pipeline), state_int(since_us)),
                        .each = int64_row,
                        .arg = &count};
    TRY(state_query(store, &query, err));
    *ret_count = count;
    return OK;
}

/* A tick in the future of the store's clock is void: it is not taken, and one that was taken while
 * that clock was ahead counts as not taken. */
#define TICK_IS_NOT_AHEAD "?2 <= {now} + " TICK_SLACK_US
#define TICKS_VOID "DELETE FROM ticks WHERE name=?1 AND scheduled_us > {now} + " TICK_SLACK_US
#define TICK_TAKE                                                                                  \
    "INSERT INTO ticks(name, scheduled_us, owner) SELECT ?1,?2,?3 WHERE " TICK_IS_NOT_AHEAD        \
    " ON CONFLICT DO NOTHING"

Status state_tick_take(StateStore *store, Str name, int64_t scheduled_us, Str owner, bool *ret_mine,
                       Err *err)
{
    StateQuery queries[] = {
        {.sql = TICKS_VOID, STATE_VALUES(state_text(name))},
        {.sql = TICK_TAKE,
         STATE_VALUES(state_text(name), state_int(scheduled_us), state_text(owner))}};
    TRY(state_queries(store, queries, COUNT_OF(queries), err));
    *ret_mine = queries[1].changes == 1;
    return OK;
}

Status state_tick_run(StateStore *store, Str name, const StateRun *r, Str owner, bool *ret_mine,
                      Err *err)
{
    /* The owner of the tick is this one run, so that only who took it puts the run. */
    CLEANUP(buf_done) Buf taker = buf_make(256);
    TRY(buf_printf(&taker, err, "%.*s/%.*s", STR_ARG(owner), STR_ARG(r->run_id)));
    StateQuery queries[] = {
        {.sql = TICKS_VOID, STATE_VALUES(state_text(name))},
        {.sql = TICK_TAKE,
         STATE_VALUES(state_text(name), state_int(r->scheduled_us), state_text(buf_str(&taker)))},
        {.sql =
             "INSERT INTO runs(" RUN_COLUMNS ", scope) SELECT ?4,?5,?6,?7,?2,0,0,0,'',{scope}"
             " WHERE EXISTS (SELECT 1 FROM ticks WHERE name=?1 AND scheduled_us=?2 AND owner=?3)",
         STATE_VALUES(state_text(name), state_int(r->scheduled_us), state_text(buf_str(&taker)),
                      state_text(r->run_id), state_text(r->pipeline), state_text(r->trigger),
                      state_text(r->status))}};
    TRY(state_queries(store, queries, COUNT_OF(queries), err));
    *ret_mine = queries[1].changes == 1;
    return OK;
}

Status state_tick_last(StateStore *store, Str name, int64_t *ret_scheduled_us, Err *err)
{
    int64_t last = 0;
    StateQuery query = {.sql = "SELECT max(scheduled_us) FROM ticks WHERE name=?1"
                               " AND scheduled_us <= {now} + " TICK_SLACK_US,
                        STATE_VALUES(state_text(name)),
                        .each = int64_row,
                        .arg = &last};
    TRY(state_query(store, &query, err));
    *ret_scheduled_us = last;
    return OK;
}

Status state_store_offset(StateStore *store, int64_t *ret_us, Err *err)
{
    int64_t now_us = 0, before_us = clock_now_us();
    *ret_us = 0;
    if (store->db) return OK;
    StateQuery query = {.sql = "SELECT {now}", .each = int64_row, .arg = &now_us};
    TRY(state_query(store, &query, err));
    int64_t after_us = clock_now_us();
    *ret_us = now_us - before_us - (after_us - before_us) / 2;
    return OK;
}

/* ---- leases ---- */

Status state_lease_take(StateStore *store, Str name, int64_t hold_us, bool *ret_mine, Err *err)
{
    StateQuery query = {
        .sql = "INSERT INTO leases(name, owner, until_us) VALUES(?1,?2,{now}+?3)"
               " ON CONFLICT(name) DO UPDATE SET owner=?2, until_us={now}+?3"
               " WHERE leases.owner=?2 OR leases.until_us<{now}",
        STATE_VALUES(state_text(name), state_text(str_from(store->owner)), state_int(hold_us))};
    TRY(state_query(store, &query, err));
    *ret_mine = query.changes == 1;
    return OK;
}

Status state_lease_drop(StateStore *store, Str name, Err *err)
{
    StateQuery query = {.sql = "DELETE FROM leases WHERE name=?1 AND owner=?2",
                        STATE_VALUES(state_text(name), state_text(str_from(store->owner)))};
    return state_query(store, &query, err);
}

/* ---- which of several neurons ---- */

Status state_scope_take(StateStore *store, int64_t hold_us, int64_t *ret_number, Err *err)
{
    *ret_number = 0;
    if (store->db) return OK;
    for (int64_t n = 1; n <= STATE_REPLICAS_MAX; n++) {
        char name[32];
        int len = snprintf(name, sizeof name, "replica:%lld", (long long)n);
        bool mine = false;
        TRY(state_lease_take(store, str_make(name, len), hold_us, &mine, err));
        if (!mine) continue;
        buf_clear(&store->scope);
        *ret_number = n;
        return buf_printf(&store->scope, err, "%lld", (long long)n);
    }
    return err_set(err, ERR_LIMIT, "more than %d neurons on one state store", STATE_REPLICAS_MAX);
}

Status state_scope_renew(StateStore *store, int64_t hold_us, bool *ret_mine, Err *err)
{
    *ret_mine = true;
    if (store->db) return OK;
    char name[32];
    int len = snprintf(name, sizeof name, "replica:%.*s", STR_ARG(buf_str(&store->scope)));
    return state_lease_take(store, str_make(name, len), hold_us, ret_mine, err);
}

Status state_scope_adopt(StateStore *store, Err *err)
{
#define OF_NOBODY                                                                                  \
    " WHERE scope<>{scope} AND 'replica:' || scope NOT IN"                                         \
    " (SELECT name FROM leases WHERE until_us>={now})"
    StateQuery queries[] = {{.sql = "UPDATE outbox SET scope={scope}" OF_NOBODY},
                            {.sql = "UPDATE notices SET scope={scope}" OF_NOBODY}};
    return state_queries(store, queries, COUNT_OF(queries), err);
}
