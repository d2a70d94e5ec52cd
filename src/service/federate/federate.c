/* The client's thread: register once, heartbeat on a fixed schedule, poll, deliver, goodbye. */
#include "service/federate/federate.h"

#include <stdio.h>
#include <unistd.h>

#include "foundation/base/mem.h"
#include "service/federate/federate_impl.h"

#define REGISTER_MAX_NS (300 * FEDERATE_S_NS)
#define TIMEOUT_US INT64_C(10000000)
#define GOODBYE_US INT64_C(2000000)
#define ARENA_BYTES (INT64_C(32) << 20)

static void write_text(JsonWriter *w, const char *key, Str text)
{
    json_key(w, key);
    json_write_text(w, text);
}

/* ---- registration ---- */

static Status register_body(const Federate *f, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    write_text(&w, "neuronId", str_slice(f->o.id, 0, 100));
    write_text(&w, "name", str_slice(f->o.name, 0, 255));
    write_text(&w, "type", str_slice(f->o.type, 0, 100));
    write_text(&w, "language", STR("c"));
    write_text(&w, "version", STR(NEURON_VERSION));
    write_text(&w, "healthcheckEndpoint", STR("/health"));
    json_key(&w, "apiEndpoints");
    json_write_raw(&w, STR("[\"/health\",\"/metrics\",\"/api/v1/status\"]"));
    json_key(&w, "authentication");
    json_write_raw(&w, STR("{\"type\":\"jwt\",\"required\":true}"));
    json_key(&w, "capabilities");
    json_write_raw(&w, STR("[\"etl\",\"stream_processing\",\"data_quality\"]"));
    json_object_end(&w);
    return json_writer_end(&w);
}

/* Kept before anything else: the core gives no second token for an id. */
static Status keep_token(Federate *f, Str token, Err *err)
{
    TRY(state_token_put(f->o.store, f->o.url, f->o.id, token, err));
    buf_clear(&f->token);
    TRY(buf_append(&f->token, token, err));
    f->rejected = false;
    f->register_failures = 0;
    f->beat_ns = f->beat_due_ns = f->poll_ns = clock_mono_ns();
    LOG(LOG_INFO, "federation", "registered", log_text("id", f->o.id));
    return OK;
}

static void tell_taken(Federate *f, Arena *arena)
{
    Call probe = {.operation = "status",
                  .method = "GET",
                  .path = STR("/api/status"),
                  .status = 200,
                  .open = true};
    const JsonValue *root = NULL;
    Outcome outcome = federate_call(f, &probe, arena, &root);
    if (outcome != CALL_OK) return;
    Err err = {0};
    (void)err_set(&err, ERR_CONFIG, "the id is taken: the federation registers an id only once");
    (void)err_hint(&err,
                   "give back the state store that holds its token, or set another neuron.id");
    LOG_ERR(LOG_ERROR, "federation", "not registered", &err, log_text("id", f->o.id));
}

static void try_register(Federate *f, Arena *arena)
{
    Err err = {0};
    const JsonValue *data = NULL;
    CLEANUP(buf_done) Buf body = buf_make(FEDERATE_BODY_MAX);
    Outcome outcome = CALL_DOWN;
    if (register_body(f, &body, &err) == OK) {
        Call call = {.operation = "register",
                     .method = "POST",
                     .path = STR("/api/api-neurons/register"),
                     .body = buf_str(&body),
                     .status = 201,
                     .needed = "token",
                     .kind = JSON_STRING,
                     .open = true};
        outcome = federate_call(f, &call, arena, &data);
    }
    Str token = outcome == CALL_OK ? json_member_text(data, STR("token"), STR_NULL) : STR_NULL;
    if (token.len && keep_token(f, token, &err) == OK) return;
    if (err.message[0]) LOG_ERR(LOG_ERROR, "federation", "the token is not kept", &err);
    if (outcome == CALL_DOWN && f->up == false) tell_taken(f, arena);
    int64_t wait_ns = (5 * FEDERATE_S_NS) << int64_min(f->register_failures++, 6);
    f->register_ns = clock_mono_ns() + int64_min(wait_ns, REGISTER_MAX_NS);
    /* With a refused token: perhaps the core's old secret is back. One try after each of these. */
    if (f->token.len) f->beat_ns = clock_mono_ns();
}

