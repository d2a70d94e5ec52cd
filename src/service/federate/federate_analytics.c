/* Analytics: the day's running totals and the reports, where the core takes them. */
#include "service/federate/federate_analytics.h"

#include "service/federate/federate_state.h"

#define QUIET_MAX_NS (300 * FEDERATE_S_NS)
#define ASK_AGAIN_NS (3600 * FEDERATE_S_NS)
#define FAILING_MAX_NS (300 * FEDERATE_S_NS)
enum { ALERTS_MAX = 20 };

static void write_numbers(const Day *day, JsonWriter *w)
{
    body_int(w, "requestCount", (double)day->count);
    body_int(w, "successfulRequests", (double)day->good);
    body_int(w, "failedRequests", (double)(day->count - day->good));
    body_int(w, "averageResponseTime", day_mean_ms(day));
    body_int(w, "p95ResponseTime", day_quantile_ms(day, 0.95));
    body_int(w, "p99ResponseTime", day_quantile_ms(day, 0.99));
    body_int(w, "totalDataProcessed", (double)day->rows);
    body_int(w, "errorRate", day_error_rate(day));
    body_int(w, "uptime", (double)day->up_us / 1e6);
    /* The core's own alerts read these as plain percent. */
    body_int(w, "cpuUsageAvg", day_mean_sample(day, day->cpu));
    body_int(w, "memoryUsageAvg", day_mean_sample(day, day->memory));
    body_int(w, "diskUsageAvg", day_mean_sample(day, day->disk));
}

static Status write_custom(const Federate *f, const Delivery *d, JsonWriter *w, Err *err)
{
    CLEANUP(buf_done) Buf recent = buf_make(FEDERATE_JSON_MAX);
    TRY(federate_recent(f, f->wire.body_max / 10 * 3, &recent, err));
    json_key(w, "customMetrics");
    json_object_begin(w);
    day_show(&d->day, w);
    json_key(w, "reports");
    json_array_begin(w);
    if (recent.len) json_write_raw(w, buf_str(&recent));
    if (d->fresh.len) json_write_raw(w, buf_str(&d->fresh));
    json_array_end(w);
    json_object_end(w);
    return OK;
}

static void copy_text(JsonWriter *w, const char *key, const JsonValue *from, const char *name)
{
    body_text(w, key, json_member_text(from, str_from(name), STR_NULL), FEDERATE_TEXT_MAX);
}

/* Those that fire. */
static Status write_alerts(const Federate *f, JsonWriter *w, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    JsonValue *root = NULL;
    int32_t count = 0;
    Status status = f->o.control->alerts.list(f->o.control->arg, &out, err);
    if (status == OK) status = json_parse(buf_str(&out), &arena, &root, err);
    const JsonValue *list = status == OK ? json_member(root, STR("alerts")) : NULL;
    json_key(w, "alerts");
    json_array_begin(w);
    for (const JsonValue *at = list ? list->first : NULL; at && count < ALERTS_MAX; at = at->next) {
        Str state = json_member_text(at, STR("state"), STR_NULL);
        if (!str_eq(state, STR("firing"))) continue;
        count++;
        json_object_begin(w);
        copy_text(w, "name", at, "name");
        copy_text(w, "severity", at, "severity");
        copy_text(w, "since", at, "fired_at");
        copy_text(w, "text", json_member(at, STR("annotations")), "summary");
        json_object_end(w);
    }
    json_array_end(w);
    arena_done(&arena);
    return status;
}

static Status write_body(const Federate *f, const Delivery *d, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    write_numbers(&d->day, &w);
    TRY(write_custom(f, d, &w, err));
    TRY(write_alerts(f, &w, err));
    events_write(&f->events, &w);
    json_object_end(&w);
    return json_writer_end(&w);
}

/* Heartbeats carry the numbers from now on; it is asked again each hour. */
static void not_taken(Federate *f, int64_t now_ns)
{
    if (!f->reports.no_analytics) {
        LOG(LOG_INFO, "federation", "it takes no analytics; the heartbeat carries them");
    }
    f->reports.no_analytics = true;
    f->reports.analytics_ns = now_ns + ASK_AGAIN_NS;
    f->failures.report = 0;
    f->due.beat_ns = int64_min(f->due.beat_ns, now_ns);
}

static bool taken(Federate *f, Delivery *d, int64_t now_ns)
{
    Err err = {0};
    f->reports.no_analytics = false;
    f->reports.analytics_ns = now_ns;
    f->failures.report = 0;
    f->wire.body_max = int64_min(f->wire.body_max + f->wire.body_max / 8, FEDERATE_BODY_MAX);
    if (d->count) delivery_taken(f, d);
    else if (federate_day_save(f, &err) != OK) {
        LOG_ERR(LOG_WARN, "federation", "the day's totals are not kept", &err);
    }
    return d->more;
}

static bool send(Federate *f, Delivery *d)
{
    Err err = {0};
    Answer a = {.outcome = CALL_DOWN};
    CLEANUP(buf_done) Buf body = buf_make(FEDERATE_JSON_MAX);
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    if (write_body(f, d, &body, &err) == OK) {
        Call call = {.operation = OP_ANALYTICS, .body = buf_str(&body)};
        federate_call(f, &call, &arena, &a);
    } else {
        LOG_ERR(LOG_ERROR, "federation", "reports can't be sent", &err);
    }
    arena_done(&arena);
    int64_t now_ns = clock_mono_ns();
    bool smaller = a.outcome == CALL_LARGE && f->wire.body_max > FEDERATE_BODY_MIN;
    if (a.outcome == CALL_OK) return taken(f, d, now_ns);
    if (smaller) f->wire.body_max = int64_max(f->wire.body_max / 2, FEDERATE_BODY_MIN);
    else if (a.outcome == CALL_DOWN || a.outcome == CALL_ERROR) f->failures.report++;
    else if (a.outcome != CALL_TOKEN) not_taken(f, now_ns);
    return smaller;
}

bool federate_analytics(Federate *f)
{
    Err err = {0};
    Delivery d;
    bool more = false;
    int64_t now_ns = clock_mono_ns(), every_ns = f->o.report_us * 1000;
    int64_t quiet_ns = int64_min(5 * every_ns, QUIET_MAX_NS);
    f->due.report_ns = now_ns + every_ns;
    if (f->reports.no_analytics && now_ns < f->reports.analytics_ns) return false;
    federate_day_tick(f);
    if (delivery_make(f, &d, &err) != OK) {
        LOG_ERR(LOG_ERROR, "federation", "the outbox can't be read", &err);
        return false;
    }
    bool due =
        d.count > 0 || now_ns - f->reports.analytics_ns >= quiet_ns || f->reports.no_analytics;
    if (due) more = send(f, &d);
    delivery_done(&d);
    int64_t pause_ns = every_ns << int64_min(f->failures.report, 6);
    f->due.report_ns = now_ns + int64_max(every_ns, int64_min(pause_ns, FAILING_MAX_NS));
    if (more) f->due.report_ns = now_ns;
    return more;
}
