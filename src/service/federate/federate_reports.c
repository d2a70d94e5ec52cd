/* The outbox to the core, and the day's totals that its reports add to. */
#include "service/federate/federate_reports.h"

#include <stdio.h>

#include "foundation/base/datetime.h"
#include "service/federate/federate_state.h"
#include "service/federate/federate_streams.h"

enum { KEPT_MAX = 100, TEXT_BYTES = 400, LETTER_BYTES = 4 << 20, DROP_WARN_EVERY = 1000 };
#define DAY_KEY STR("federation.day")

/* ---- a report ---- */

static void copy_member(JsonWriter *w, const JsonValue *report, const char *from, const char *to)
{
    const JsonValue *value = json_member(report, str_from(from));
    if (!value) return;
    json_key(w, to);
    if (value->kind == JSON_STRING) json_write_text(w, body_clip(value->text, TEXT_BYTES));
    else body_value(w, value);
}

static void copy_members(JsonWriter *w, const JsonValue *report, const char *const *names)
{
    for (; *names; names++) copy_member(w, report, *names, *names);
}

static void write_run(JsonWriter *w, const JsonValue *r)
{
    static const char *const SAME[] = {
        "run_id",         "status",           "records_extracted", "records_transformed",
        "records_loaded", "duration_seconds", "success_rate",      NULL};
    copy_member(w, r, "pipeline", "pipeline_name");
    copy_members(w, r, SAME);
    copy_member(w, json_member(r, STR("error")), "what", "error");
}

static void write_check(JsonWriter *w, const JsonValue *r)
{
    static const char *const SAME[] = {"dataset_name",
                                       "quality_score",
                                       "total_records",
                                       "issues_count",
                                       "status",
                                       "verdict",
                                       NULL};
    json_key(w, "data_quality_check");
    json_write_bool(w, true);
    copy_members(w, r, SAME);
}

static bool is_alert(const StateLetter *letter)
{
    return str_eq(letter->kind, STR("alert"));
}

static void write_alert(JsonWriter *w, const JsonValue *r)
{
    static const char *const SAME[] = {"alert", "status", "severity", "text", NULL};
    copy_members(w, r, SAME);
}

static Status write_report(const StateLetter *letter, const JsonValue *r, Buf *out, Err *err)
{
    char id[64], at[DATETIME_TEXT_MAX];
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    (void)snprintf(id, sizeof id, "%lld-%lld", (long long)letter->at_us, (long long)letter->id);
    body_text(&w, "report_id", str_from(id), (int64_t)sizeof id);
    int64_t len = datetime_format_timestamp(letter->at_us, 'T', true, at);
    body_text(&w, "at", str_make(at, len), DATETIME_TEXT_MAX);
    if (str_eq(letter->kind, STR("pipeline_run"))) write_run(&w, r);
    else if (is_alert(letter)) write_alert(&w, r);
    else write_check(&w, r);
    json_object_end(&w);
    return json_writer_end(&w);
}

static void count_report(Day *day, const StateLetter *letter, const JsonValue *r)
{
    int64_t rows = 0;
    double seconds = 0;
    Str status = json_member_text(r, STR("status"), STR("success"));
    if (letter->at_us / DATETIME_DAY_US != day->day) return; /* late: listed, but not today's */
    if (!json_int64(json_member(r, STR("records_extracted")), &rows)) {
        (void)json_int64(json_member(r, STR("total_records")), &rows);
    }
    (void)json_double(json_member(r, STR("duration_seconds")), &seconds);
    bool bad = str_eq(status, STR("failed")) || str_eq(status, STR("cancelled"));
    day_count(day, 1, !bad, seconds);
    day->rows += rows;
}

/* ---- a delivery ---- */

/* A letter that does not fit ends it; one that is alone is taken whatever its size. */
static Status add_letter(Delivery *d, const StateLetter *letter, const JsonValue *r, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(FEDERATE_JSON_MAX);
    if (!d->silent) TRY(write_report(letter, r, &text, err));
    d->more = d->count > 0 && text.len > d->room;
    if (d->more) return OK;
    if (text.len) {
        if (d->fresh.len) TRY(buf_append_char(&d->fresh, ',', err));
        TRY(buf_append(&d->fresh, buf_str(&text), err));
        d->room -= text.len + 1;
    }
    if (!is_alert(letter)) count_report(&d->day, letter, r);
    d->ids[d->count++] = letter->id;
    return OK;
}

