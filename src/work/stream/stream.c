/* Running a stream: source, route, sink and dead letters put together, and again after losses. */
#include "work/stream/stream.h"

#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/base/hash.h"
#include "foundation/base/thread.h"
#include "foundation/obs/log.h"
#include "foundation/obs/metrics.h"
#include "work/stream/stream_impl.h"

#define WAIT_MIN_NS INT64_C(500000000)
#define WAIT_MAX_NS INT64_C(15000000000)
#define RATE_NS INT64_C(2000000000)
#define CYCLE_BYTES_MAX (INT64_C(32) << 20)

/* What had been consumed when the rate was last counted. */
typedef struct StreamRate {
    int64_t at_ns, count;
} StreamRate;

/* One connected stream_session: from opening everything to its end or the first error. Borrowed by
 * source and sinks, so that it stays in place. */
typedef struct StreamSession {
    const StreamConfig *config;
    const StreamEnv *env;
    StreamStats *stats;
    char run_id[40];
    Route route;
    SourceReq source_req;
    SinkReq sink_req, letter_req;
    Source *source;
    Sink *sink, *letter_sink;
    SourceInfo info;
    bool info_ready;
    LoadState state;
    DeadLetters letters;
    Breaker breaker;
    Step *step;
    int64_t committed_before; /* stats->consumed at its start */
    int64_t rebalances_before;
    StreamRate rate;
} StreamSession;

static Status run_id_new(char run_id[40], Err *err)
{
    uint8_t bytes[16];
    TRY(hash_random(bytes, sizeof bytes, err));
    char hex[32];
    hash_128_hex(hash_128(str_make((const char *)bytes, sizeof bytes)), hex);
    (void)snprintf(run_id, 40, "stream-%.32s", hex);
    return OK;
}

/* ---- putting together ---- */

static void requests(StreamSession *s)
{
    const StreamConfig *c = s->config;
    s->source_req = (SourceReq){
        .location = &c->from,
        .table = c->topic,
        .limits.bounded = s->env->drain,
        .limits.parallel = 1,
        .open = true,
        .paths = &s->route.paths,
        .rejects = c->letters.kept,
        .spool_folder = s->env->spool_folder,
        .stop = s->env->stop,
        .asks = c->from_messages,
    };
    s->sink_req = (SinkReq){
        .location = &c->to,
        .table = c->to_name,
        .mode = c->mode,
        .key = c->key_columns,
        .key_count = c->key_column_count,
        .create = c->create,
        .evolve = c->evolve,
        .pipeline = c->name,
        .topic = c->from_messages ? c->topic : STR_NULL,
        .config_hash = c->config_hash,
        .reject.wanted = c->letters.kept,
        .reject.table = c->letters.elsewhere ? STR_NULL : c->letters.name,
        .stop = s->env->stop,
        .cycle_us = s->config->cycle_us,
    };
    s->letter_req = (SinkReq){
        .location = &c->letters.to,
        .table = c->letters.name,
        .mode = SINK_APPEND,
        .create = true,
        .evolve = true,
        .pipeline = c->name,
        .reject.table = c->letters.name,
        .stop = s->env->stop,
        .cycle_us = s->config->cycle_us,
    };
}

static Status letters_make(StreamSession *s, Err *err)
{
    const StreamConfig *c = s->config;
    TRY(dead_letters_init(&s->letters, c, err));
    if (!c->letters.kept || !c->letters.elsewhere) return OK;
    TRY(connector_sink(&s->letter_req, &s->letter_sink, err));
    if (!s->letter_sink->ops->state) return OK;
    /* Where it is kept: what a killed run wrote before its cycle was committed is not doubled. */
    CLEANUP(load_state_done) LoadState state;
    load_state_init(&state);
    TRY(sink_state(s->letter_sink, &state, err));
    s->letters.sink = s->letter_sink;
    s->letters.keeps = c->letters.messages;
    if (!s->letters.keeps || s->source_req.asks) return OK;
    return letter_filter_load(&s->letters.kept, buf_str(&state.position.samples),
                              &s->state.position, NULL, err);
}

