/* Heartbeats: what they say, and what comes of them. */
#include "service/federate/federate_beat.h"

#include <stdio.h>
#include <unistd.h>

#include "service/federate/federate_state.h"
#include "service/federate/federate_streams.h"

#define RETRY_FIRST_NS (5 * FEDERATE_S_NS)

/* ---- health ---- */

/* Of everything but the federation itself: where a heartbeat arrives, that is well. */
typedef struct BeatHealth {
    const char *status;
    const JsonValue *map; /* in the arena; may be NULL */
} BeatHealth;

static bool is_well(const JsonValue *dependency)
{
    return str_eq(json_member_text(dependency, STR("status"), STR_NULL), STR("healthy"));
}

static bool is_own(const JsonValue *dependency)
{
    return str_eq(dependency->key, STR("federation"));
}

static Status read_health(const Federate *f, Arena *arena, BeatHealth *ret_health, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    Health health = HEALTH_HEALTHY;
    JsonValue *root = NULL;
    Str text = STR_NULL;
    TRY(f->o.control->health(f->o.control->arg, true, &health, &out, err));
    TRY(arena_copy(arena, buf_str(&out), &text, err));
    TRY(json_parse(text, arena, &root, err));
    *ret_health = (BeatHealth){.status = "active", .map = json_member(root, STR("dependencies"))};
    if (health == HEALTH_UNHEALTHY) ret_health->status = "error";
    const JsonValue *at = ret_health->map ? ret_health->map->first : NULL;
    for (; at && health != HEALTH_UNHEALTHY; at = at->next) {
        if (!is_well(at) && !is_own(at)) ret_health->status = "degraded";
    }
    return OK;
}

/* A flat map of names to healthy or unhealthy, as far as there is room: trouble first. */
static void write_dependencies(JsonWriter *w, const JsonValue *map, int64_t room_end)
{
    json_key(w, "dependencyStatus");
    json_object_begin(w);
    for (int32_t pass = 0; pass < 2; pass++) {
        for (const JsonValue *at = map ? map->first : NULL; at; at = at->next) {
            bool well = is_well(at);
            if (well != (pass == 1) || is_own(at) || w->out->len > room_end) continue;
            json_key_str(w, body_clip(at->key, 200));
            json_write_text(w, well ? STR("healthy") : STR("unhealthy"));
        }
    }
    json_object_end(w);
}

/* ---- numbers ---- */

typedef struct StreamList {
    JsonWriter *w;
    int64_t room_end;
} StreamList;

static void copy_member(JsonWriter *w, const JsonValue *from, const char *key)
{
    const JsonValue *value = json_member(from, str_from(key));
    if (!value) return;
    json_key(w, key);
    body_value(w, value);
}

static void write_stream(void *arg, const JsonValue *stream)
{
    static const char *const SAME[] = {"state",
                                       "messages_processed",
                                       "messages_failed",
                                       "average_processing_time",
                                       "throughput_per_second",
                                       "lag_messages"};
    StreamList *list = arg;
    JsonWriter *w = list->w;
    if (w->out->len > list->room_end) return;
    json_key_str(w, body_clip(json_member_text(stream, STR("name"), STR("")), 200));
    json_object_begin(w);
    for (int32_t i = 0; i < COUNT_OF(SAME); i++) copy_member(w, stream, SAME[i]);
    json_object_end(w);
}

/* The guide's four in sum, and for each stream. */
static Status write_performance(const Federate *f, const Day *day, JsonWriter *w, Err *err)
{
    StreamSums sums;
    StreamList list = {w, f->wire.body_max / 10 * 7};
    json_key(w, "performanceMetrics");
    json_object_begin(w);
    body_int(w, "requests_total", (double)day->count);
    body_int(w, "requests_failed", (double)(day->count - day->good));
    body_double(w, "error_rate", day_error_rate(day));
    body_double(w, "average_response_time", day_mean_ms(day));
    body_double(w, "p95_response_time", day_quantile_ms(day, 0.95));
    body_double(w, "p99_response_time", day_quantile_ms(day, 0.99));
    json_key(w, "streams");
    json_object_begin(w);
    TRY(federate_streams(f->o.control, &sums, write_stream, &list, err));
    json_object_end(w);
    json_key(w, "messages_processed");
    json_write_int64(w, sums.processed);
    json_key(w, "messages_failed");
    json_write_int64(w, sums.failed);
    body_double(w, "average_processing_time", sums.average_seconds);
    body_double(w, "throughput_per_second", sums.per_second);
    json_object_end(w);
    return OK;
}

static void write_analytics(JsonWriter *w, const Delivery *delivery)
{
    json_key(w, "applicationMetrics");
    json_object_begin(w);
    json_key(w, "analytics");
    json_object_begin(w);
    day_show(&delivery->day, w);
    json_key(w, "reports");
    json_array_begin(w);
    if (delivery->fresh.len) json_write_raw(w, buf_str(&delivery->fresh));
    json_array_end(w);
    json_object_end(w);
    json_object_end(w);
}