static Status fold_letter(void *arg, const StateLetter *letter, Err *err)
{
    Delivery *d = arg;
    Arena arena = arena_make(4 * LETTER_BYTES);
    JsonValue *report = NULL;
    Status status = OK;
    if (d->more) return OK;
    if (d->count == DELIVERY_MAX) {
        d->more = true;
        return OK;
    }
    if (json_parse(letter->body, &arena, &report, NULL) == OK) {
        status = add_letter(d, letter, report, err);
    } else {
        d->ids[d->count++] = letter->id; /* nobody could read it */
    }
    arena_done(&arena);
    return status;
}

static Status collect(Federate *f, bool silent, int64_t limit, Delivery *ret_delivery, Err *err)
{
    *ret_delivery = (Delivery){.day = f->reports.day,
                               .fresh = buf_make(FEDERATE_JSON_MAX),
                               .room = f->wire.body_max / 10 * 4,
                               .silent = silent};
    return state_outbox_peek(f->o.store, limit, fold_letter, ret_delivery, err);
}

Status delivery_make(Federate *f, Delivery *ret_delivery, Err *err)
{
    return collect(f, false, DELIVERY_MAX + 1, ret_delivery, err);
}

void delivery_done(Delivery *delivery)
{
    buf_done(&delivery->fresh);
}

/* ---- the day, kept ---- */