/* ---- heartbeat ---- */

static int64_t health_score(Health health)
{
    static const int64_t SCORES[] = {100, 70, 30};
    return SCORES[health];
}

static void write_system(Federate *f, JsonWriter *w)
{
    SystemMemory memory = system_memory_read(NULL);
    double used = memory.limit ? (double)memory.used / (double)memory.limit : 0;
    json_key(w, "systemMetrics");
    json_object_begin(w);
    json_key(w, "cpu_usage");
    json_write_double(w, system_cpu_used(&f->cpu) * 100);
    json_key(w, "memory_usage");
    json_write_double(w, used * 100);
    json_key(w, "disk_usage");
    json_write_double(w, system_disk_used(STR(".")) * 100);
    json_object_end(w);
}

static Status beat_body(Federate *f, Str status, const Buf *day, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf detail = buf_make(FEDERATE_JSON_MAX);
    Health health = HEALTH_HEALTHY;
    char pid[24];
    TRY(f->o.control->health(f->o.control->arg, true, &health, &detail, err));
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    write_text(&w, "status", status);
    json_key(&w, "healthScore");
    json_write_int64(&w, health_score(health));
    json_key(&w, "uptime");
    json_write_int64(&w, int64_min((clock_mono_ns() - f->started_ns) / FEDERATE_S_NS, INT32_MAX));
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    write_text(&w, "processId", str_from(pid));
    write_text(&w, "buildVersion", STR(NEURON_VERSION));
    write_system(f, &w);
    json_key(&w, "applicationMetrics");
    json_object_begin(&w);
    json_key(&w, "analytics");
    json_write_raw(&w, day->len ? buf_str(day) : STR("null"));
    json_object_end(&w);
    if (detail.len < FEDERATE_BODY_MAX / 3) {
        json_key(&w, "dependencyStatus");
        json_write_raw(&w, buf_str(&detail));
    }
    json_object_end(&w);
    return json_writer_end(&w);
}

static Outcome send_beat(Federate *f, Str status, Arena *arena)
{
    Err err = {0};
    const JsonValue *data = NULL;
    FederateLetters letters;
    int64_t pending = 0;
    CLEANUP(buf_done) Buf day = buf_make(FEDERATE_JSON_MAX);
    CLEANUP(buf_done) Buf body = buf_make(FEDERATE_BODY_MAX);
    if (federate_reports(f, &day, &letters, &err) != OK ||
        beat_body(f, status, &day, &body, &err) != OK) {
        LOG_ERR(LOG_ERROR, "federation", "a heartbeat can't be made", &err);
        return CALL_DOWN;
    }
    Call call = {.operation = "heartbeat",
                 .method = "POST",
                 .path = STR("/api/api-neurons/heartbeat"),
                 .body = buf_str(&body),
                 .status = 200,
                 .needed = "heartbeatId",
                 .kind = JSON_NUMBER};
    Outcome outcome = federate_call(f, &call, arena, &data);
    if (outcome != CALL_OK) return outcome;
    metrics_set(METRIC_FEDERATION_LAST_HEARTBEAT, (double)clock_now_us() / 1e6, NO_LABELS);
    if (f->no_analytics && letters.count) federate_reports_done(f, &day, &letters);
    if (json_int64(json_member(data, STR("pendingCommands")), &pending) && pending > 0) {
        f->poll_ns = 0;
    }
    f->rejected = false;
    return outcome;
}