static Status write_beat(const Federate *f, const char *status, const BeatHealth *health,
                         const Delivery *delivery, Buf *out, Err *err)
{
    char pid[24];
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    body_text(&w, "status", str_from(status ? status : health->status), 50);
    json_key(&w, "healthScore");
    json_write_int64(&w, host_score(&f->host.machine, day_error_rate(&delivery->day)));
    body_int(&w, "uptime", (double)(clock_mono_ns() - f->started_ns) / (double)FEDERATE_S_NS);
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    body_text(&w, "processId", str_from(pid), 100);
    body_text(&w, "buildVersion", STR(NEURON_VERSION), 100);
    if (f->config.version.len) {
        body_text(&w, "configVersion", buf_str(&f->config.version), FEDERATE_VERSION_MAX);
    }
    json_key(&w, "hostInfo");
    host_write_info(&w);
    json_key(&w, "systemMetrics");
    host_write_system(&f->host.machine, &w);
    write_analytics(&w, delivery);
    TRY(write_performance(f, &delivery->day, &w, err));
    write_dependencies(&w, health->map, f->wire.body_max / 10 * 9);
    json_object_end(&w);
    return json_writer_end(&w);
}

/* ---- sent ---- */

/* Reports are in it only where the core takes no analytics. */
static Status prepare(Federate *f, Delivery *delivery, Err *err)
{
    federate_day_tick(f);
    if (f->reports.no_analytics) return delivery_make(f, delivery, err);
    *delivery = (Delivery){.day = f->reports.day, .fresh = buf_make(0)};
    return OK;
}

static void send_beat(Federate *f, const char *status, Delivery *delivery, Arena *arena,
                      Answer *ret_answer)
{
    Err err = {0};
    BeatHealth health = {0};
    CLEANUP(buf_done) Buf body = buf_make(FEDERATE_JSON_MAX);
    *ret_answer = (Answer){.outcome = CALL_DOWN};
    if (read_health(f, arena, &health, &err) != OK ||
        write_beat(f, status, &health, delivery, &body, &err) != OK) {
        (void)snprintf(ret_answer->text, FEDERATE_TEXT_MAX, "it can't be made: %.200s",
                       err.message);
        return;
    }
    Call call = {.operation = OP_HEARTBEAT, .body = buf_str(&body)};
    federate_call(f, &call, arena, ret_answer);
}

static void taken(Federate *f, Delivery *delivery, const Answer *a)
{
    f->standing.beat_taken_ns = clock_mono_ns();
    f->failures.beat = 0;
    f->wire.body_max = int64_min(f->wire.body_max + f->wire.body_max / 8, FEDERATE_BODY_MAX);
    metrics_set(METRIC_FEDERATION_LAST_HEARTBEAT, (double)clock_now_us() / 1e6, NO_LABELS);
    federate_event(f, MEMBER_BEAT_TAKEN);
    federate_well(f);
    if (delivery->count) delivery_taken(f, delivery);
    if (delivery->more) f->due.beat_ns = f->standing.beat_taken_ns;
    if (reply_pending(a->data) > 0 && !f->failures.poll) f->due.poll_ns = 0;
}

static void say_failed(Federate *f, const Answer *a)
{
    Err why = {0};
    if (a->outcome == CALL_DOWN) {
        (void)err_set(&why, ERR_CONNECT, "the federation does not answer: %s", a->text);
    } else {
        (void)err_set(&why, ERR_CONNECT, "the federation does not take heartbeats (%d: %s)",
                      (int)a->status, a->text);
    }
    federate_trouble(f, LOG_WARN, "a heartbeat failed", a->outcome, &why);
}

static void failed(Federate *f, const Answer *a)
{
    int64_t now_ns = clock_mono_ns();
    if (a->outcome == CALL_TOKEN) {
        f->due.beat_ns = INT64_MAX; /* until after the next registration */
        return;
    }
    say_failed(f, a);
    f->wire.away = a->outcome == CALL_DOWN;
    int64_t retry_ns = RETRY_FIRST_NS << int64_min(f->failures.beat++, 2);
    f->due.beat_ns = int64_min(f->due.beat_ns, now_ns + retry_ns);
    if (a->outcome == CALL_LARGE && f->wire.body_max > FEDERATE_BODY_MIN) {
        f->wire.body_max = int64_max(f->wire.body_max / 2, FEDERATE_BODY_MIN);
        f->due.beat_ns = now_ns;
    }
    if (f->standing.member == MEMBER_ROW_LOST || f->standing.member == MEMBER_TOKEN_REFUSED)
        f->due.beat_ns = INT64_MAX;
    /* A core that knows no configuration of this neuron either has lost its record. */
    bool doubt = a->outcome == CALL_ERROR || a->outcome == CALL_GONE;
    if (f->standing.member == MEMBER_MEMBER && doubt && federate_config(f)) {
        federate_event(f, MEMBER_ROW_GONE);
    }
}

void federate_beat(Federate *f)
{
    Err err = {0};
    Answer a = {.outcome = CALL_DOWN, .text = "the outbox can't be read"};
    Delivery delivery = {0};
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    federate_outbox_trim(f);
    if (prepare(f, &delivery, &err) == OK) send_beat(f, NULL, &delivery, &arena, &a);
    int64_t now_ns = clock_mono_ns(), every_ns = f->heartbeat_us * 1000;
    while (f->due.beat_slot_ns <= now_ns) f->due.beat_slot_ns += every_ns;
    f->due.beat_ns = f->due.beat_slot_ns;
    if (a.outcome == CALL_OK) taken(f, &delivery, &a);
    else if (!atomic_load(&f->cancelled)) failed(f, &a);
    delivery_done(&delivery);
    arena_done(&arena);
}

void federate_goodbye(Federate *f)
{
    Answer a;
    Delivery delivery = {0};
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    if (prepare(f, &delivery, NULL) == OK) {
        send_beat(f, "inactive", &delivery, &arena, &a);
        if (a.outcome == CALL_OK && delivery.count) delivery_taken(f, &delivery);
    }
    delivery_done(&delivery);
    arena_done(&arena);
}
