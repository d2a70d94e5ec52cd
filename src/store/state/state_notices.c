/* States of alerts together with the notices about them; the notices' queues. */
#include "foundation/base/mem.h"
#include "store/state/state_store_impl.h"

enum { NOTICE_VALUES = 4 };

static void put_alert(const StateAlert *a, StateValue *values, StateQuery *query)
{
    values[0] = state_text(a->fingerprint);
    values[1] = state_text(a->state);
    *query = (StateQuery){.sql = a->state.len ? "INSERT INTO alerts(fingerprint, state, scope)"
                                                " VALUES(?1,?2,{scope}) ON CONFLICT(fingerprint)"
                                                " DO UPDATE SET state=?2, scope={scope}"
                                              : "DELETE FROM alerts WHERE fingerprint=?1 AND ?2=''"
                                                " AND scope={scope}",
                          .values = values,
                          .value_count = 2};
}

static void put_notice(const StateNotice *n, StateValue *values, StateQuery *query)
{
    values[0] = state_text(n->receiver);
    values[1] = state_text(n->body);
    values[2] = state_int(n->at_us);
    values[3] = state_int(n->due_us);
    *query =
        (StateQuery){.sql = "INSERT INTO notices(receiver, body, at_us, attempts, due_us, scope)"
                            " VALUES(?1,?2,?3,0,?4,{scope})",
                     .values = values,
                     .value_count = 4};
}

static void put_trim(const StateNotice *n, int64_t keep, StateValue *values, StateQuery *query)
{
    values[0] = state_text(n->receiver);
    values[1] = state_int(keep);
    *query = (StateQuery){.sql = "DELETE FROM notices WHERE receiver=?1 AND scope={scope} AND id <="
                                 " (SELECT id FROM notices WHERE receiver=?1 AND scope={scope} "
                                 "ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                          .values = values,
                          .value_count = 2};
}

Status state_alerts_save(StateStore *store, const StateAlert *alerts, int32_t alert_count,
                         const StateNotice *notices, int32_t notice_count, int64_t keep, Err *err)
{
    int32_t count = alert_count + 2 * notice_count, at = 0;
    if (count == 0) return OK;
    StateQuery *queries = mem_array(count, (int64_t)sizeof *queries);
    StateValue *values = mem_array((int64_t)count * NOTICE_VALUES, (int64_t)sizeof *values);
    Status status = queries && values ? OK : err_memory(err);
    for (int32_t i = 0; i < alert_count && status == OK; i++, at++) {
        put_alert(&alerts[i], &values[at * NOTICE_VALUES], &queries[at]);
    }
    for (int32_t i = 0; i < notice_count && status == OK; i++) {
        put_notice(&notices[i], &values[at * NOTICE_VALUES], &queries[at]);
        at++;
        put_trim(&notices[i], keep, &values[at * NOTICE_VALUES], &queries[at]);
        at++;
    }
    if (status == OK) status = state_queries(store, queries, count, err);
    mem_free(queries);
    mem_free(values);
    return status;
}

/* ---- the queues ---- */

typedef struct NoticeVisit {
    StateNoticeEach each;
    void *arg;
} NoticeVisit;

static Status notice_row(void *arg, const StateRow *row, Err *err)
{
    NoticeVisit *visit = arg;
    StateNotice notice = {
        .id = state_column_int(row, 0),
        .receiver = state_column(row, 1),
        .body = state_column(row, 2),
        .at_us = state_column_int(row, 3),
        .attempts = state_column_int(row, 4),
        .due_us = state_column_int(row, 5),
    };
    return visit->each(visit->arg, &notice, err);
}

Status state_notice_first(StateStore *store, Str receiver, StateNoticeEach each, void *arg,
                          Err *err)
{
    NoticeVisit visit = {each, arg};
    StateQuery query = {.sql = "SELECT id, receiver, body, at_us, attempts, due_us FROM notices"
                               " WHERE receiver=?1 AND scope={scope} ORDER BY id LIMIT 1",
                        STATE_VALUES(state_text(receiver)),
                        .each = notice_row,
                        .arg = &visit};
    return state_query(store, &query, err);
}

Status state_notice_later(StateStore *store, int64_t id, int64_t due_us, Err *err)
{
    StateQuery query = {.sql = "UPDATE notices SET attempts=attempts+1, due_us=?2 WHERE id=?1",
                        STATE_VALUES(state_int(id), state_int(due_us))};
    return state_query(store, &query, err);
}

Status state_notice_done(StateStore *store, int64_t id, Err *err)
{
    StateQuery query = {.sql = "DELETE FROM notices WHERE id=?1", STATE_VALUES(state_int(id))};
    return state_query(store, &query, err);
}

static Status count_row(void *arg, const StateRow *row, Err *err UNUSED)
{
    *(int64_t *)arg = state_column_int(row, 0);
    return OK;
}

Status state_notice_count(StateStore *store, int64_t *ret_count, Err *err)
{
    StateQuery query = {.sql = "SELECT count(*) FROM notices WHERE scope={scope}",
                        .each = count_row,
                        .arg = ret_count};
    return state_query(store, &query, err);
}
