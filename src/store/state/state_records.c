/* Quality reports, outbox, journal of commands, tokens, alert states, pairs. */
#include "store/state/state_store_impl.h"

enum { REPORTS_DEFAULT = 100, REPORTS_MAX = 10000 };

/* ---- quality reports ---- */

static Status number_row(void *arg, const StateRow *row, Err *err UNUSED)
{
    *(int64_t *)arg = state_column_int(row, 0);
    return OK;
}

Status state_report_put(StateStore *store, const StateReport *r, int64_t keep,
                        const StateLetter *letter, int64_t *ret_id, Err *err)
{
    int64_t id = 0;
    StateLetter none = {0};
    const StateLetter *put = letter ? letter : &none;
    StateQuery queries[] = {
        {.sql = "INSERT INTO reports(dataset, at_us, score, verdict, report)"
                " VALUES(?1,?2,?3,?4,?5) RETURNING id",
         STATE_VALUES(state_text(r->dataset), state_int(r->at_us), state_real(r->score),
                      state_text(r->verdict), state_text(r->report)),
         .each = number_row,
         .arg = &id},
        {.sql = "DELETE FROM reports WHERE ?2>0 AND id IN (SELECT id FROM reports WHERE dataset=?1"
                " AND id <= (SELECT id FROM reports WHERE dataset=?1 ORDER BY id DESC LIMIT 1"
                " OFFSET ?2) ORDER BY id LIMIT 100)",
         STATE_VALUES(state_text(r->dataset), state_int(keep))},
        {.sql = STATE_LETTER_SQL, STATE_LETTER_VALUES(put)}};
    TRY(state_queries(store, queries, letter ? 3 : 2, err));
    if (ret_id) *ret_id = id;
    return OK;
}

typedef struct ReportVisit {
    StateReportEach each;
    void *arg;
} ReportVisit;

static Status report_row(void *arg, const StateRow *row, Err *err)
{
    ReportVisit *visit = arg;
    StateReport report = {
        .id = state_column_int(row, 0),
        .dataset = state_column(row, 1),
        .at_us = state_column_int(row, 2),
        .score = state_column_real(row, 3),
        .verdict = state_column(row, 4),
        .report = state_column(row, 5),
    };
    return visit->each(visit->arg, &report, err);
}

Status state_report_list(StateStore *store, Str dataset, int64_t since_us, int64_t limit,
                         StateReportEach each, void *arg, Err *err)
{
    ReportVisit visit = {each, arg};
    limit = limit > 0 ? int64_min(limit, REPORTS_MAX) : REPORTS_DEFAULT;
    StateQuery query = {
        .sql = dataset.len ? "SELECT id, dataset, at_us, score, verdict, report FROM reports"
                             " WHERE at_us>=?1 AND dataset=?3 ORDER BY id DESC LIMIT ?2"
                           : "SELECT id, dataset, at_us, score, verdict, report FROM reports"
                             " WHERE at_us>=?1 ORDER BY id DESC LIMIT ?2",
        STATE_VALUES(state_int(since_us), state_int(limit), state_text(dataset)),
        .each = report_row,
        .arg = &visit};
    if (!dataset.len) query.value_count = 2;
    return state_query(store, &query, err);
}

/* ---- outbox ---- */

Status state_outbox_put(StateStore *store, Str kind, Str body, int64_t at_us, Err *err)
{
    StateLetter letter = {.kind = kind, .body = body, .at_us = at_us};
    StateQuery query = {.sql = STATE_LETTER_SQL, STATE_LETTER_VALUES(&letter)};
    return state_query(store, &query, err);
}

typedef struct LetterVisit {
    StateLetterEach each;
    void *arg;
} LetterVisit;

static Status letter_row(void *arg, const StateRow *row, Err *err)
{
    LetterVisit *visit = arg;
    StateLetter letter = {.id = state_column_int(row, 0),
                          .kind = state_column(row, 1),
                          .body = state_column(row, 2),
                          .at_us = state_column_int(row, 3)};
    return visit->each(visit->arg, &letter, err);
}