static Status write_day(const Day *day, Str kept, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    day_write(day, &w);
    json_key(&w, "reports");
    json_array_begin(&w);
    if (kept.len) json_write_raw(&w, kept);
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

/* The newest of an array's elements that fit. */
static Status append_newest(const JsonValue *list, int64_t room, Buf *out, Err *err)
{
    int64_t skip = list ? list->count - KEPT_MAX : 0, bytes = list ? list->text.len : 0;
    for (const JsonValue *at = list ? list->first : NULL; at; at = at->next) {
        bytes -= at->text.len + 1;
        if (skip-- > 0 || bytes + at->text.len > room) continue;
        if (out->len) TRY(buf_append_char(out, ',', err));
        TRY(buf_append(out, at->text, err));
    }
    return OK;
}

/* The list with new ones at its end, cut at its beginning. */
static Status list_with(const Federate *f, Str fresh, int64_t room, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf all = buf_make(FEDERATE_JSON_MAX);
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    JsonValue *list = NULL;
    Str kept = buf_str(&f->reports.kept);
    Status status = buf_printf(&all, err, "[");
    if (status == OK) status = buf_append(&all, kept, err);
    if (status == OK && kept.len && fresh.len) status = buf_append_char(&all, ',', err);
    if (status == OK) status = buf_append(&all, fresh, err);
    if (status == OK) status = buf_append_char(&all, ']', err);
    if (status == OK) status = json_parse(buf_str(&all), &arena, &list, err);
    if (status == OK) status = append_newest(list, room, out, err);
    arena_done(&arena);
    return status;
}

static Status kept_with(const Federate *f, Str fresh, Buf *out, Err *err)
{
    return list_with(f, fresh, FEDERATE_BODY_MAX / 10 * 3, out, err);
}

Status federate_recent(const Federate *f, int64_t room, Buf *out, Err *err)
{
    return list_with(f, STR_NULL, room, out, err);
}

static int64_t today(void)
{
    return clock_now_us() / DATETIME_DAY_US;
}

Status federate_day_load(Federate *f, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(FEDERATE_JSON_MAX);
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    JsonValue *root = NULL;
    f->reports.day = (Day){.day = today()};
    Status status = state_value_get(f->o.store, DAY_KEY, &text, err);
    if (status == OK && text.len && json_parse(buf_str(&text), &arena, &root, NULL) == OK) {
        Day old;
        day_read(&old, root);
        if (old.day == f->reports.day.day) {
            f->reports.day = old;
            status = append_newest(json_member(root, STR("reports")), FEDERATE_BODY_MAX / 10 * 3,
                                   &f->reports.kept, err);
        }
    }
    arena_done(&arena);
    return status;
}

Status federate_day_save(Federate *f, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(FEDERATE_JSON_MAX);
    TRY(write_day(&f->reports.day, buf_str(&f->reports.kept), &text, err));
    return state_value_put(f->o.store, DAY_KEY, buf_str(&text), err);
}

/* Messages since the last look count for today. */
static void count_messages(Federate *f)
{
    StreamSums sums;
    if (federate_streams(f->o.control, &sums, NULL, NULL, NULL) != OK) return;
    int64_t more = sums.consumed - f->reports.consumed, lost = sums.lost - f->reports.lost;
    if (more > 0) day_count(&f->reports.day, more, more - lost, sums.average_seconds);
    f->reports.day.rows += int64_max(more, 0);
    f->reports.consumed = int64_max(f->reports.consumed, sums.consumed);
    f->reports.lost = int64_max(f->reports.lost, sums.lost);
}

void federate_day_tick(Federate *f)
{
    int64_t now_us = clock_now_us();
    if (f->reports.day.day != now_us / DATETIME_DAY_US) {
        f->reports.day = (Day){.day = now_us / DATETIME_DAY_US};
        buf_clear(&f->reports.kept);
    }
    day_up(&f->reports.day, f->reports.ticked_us, now_us);
    f->reports.ticked_us = now_us;
    count_messages(f);
    host_look(&f->host);
    day_sample(&f->reports.day, f->host.machine.cpu, f->host.machine.memory, f->host.machine.disk);
}

/* ---- delivered, or dropped ---- */

/* `kept` becomes the list, and the letters leave the outbox, in one transaction. */
static Status settle(Federate *f, Delivery *d, Buf *kept, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(FEDERATE_JSON_MAX);
    TRY(write_day(&d->day, buf_str(kept), &text, err));
    TRY(state_outbox_done(f->o.store, d->ids, d->count, DAY_KEY, buf_str(&text), err));
    f->reports.day = d->day;
    Buf old = f->reports.kept;
    f->reports.kept = *kept;
    *kept = old;
    return OK;
}

void delivery_taken(Federate *f, Delivery *d)
{
    Err err = {0};
    CLEANUP(buf_done) Buf kept = buf_make(FEDERATE_JSON_MAX);
    if (kept_with(f, buf_str(&d->fresh), &kept, &err) == OK && settle(f, d, &kept, &err) == OK) {
        return;
    }
    d->more = false; /* not at once again: they would be sent again and again */
    LOG_ERR(LOG_ERROR, "federation", "the outbox can't be emptied; its reports are sent again",
            &err);
}

/* The oldest `count`: they still count, but nobody is told of each. */
static Status drop(Federate *f, int64_t count, Err *err)
{
    Delivery d;
    CLEANUP(buf_done) Buf kept = buf_make(FEDERATE_JSON_MAX);
    Status status = collect(f, true, count, &d, err);
    if (status == OK && d.count) {
        d.day.dropped += d.count;
        status = kept_with(f, STR_NULL, &kept, err);
        if (status == OK) status = settle(f, &d, &kept, err);
        if (status == OK) metrics_add(METRIC_OUTBOX_DROPPED, d.count, NO_LABELS);
        if (status == OK) f->reports.dropped += d.count;
    }
    delivery_done(&d);
    return status;
}

void federate_outbox_trim(Federate *f)
{
    Err err = {0};
    int64_t waiting = 0, before = f->reports.dropped;
    Status status = state_outbox_count(f->o.store, &waiting, &err);
    for (int64_t over = waiting - f->o.outbox; status == OK && over > 0; over -= DELIVERY_MAX) {
        status = drop(f, int64_min(over, DELIVERY_MAX), &err);
    }
    if (status != OK) LOG_ERR(LOG_ERROR, "federation", "the outbox can't be cut", &err);
    bool first = before == 0 && f->reports.dropped > 0;
    if (!first && f->reports.dropped / DROP_WARN_EVERY == before / DROP_WARN_EVERY) return;
    LOG(LOG_WARN, "federation", "the outbox is full: its oldest reports are dropped",
        log_int("limit", f->o.outbox), log_int("dropped", f->reports.dropped));
    event_note(&f->events, "reports_dropped", "the outbox holds %lld", (long long)f->o.outbox);
}
