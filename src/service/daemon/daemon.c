/* The life of a neuron: configuration, store, parts up, the main loop, an orderly end. */
#include "service/daemon/daemon.h"

#include <systemd/sd-daemon.h>

#include "foundation/base/mem.h"
#include "service/api/api.h"
#include "service/daemon/daemon_config.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/parts.h"
#include "service/daemon/signals.h"
#include "service/daemon/ticks.h"

#define SECOND_NS INT64_C(1000000000)
/* With something that has its time: a clock that is set wakes nobody. */
#define LOOK_NS SECOND_NS
#define LOOK_IDLE_NS (30 * SECOND_NS)

static void metrics_begin(const Daemon *d)
{
    metrics_set(METRIC_BUILD_INFO, 1, LABELS(STR(NEURON_VERSION)));
    metrics_set(METRIC_UP_SINCE, (double)d->life.started_us / 1e6, NO_LABELS);
}

static int64_t watchdog_ns(void)
{
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? (int64_t)us * 1000 / 3 : INT64_MAX;
}

/* The clock may be set by hours or years: what remembers its moments moves them along. A store that
 * others share has a clock of its own, which was not set. */
static void watch_clock(Daemon *d)
{
    int64_t step_us = clock_watch_step(&d->time.clock);
    if (!step_us) return;
    LOG(LOG_WARN, "daemon", "the clock was set", log_int("seconds", step_us / 1000000));
    if (d->self.number) store_clock_step(&d->time.store, step_us);
    jobs_clock_set(d, step_us);
    links_clock_set(&d->links, step_us);
    streams_clock_set(d, step_us);
    metrics_clock_set(step_us);
}

/* What may run by now, by its waits. Returns when the next wait is over; INT64_MAX: none waits. */
static int64_t dispatch(Daemon *d)
{
    pthread_mutex_lock(&d->lock);
    workers_dispatch(d);
    int64_t wake_ns = d->queue.wake_ns;
    if (d->queue.first && wake_ns < 0) wake_ns = clock_mono_ns() + LOOK_NS;
    pthread_mutex_unlock(&d->lock);
    return wake_ns < 0 ? INT64_MAX : wake_ns;
}

static void main_loop(Daemon *d, int64_t end_ns)
{
    int64_t beat_ns = watchdog_ns();
    (void)clock_watch_step(&d->time.clock);
    while (atomic_load(&d->life.end) == END_NONE) {
        watch_clock(d);
        int64_t wait_us = ticks_fire(d);
        int64_t until_ns = int64_min(dispatch(d), end_ns), now_ns = clock_mono_ns();
        if (now_ns >= end_ns) {
            life_end(&d->life, END_STOP);
            break;
        }
        int64_t wait_ns =
            wait_us == INT64_MAX ? LOOK_IDLE_NS : int64_min(wait_us, LOOK_NS / 1000) * 1000;
        wait_ns = int64_min(int64_min(wait_ns, beat_ns), int64_max(until_ns - now_ns, 0));
        signals_wait(d, wait_ns);
        if (beat_ns != INT64_MAX) (void)sd_notify(0, "WATCHDOG=1");
    }
}

static void say_ready(Daemon *d)
{
    atomic_store(&d->life.ready, true);
    (void)sd_notify(0, "READY=1");
    LOG(LOG_INFO, "daemon", "ready", log_text("id", d->self.identity),
        log_text("version", STR(NEURON_VERSION)),
        log_text("listen", d->config->options.http.listen), log_int("port", api_port(d->api)),
        log_int("pipelines", d->config->pipeline_count));
}

/* False: something does not end and may still use the daemon. */
static bool down(Daemon *d, int32_t started)
{
    pthread_mutex_lock(&d->lock);
    atomic_store(&d->life.draining, true);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    if (!parts_settle(d, started)) return false;
    parts_stop(d, started);
    return true;
}

static Status live(Daemon *d, int64_t end_ns, bool *ret_ended, Err *err)
{
    int32_t started = 0;
    Status status = parts_start(d, &started, err);
    if (status == OK) {
        say_ready(d);
        main_loop(d, end_ns);
        atomic_store(&d->life.ready, false);
        if (atomic_load(&d->life.end) == END_STOP) (void)sd_notify(0, "STOPPING=1");
        LOG(LOG_INFO, "daemon", "ending", log_int("signal", d->life.signal));
    }
    *ret_ended = down(d, started);
    return status;
}

/* ---- lives ---- */

static void daemon_free(Daemon *d)
{
    if (!d) return;
    configuration_done(d->config);
    mem_free(d->config);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    mem_free(d);
}
DEFINE_FREE_P(Daemon, daemon_free)

static Status daemon_new(const DaemonOptions *options, Daemon **ret_daemon, Err *err)
{
    Daemon *d = mem_zalloc((int64_t)sizeof *d);
    Configuration *config = mem_zalloc((int64_t)sizeof *config);
    if (!d || !config) {
        mem_free(d);
        mem_free(config);
        return err_memory(err);
    }
    d->options = options;
    d->config = config;
    d->life = (DaemonLife){.signal_fd = -1,
                           .event_fd = -1,
                           .started_us = clock_now_us(),
                           .started_ns = clock_mono_ns()};
    pthread_mutex_init(&d->lock, NULL);
    thread_cond_init(&d->changed);
    *ret_daemon = d;
    return OK;
}

/* From a configuration to its end. *end is how the life before it ended, and then how this one did.
 * Where work does not end, the daemon stays for it. */
static Status live_once(const DaemonOptions *options, Api **api, int64_t end_ns, DaemonEnd *end,
                        DaemonResult *result, Err *err)
{
    CLEANUP(daemon_free_p) Daemon *d = NULL;
    bool ended = true;
    TRY(daemon_new(options, &d, err));
    TRY(daemon_config_load(options, d->config, err));
    d->api = *api;
    d->life.reloaded = *end == END_RELOAD;
    budget_init(&d->budget, "memory", NULL, d->config->options.memory_bytes);
    metrics_begin(d);
    daemon_config_tell(options);
    Status status = live(d, end_ns, &ended, err);
    int number = d->life.signal;
    *result = (DaemonResult){.exit = number ? 128 + number : !ended, .abandoned = !ended};
    *api = d->api;
    *end = (DaemonEnd)atomic_load(&d->life.end);
    if (!ended) (void)TAKE(d);
    return status;
}

Status daemon_run(const DaemonOptions *options, DaemonResult *ret_result, Err *err)
{
    int64_t end_ns = options->for_us > 0 ? clock_mono_ns() + options->for_us * 1000 : INT64_MAX;
    DaemonEnd end = END_NONE;
    CLEANUP(api_stop_p) Api *api = NULL;
    *ret_result = (DaemonResult){0};
    do {
        Status status = live_once(options, &api, end_ns, &end, ret_result, err);
        if (ret_result->abandoned) (void)TAKE(api);
        if (ret_result->abandoned || status != OK) return status;
    } while (end == END_RESTART || end == END_RELOAD);
    api_stop(TAKE(api));
    LOG(LOG_INFO, "daemon", "ended", log_int("exit", ret_result->exit));
    return OK;
}