static Status stream_session_open(StreamSession *s, Err *err)
{
    const StreamConfig *c = s->config;
    load_state_init(&s->state);
    s->info.arena = arena_make(16 << 20);
    TRY(run_id_new(s->run_id, err));
    TRY(route_compile(&s->route, c, NULL, NULL, err));
    requests(s);
    breaker_init(&s->breaker, c, s->env->breaker_off);
    Status status = connector_sink(&s->sink_req, &s->sink, err);
    if (status == OK && s->sink->ops->state) status = sink_state(s->sink, &s->state, err);
    if (status != OK) return err_prefix(err, "target: ");
    s->source_req.kept = sink_keeps_parts(s->sink);
    if (letters_make(s, err) != OK) return err_prefix(err, "dead letters: ");
    status = connector_source(&s->source_req, &s->source, err);
    if (status == OK) status = source_describe(s->source, &s->info, err);
    if (status != OK) return err_prefix(err, "source: ");
    s->info_ready = true;
    return route_step_new(&s->route, s->stats, &s->step, err);
}

static void stream_session_close(StreamSession *s)
{
    source_close(s->source);
    sink_close(s->sink);
    sink_close(s->letter_sink);
    step_free(s->step);
    dead_letters_done(&s->letters);
    source_info_done(&s->info);
    load_state_done(&s->state);
    route_done(&s->route);
}

/* ---- while it runs ---- */

static void state_set(const StreamEnv *env, StreamStats *stats, StreamState state, const Err *why)
{
    if (atomic_exchange(&stats->state, (int)state) == (int)state) return;
    if (!why) atomic_store(&stats->trouble_since_us, 0);
    else if (atomic_load(&stats->trouble_since_us) == 0) {
        atomic_store(&stats->trouble_since_us, clock_now_us());
    }
    if (env->changed) env->changed(env->changed_arg, state, why);
}

static void on_committed(void *arg, const FlowLedger *cycle)
{
    StreamSession *s = arg;
    StreamStats *stats = s->stats;
    int64_t gap = cycle->extracted - cycle->dropped - cycle->rejected - cycle->loaded;
    atomic_fetch_add(&stats->ledger.consumed, cycle->extracted);
    atomic_fetch_add(&stats->ledger.emitted, cycle->loaded);
    atomic_fetch_add(&stats->ledger.filtered, cycle->dropped);
    atomic_fetch_add(&stats->ledger.dead_lettered, cycle->rejected);
    atomic_fetch_add(&stats->messages_failed, cycle->rejected);
    atomic_fetch_add(&stats->ledger.gap, gap);
    atomic_fetch_add(&stats->bytes, cycle->bytes);
    atomic_fetch_add(&stats->cycles.done, 1);
    int64_t left = atomic_load(&stats->in_flight) - cycle->extracted;
    atomic_store(&stats->in_flight, int64_max(left, 0));
    breaker_add(&s->breaker, cycle->extracted, cycle->rejected);
    int64_t oldest_us = atomic_exchange(&stats->cycles.oldest_us, 0);
    if (oldest_us <= 0) return;
    double age = (double)int64_max(clock_now_us() - oldest_us, 0) / 1e6;
    metrics_observe(METRIC_STREAM_END_TO_END, age, LABELS(s->config->name));
}

static void on_fenced(void *arg, const int32_t *parts, int32_t count)
{
    const StreamSession *s = arg;
    LOG(LOG_WARN, "stream", "another process took partitions over; the cycle was undone",
        log_text("stream", s->config->name), log_text("topic", s->config->topic),
        log_int("partitions", count), log_int("first", parts[0]));
}

static void measure_rate(StreamSession *s, const FlowProgress *progress)
{
    int64_t elapsed_ns = progress->elapsed_ns - s->rate.at_ns;
    if (elapsed_ns < RATE_NS && s->rate.at_ns > 0) return;
    if (elapsed_ns <= 0) return;
    double rate = (double)(progress->extracted - s->rate.count) * 1e9 / (double)elapsed_ns;
    atomic_store(&s->stats->pace.per_second_milli, (int64_t)(rate * 1000));
    s->rate.at_ns = progress->elapsed_ns;
    s->rate.count = progress->extracted;
}