Status state_outbox_peek(StateStore *store, int64_t limit, StateLetterEach each, void *arg,
                         Err *err)
{
    LetterVisit visit = {each, arg};
    StateQuery query = {.sql = "SELECT id, kind, body, at_us FROM outbox WHERE scope={scope}"
                               " ORDER BY id LIMIT ?1",
                        STATE_VALUES(state_int(limit)),
                        .each = letter_row,
                        .arg = &visit};
    return state_query(store, &query, err);
}

#define PUT_VALUE                                                                                  \
    "INSERT INTO pairs(key, value) VALUES({scope}||?1,?2) ON CONFLICT(key) DO UPDATE SET value=?2"

Status state_outbox_done(StateStore *store, const int64_t *ids, int32_t count, Str key, Str value,
                         Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(1 << 20);
    assert(count > 0);
    TRY(buf_append(&sql, STR("DELETE FROM outbox WHERE id"), err));
    for (int32_t i = 0; i < count; i++) {
        TRY(buf_printf(&sql, err, "%s%lld", i ? "," : " IN (", (long long)ids[i]));
    }
    TRY(buf_append_char(&sql, ')', err));
    TRY(buf_terminate(&sql, err));
    StateQuery queries[] = {
        {.sql = sql.data},
        {.sql = PUT_VALUE, STATE_VALUES(state_text(key), state_text(value))},
    };
    return state_queries(store, queries, key.len ? 2 : 1, err);
}

Status state_outbox_count(StateStore *store, int64_t *ret_count, Err *err)
{
    StateQuery query = {.sql = "SELECT count(*) FROM outbox WHERE scope={scope}",
                        .each = number_row,
                        .arg = ret_count};
    return state_query(store, &query, err);
}

/* ---- journal of commands ---- */

Status state_command_put(StateStore *store, const StateCommand *c, bool *ret_new, Err *err)
{
    StateQuery query = {
        .sql = "INSERT INTO commands(id, type, status, body, result, at_us, open, scope)"
               " VALUES(?1,?2,?3,?4,?5,?6,?7,{scope}) ON CONFLICT DO NOTHING",
        STATE_VALUES(state_text(c->id), state_text(c->type), state_text(c->status),
                     state_text(c->body), state_text(c->result), state_int(c->at_us),
                     state_int(c->open))};
    TRY(state_query(store, &query, err));
    *ret_new = query.changes == 1;
    return OK;
}

Status state_command_status(StateStore *store, Str id, Str status, Str result, bool open, Err *err)
{
    StateQuery query = {
        .sql = "UPDATE commands SET status=?2, result=?3, open=?4 WHERE id=?1",
        STATE_VALUES(state_text(id), state_text(status), state_text(result), state_int(open))};
    TRY(state_query(store, &query, err));
    if (query.changes == 1) return OK;
    return err_set(err, ERR_NOT_FOUND, "no command %.*s", STR_ARG(id));
}

typedef struct CommandVisit {
    StateCommandEach each;
    void *arg;
} CommandVisit;

static Status command_row(void *arg, const StateRow *row, Err *err)
{
    CommandVisit *visit = arg;
    StateCommand command = {
        .id = state_column(row, 0),
        .type = state_column(row, 1),
        .status = state_column(row, 2),
        .body = state_column(row, 3),
        .result = state_column(row, 4),
        .at_us = state_column_int(row, 5),
        .open = state_column_int(row, 6) != 0,
    };
    return visit->each(visit->arg, &command, err);
}

Status state_command_list(StateStore *store, StateCommandEach each, void *arg, Err *err)
{
    CommandVisit visit = {each, arg};
    StateQuery query = {.sql = "SELECT id, type, status, body, result, at_us, open FROM commands"
                               " WHERE open=1 AND scope={scope} ORDER BY seq",
                        .each = command_row,
                        .arg = &visit};
    return state_query(store, &query, err);
}

/* ---- texts by key ---- */

static Status text_row(void *arg, const StateRow *row, Err *err)
{
    return buf_append(arg, state_column(row, 0), err);
}

Status state_token_put(StateStore *store, Str url, Str id, Str token, Err *err)
{
    StateQuery query = {.sql = "INSERT INTO tokens(url, id, token) VALUES(?1,?2,?3)"
                               " ON CONFLICT(url, id) DO UPDATE SET token=?3",
                        STATE_VALUES(state_text(url), state_text(id), state_text(token))};
    return state_query(store, &query, err);
}