static void beat(Federate *f, Arena *arena)
{
    Outcome outcome = send_beat(f, STR("active"), arena);
    int64_t now_ns = clock_mono_ns(), every_ns = f->heartbeat_us * 1000;
    while (f->beat_due_ns <= now_ns) f->beat_due_ns += every_ns;
    f->beat_ns = f->beat_due_ns;
    if (outcome == CALL_OK) {
        f->beat_failures = 0;
        return;
    }
    if (outcome == CALL_TOKEN) {
        if (!f->rejected) {
            f->register_ns = now_ns;
            LOG(LOG_ERROR, "federation", "the token is refused, registering again");
        }
        f->rejected = true;
        f->beat_ns = INT64_MAX; /* until the next try to register */
        return;
    }
    int64_t retry_ns = (5 * FEDERATE_S_NS) << int64_min(f->beat_failures++, 2);
    f->beat_ns = int64_min(f->beat_ns, now_ns + retry_ns);
}

/* ---- the thread ---- */

static int64_t work(Federate *f)
{
    Arena arena = arena_make(ARENA_BYTES);
    int64_t now_ns = clock_mono_ns();
    bool registers = f->token.len == 0 || f->rejected;
    if (registers && now_ns >= f->register_ns) try_register(f, &arena);
    if (f->token.len && now_ns >= f->beat_ns) beat(f, &arena);
    if (f->token.len && !f->rejected) {
        if (now_ns >= f->poll_ns) {
            f->poll_ns = now_ns + f->o.poll_us * 1000;
            federate_poll(f);
        }
        if (f->commands_open) federate_commands(f);
        if (now_ns >= f->report_ns) {
            f->report_ns = now_ns + f->o.report_us * 1000;
            federate_analytics(f);
        }
    }
    arena_done(&arena);
    int64_t next_ns = f->token.len ? f->beat_ns : f->register_ns;
    if (f->rejected) return int64_min(next_ns, f->register_ns);
    if (f->token.len) next_ns = int64_min(next_ns, int64_min(f->poll_ns, f->report_ns));
    return f->commands_open ? int64_min(next_ns, now_ns + FEDERATE_S_NS / 2) : next_ns;
}

static void run(void *arg)
{
    Federate *f = arg;
    while (!atomic_load(&f->stop)) {
        int64_t next_ns = work(f);
        pthread_mutex_lock(&f->lock);
        if (!atomic_load(&f->stop)) (void)thread_cond_wait(&f->wake, &f->lock, next_ns);
        pthread_mutex_unlock(&f->lock);
    }
}

Status federate_start(const FederateOptions *options, Federate **ret_federate, Err *err)
{
    Federate *f = mem_zalloc((int64_t)sizeof *f);
    if (!f) return err_memory(err);
    f->o = *options;
    f->heartbeat_us = options->heartbeat_us ? options->heartbeat_us : 60000000;
    if (!f->o.poll_us) f->o.poll_us = int64_min(30000000, f->heartbeat_us);
    if (!f->o.report_us) f->o.report_us = f->heartbeat_us;
    f->timeout_us = TIMEOUT_US;
    f->token = buf_make(16 << 10);
    f->day = buf_make(FEDERATE_JSON_MAX);
    f->commands_open = f->up = true;
    f->started_ns = f->beat_due_ns = clock_mono_ns();
    pthread_mutex_init(&f->lock, NULL);
    thread_cond_init(&f->wake);
    Status status = http_client_new(&f->client, err);
    if (status == OK) {
        status = state_token_get(f->o.store, f->o.url, f->o.id, &f->token, err);
    }
    if (status == OK) status = thread_start(&f->thread, "federation", run, f, err);
    if (status == OK) *ret_federate = f;
    else federate_stop(f);
    return status;
}

void federate_stop(Federate *f)
{
    if (!f) return;
    pthread_mutex_lock(&f->lock);
    atomic_store(&f->stop, true);
    atomic_store(&f->cancelled, true);
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
    thread_join(&f->thread);
    if (f->client && f->up && f->token.len && !f->rejected) {
        Arena arena = arena_make(ARENA_BYTES);
        atomic_store(&f->cancelled, false);
        f->timeout_us = GOODBYE_US;
        (void)send_beat(f, STR("inactive"), &arena);
        arena_done(&arena);
    }
    http_client_free(f->client);
    buf_done(&f->token);
    buf_done(&f->day);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}