static void measure_lag(StreamSession *s)
{
    StreamStats *stats = s->stats;
    SourceStats source;
    source_stats(s->source, &source);
    atomic_store(&stats->lag_messages, source.lag_messages);
    atomic_store(&stats->lag_us, source.lag_us);
    atomic_store(&stats->rebalances, s->rebalances_before + source.rebalances);
    pthread_mutex_lock(&stats->mutex);
    stats->lag = source;
    pthread_mutex_unlock(&stats->mutex);
}

/* A stream that was held runs again when something is committed, or nothing is left to be. */
static bool goes_on(const StreamSession *s, const FlowProgress *progress)
{
    StreamStats *stats = s->stats;
    if (atomic_load(&stats->state) != STREAM_HELD) return true;
    bool level = progress->extracted == 0 && atomic_load(&stats->lag_messages) == 0;
    return level || atomic_load(&stats->ledger.consumed) > s->committed_before;
}

static void on_progress(void *arg, const FlowProgress *progress)
{
    StreamSession *s = arg;
    StreamStats *stats = s->stats;
    measure_rate(s, progress);
    int64_t committed = atomic_load(&stats->ledger.consumed) - s->committed_before;
    atomic_store(&stats->in_flight, int64_max(progress->extracted - committed, 0));
    measure_lag(s);
    if (goes_on(s, progress)) state_set(s->env, stats, STREAM_RUNNING, NULL);
    if (s->env->progress) s->env->progress(s->env->progress_arg, progress);
}

static int64_t queue_bytes(const Budget *budget)
{
    int64_t share = budget ? budget->max_bytes / 16 : INT64_MAX;
    return int64_max(int64_min(share, 8 << 20), 256 << 10);
}

static FlowSpec flow_spec(StreamSession *s)
{
    const StreamConfig *c = s->config;
    FlowSpec spec = {
        .source = s->source,
        .sink = s->sink,
        .steps = &s->step,
        .step_count = 1,
        .schema = s->route.out,
        .out_name = c->to_name,
        .run_id = str_from(s->run_id),
        .epoch = s->state.epoch,
        .start = s->info.replayable && s->state.position.count > 0 ? &s->state.position : NULL,
        .advance = s->info.replayable,
        .asks = s->source_req.asks,
        .limits.rows = c->cycle_rows,
        .limits.bytes = CYCLE_BYTES_MAX,
        .limits.us = c->cycle_us,
        .end.drain = s->env->drain && s->info.unbounded,
        .rejects.allowed = c->letters.kept,
        .rejects.sink = s->letter_sink,
        .rejects.name = c->letters.name,
        .expr = {.now_us = clock_now_us()},
        .limits.queue_bytes = queue_bytes(s->env->budget),
        .limits.revoke_margin_ns = INT64_C(500000000),
        .observer.progress = on_progress,
        .observer.arg = s,
        .gate = {breaker_check, &s->breaker},
        .observer.committed = on_committed,
        .observer.fenced = on_fenced,
        .end.stop = s->env->stop,
        .end.stop_us = s->env->stop_us,
    };
    if (c->letters.kept) {
        spec.rejects.shape = (FlowRejectShape){.schema = dead_letters_schema(&s->letters),
                                               .shape = dead_letters_shape,
                                               .next = dead_letters_next,
                                               .arg = &s->letters};
    }
    if (s->letters.keeps) {
        spec.rejects.shape.keep = dead_letters_keep;
        spec.rejects.shape.ended = dead_letters_ended;
        spec.rejects.shape.committed = dead_letters_committed;
        spec.rejects.shape.taken = dead_letters_taken;
        spec.rejects.shape.gone = dead_letters_gone;
    }
    return spec;
}

static Status stream_session_run(StreamSession *s, Err *err)
{
    FlowSpec spec = flow_spec(s);
    FlowResult result;
    flow_result_init(&result);
    s->committed_before = atomic_load(&s->stats->ledger.consumed);
    s->rebalances_before = atomic_load(&s->stats->rebalances);
    Status status = flow_run(&spec, &result, err);
    measure_lag(s);
    atomic_fetch_add(&s->stats->cycles.aborted, result.aborted_cycles);
    atomic_store(&s->stats->in_flight, 0);
    atomic_fetch_add(&s->stats->ledger.gap, result.gap);
    flow_result_done(&result);
    if (status != OK && err->kind == ERR_DATA && !s->config->letters.kept) {
        (void)err_hint(err, "fix the message, or name a `dead_letter:` place for such ones");
    }
    return status;
}