Status state_token_get(StateStore *store, Str url, Str id, Buf *ret_token, Err *err)
{
    StateQuery query = {.sql = "SELECT token FROM tokens WHERE url=?1 AND id=?2",
                        STATE_VALUES(state_text(url), state_text(id)),
                        .each = text_row,
                        .arg = ret_token};
    buf_clear(ret_token);
    return state_query(store, &query, err);
}

typedef struct TokenVisit {
    StateTokenEach each;
    void *arg;
} TokenVisit;

static Status token_row(void *arg, const StateRow *row, Err *err)
{
    TokenVisit *visit = arg;
    return visit->each(visit->arg, state_column(row, 0), state_column(row, 1), err);
}

Status state_token_list(StateStore *store, Str id, StateTokenEach each, void *arg, Err *err)
{
    TokenVisit visit = {each, arg};
    StateQuery query = {.sql = "SELECT url, token FROM tokens WHERE id=?1 ORDER BY url",
                        STATE_VALUES(state_text(id)),
                        .each = token_row,
                        .arg = &visit};
    return state_query(store, &query, err);
}

Status state_token_drop(StateStore *store, Str url, Str id, Err *err)
{
    StateQuery query = {.sql = "DELETE FROM tokens WHERE url=?1 AND id=?2",
                        STATE_VALUES(state_text(url), state_text(id))};
    return state_query(store, &query, err);
}

Status state_alert_put(StateStore *store, Str fingerprint, Str state, Err *err)
{
    StateQuery query = {.sql = "INSERT INTO alerts(fingerprint, state, scope)"
                               " VALUES(?1,?2,{scope})"
                               " ON CONFLICT(fingerprint) DO UPDATE SET state=?2, scope={scope}",
                        STATE_VALUES(state_text(fingerprint), state_text(state))};
    return state_query(store, &query, err);
}

Status state_alert_drop(StateStore *store, Str fingerprint, Err *err)
{
    StateQuery query = {.sql = "DELETE FROM alerts WHERE fingerprint=?1",
                        STATE_VALUES(state_text(fingerprint))};
    return state_query(store, &query, err);
}

typedef struct AlertVisit {
    StateAlertEach each;
    void *arg;
} AlertVisit;

static Status alert_row(void *arg, const StateRow *row, Err *err)
{
    AlertVisit *visit = arg;
    return visit->each(visit->arg, state_column(row, 0), state_column(row, 1), err);
}

Status state_alert_list(StateStore *store, StateAlertEach each, void *arg, Err *err)
{
    AlertVisit visit = {each, arg};
    StateQuery query = {.sql = "SELECT fingerprint, state FROM alerts WHERE scope={scope}"
                               " ORDER BY fingerprint",
                        .each = alert_row,
                        .arg = &visit};
    return state_query(store, &query, err);
}

Status state_alert_others(StateStore *store, StateAlertEach each, void *arg, Err *err)
{
    AlertVisit visit = {each, arg};
    StateQuery query = {.sql = "SELECT fingerprint, state FROM alerts WHERE scope<>{scope}"
                               " ORDER BY fingerprint",
                        .each = alert_row,
                        .arg = &visit};
    return state_query(store, &query, err);
}

Status state_value_put(StateStore *store, Str key, Str value, Err *err)
{
    StateQuery query = {.sql = PUT_VALUE, STATE_VALUES(state_text(key), state_text(value))};
    return state_query(store, &query, err);
}

Status state_value_get(StateStore *store, Str key, Buf *ret_value, Err *err)
{
    StateQuery query = {.sql = "SELECT value FROM pairs WHERE key={scope}||?1",
                        STATE_VALUES(state_text(key)),
                        .each = text_row,
                        .arg = ret_value};
    buf_clear(ret_value);
    return state_query(store, &query, err);
}

Status state_value_drop(StateStore *store, Str key, Err *err)
{
    StateQuery query = {.sql = "DELETE FROM pairs WHERE key={scope}||?1",
                        STATE_VALUES(state_text(key))};
    return state_query(store, &query, err);
}