static Status stream_session(const StreamConfig *config, const StreamEnv *env, StreamStats *stats,
                             Err *err)
{
    StreamSession s = {.config = config, .env = env, .stats = stats};
    Status status = stream_session_open(&s, err);
    if (status == OK) status = stream_session_run(&s, err);
    stream_session_close(&s);
    return status;
}

/* ---- again after losses ---- */

static bool is_stopped(const StreamEnv *env)
{
    return env->stop && atomic_load(env->stop);
}

static void remember(StreamStats *stats, const Err *why)
{
    pthread_mutex_lock(&stats->mutex);
    if (why) stats->error = *why;
    else err_clear(&stats->error);
    pthread_mutex_unlock(&stats->mutex);
}

/* Until then, or until stopped. */
static void wait_until(const StreamEnv *env, int64_t until_ns)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    thread_cond_init(&cond);
    pthread_mutex_lock(&mutex);
    while (clock_mono_ns() < until_ns && !is_stopped(env)) {
        int64_t tick_ns = clock_mono_ns() + 100 * 1000000;
        (void)thread_cond_wait(&cond, &mutex, int64_min(until_ns, tick_ns));
    }
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
}

static int64_t deadline_of(const StreamEnv *env)
{
    return env->patience_us < 0 ? INT64_MAX : clock_mono_ns() + env->patience_us * 1000;
}

/* Is it something that a place does not take, or does not let us do, rather than one that can't be
 * reached? */
static bool is_held(const Err *why)
{
    return why->kind == ERR_LIMIT || why->kind == ERR_HELD || why->kind == ERR_MISSING ||
           why->kind == ERR_PERMISSION || why->kind == ERR_NOT_FOUND || why->kind == ERR_SPACE;
}

/* The end of a run as a state; an orderly end while something was waited for is a good one. */
static Status run_end(const StreamEnv *env, StreamStats *stats, Status status, Err *err)
{
    if (status != OK && is_stopped(env) && (err->kind == ERR_CANCELLED || err_is_retriable(err))) {
        status = OK;
        err_clear(err);
    }
    if (status == OK) {
        remember(stats, NULL);
        state_set(env, stats, STREAM_STOPPED, NULL);
        return OK;
    }
    state_set(env, stats, is_held(err) ? STREAM_HELD : STREAM_FAILED, err);
    return FAIL;
}

Status stream_run(const StreamConfig *config, const StreamEnv *env, StreamStats *stats, Err *err)
{
    Err local = {0};
    if (!err) err = &local;
    int64_t wait_ns = WAIT_MIN_NS, deadline_ns = deadline_of(env);
    int state = atomic_load(&stats->state);
    if (state != STREAM_WAITING && state != STREAM_HELD) {
        state_set(env, stats, STREAM_STARTING, NULL);
    }
    Status status = OK;
    while (!is_stopped(env)) {
        int64_t cycles = atomic_load(&stats->cycles.done);
        err_clear(err);
        status = stream_session(config, env, stats, err);
        if (status == OK) break;
        (void)err_prefix(err, "%.*s: ", STR_ARG(config->name));
        remember(stats, err);
        if (atomic_load(&stats->cycles.done) > cycles) {
            wait_ns = WAIT_MIN_NS;
            deadline_ns = deadline_of(env);
        }
        bool over = deadline_ns != INT64_MAX && clock_mono_ns() + wait_ns >= deadline_ns;
        if (!err_is_retriable(err) || over) break;
        state_set(env, stats, is_held(err) ? STREAM_HELD : STREAM_WAITING, err);
        wait_until(env, clock_mono_ns() + wait_ns);
        wait_ns = int64_min(wait_ns * 2, WAIT_MAX_NS);
        atomic_fetch_add(&stats->restarts, 1);
    }
    return run_end(env, stats, status, err);
}
