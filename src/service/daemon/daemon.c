/* The life of a neuron: configuration, store, parts up, the main loop, an orderly end. */
#include "service/daemon/daemon.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "service/api/api.h"
#include "service/daemon/check_notes.h"
#include "service/daemon/connections.h"
#include "service/daemon/control_impl.h"
#include "service/daemon/jobs.h"
#include "service/daemon/parts.h"
#include "service/daemon/replica.h"
#include "service/daemon/store_watch.h"
#include "service/daemon/tickets.h"
#include "service/daemon/ticks.h"
#include "service/daemon/workers.h"

#define SECOND_NS INT64_C(1000000000)
/* After the drain's end, what was cancelled gets so long to roll back. */
#define CANCEL_NS (10 * SECOND_NS)
/* With something that has its time: a clock that is set wakes nobody. */
#define LOOK_NS SECOND_NS
#define LOOK_IDLE_NS (30 * SECOND_NS)

void daemon_wake(Daemon *d)
{
    uint64_t one = 1;
    IGNORE(write(d->life.event_fd, &one, sizeof one)); /* full is as good as written */
}

void daemon_end(Daemon *d, DaemonEnd how)
{
    int none = END_NONE;
    (void)atomic_compare_exchange_strong(&d->life.end, &none, (int)how);
    daemon_wake(d);
}

/* ---- configuration ---- */

Status daemon_load(const DaemonOptions *options, Configuration *c, Err *err)
{
    Status status =
        options->config_path.len
            ? configuration_load(options->registry, options->config_path, options->from, c, err)
            : configuration_guide_load(options->registry, options->from, c, err);
    if (status == OK) status = configuration_check(c, err);
    return status;
}

static void tell_left_out(const DaemonOptions *options)
{
    static const char *const PARTS[][2] = {{"SOURCE_DB_URL", "pipelines"},
                                           {"TARGET_DB_URL", "pipelines and quality checks"},
                                           {"KAFKA_SERVERS", "the stream"},
                                           {"FEDERATION_URL", "the federation"}};
    if (options->config_path.len) return;
    for (int32_t i = 0; i < COUNT_OF(PARTS); i++) {
        const char *value = options->from->environment(options->from->arg, PARTS[i][0]);
        if (value && value[0]) continue;
        LOG(LOG_INFO, "daemon", "left out, its variable is not set",
            log_text("part", str_from(PARTS[i][1])), log_text("variable", str_from(PARTS[i][0])));
    }
}

/* ---- up ---- */

static Status descriptors_open(Daemon *d, Err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    d->life.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    d->life.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->life.signal_fd >= 0 && d->life.event_fd >= 0) return OK;
    return err_errno(err, errno, "signals can't be watched");
}

static ApiOptions api_options(Daemon *d)
{
    const HttpOptions *o = &d->config->options.http;
    return (ApiOptions){.listen = o->listen,
                        .token = o->token,
                        .metrics_public = o->metrics_public,
                        .memory = &d->budget};
}

/* The port first: a neuron that can't have it has touched nothing yet, and one that waits for its
 * state store says that it lives. The same address goes on listening over a reload. A new one that
 * can't be had is no reason to end what runs: the old one stays. */
static Status api_open(Daemon *d, Err *err)
{
    ApiOptions options = api_options(d);
    Api *api = NULL;
    Err why = {0};
    if (!*d->api) return api_start(&options, d->api, err);
    if (api_listens(*d->api, options.listen)) return OK;
    if (api_start(&options, &api, &why) == OK) {
        api_stop(*d->api);
        *d->api = api;
        return OK;
    }
    LOG_ERR(LOG_ERROR, "daemon", "the old address stays", &why);
    return OK;
}

static Status api_serve(Daemon *d, Err *err)
{
    ApiOptions options = api_options(d);
    options.control = &d->control;
    return api_attach(*d->api, &options, err);
}

static Status parts_start(Daemon *d, Err *err)
{
    const ConfigurationOptions *o = &d->config->options;
    TRY(descriptors_open(d, err));
    TRY(api_open(d, err));
    TRY(state_store_open(o->state, &d->store, err));
    TRY(store_watch_start(d, err));
    TRY(replica_begin(d, err));
    TRY(jobs_make(d, err));
    TRY(streams_new(d, err));
    TRY(links_make(d, err));
    control_make(d, &d->control);
    TRY(api_serve(d, err));
    config_update_restore(d);
    ticks_begin(d);
    TRY(workers_start(d, err));
    parts_begin(d);
    return OK;
}

static void metrics_begin(const Daemon *d)
{
    metrics_set(METRIC_BUILD_INFO, 1, LABELS(STR(NEURON_VERSION)));
    metrics_set(METRIC_UP_SINCE, (double)d->life.started_us / 1e6, NO_LABELS);
}

/* ---- the main loop ---- */

/* *ret_signal is set by SIGTERM and SIGINT; SIGHUP asks for a reload. */
static void read_signals(Daemon *d, int *ret_signal)
{
    struct signalfd_siginfo info;
    while (read(d->life.signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            Err err = {0};
            CLEANUP(buf_done) Buf out = buf_make(1 << 20);
            if (d->control.reload(d, &out, &err) != OK) {
                LOG_ERR(LOG_ERROR, "daemon", "not reloaded, nothing changed", &err);
            }
            continue;
        }
        *ret_signal = (int)info.ssi_signo;
        daemon_end(d, END_STOP);
    }
}

static void wait_events(Daemon *d, int64_t timeout_ns, int *ret_signal)
{
    struct pollfd fds[] = {{.fd = d->life.signal_fd, .events = POLLIN},
                           {.fd = d->life.event_fd, .events = POLLIN}};
    int64_t ms = timeout_ns < 0 ? 0 : (timeout_ns + 999999) / 1000000;
    (void)poll(fds, COUNT_OF(fds), (int)int64_min(ms, LOOK_IDLE_NS / 1000000));
    uint64_t count;
    IGNORE(read(d->life.event_fd, &count, sizeof count)); /* only empties it */
    read_signals(d, ret_signal);
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
    if (d->self.number) atomic_fetch_sub(&d->time.offset_us, step_us);
    jobs_clock_set(d, step_us);
    links_clock_set(d, step_us);
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

static void main_loop(Daemon *d, int64_t end_ns, int *ret_signal)
{
    int64_t beat_ns = watchdog_ns();
    (void)clock_watch_step(&d->time.clock);
    while (atomic_load(&d->life.end) == END_NONE) {
        watch_clock(d);
        int64_t wait_us = ticks_fire(d);
        int64_t until_ns = int64_min(dispatch(d), end_ns), now_ns = clock_mono_ns();
        if (now_ns >= end_ns) {
            daemon_end(d, END_STOP);
            break;
        }
        int64_t wait_ns =
            wait_us == INT64_MAX ? LOOK_IDLE_NS : int64_min(wait_us, LOOK_NS / 1000) * 1000;
        wait_ns = int64_min(int64_min(wait_ns, beat_ns), int64_max(until_ns - now_ns, 0));
        wait_events(d, wait_ns, ret_signal);
        if (beat_ns != INT64_MAX) (void)sd_notify(0, "WATCHDOG=1");
    }
}

/* ---- down ---- */

/* Wait for what runs; a second signal ends the patience, but for one in the first second: some send
 * two at once. What is cancelled gets the last third of the time (at most CANCEL_NS) to roll back.
 */
static void drain(Daemon *d, int *ret_signal)
{
    int64_t drain_ns = d->config->options.drain_us * 1000;
    int64_t start_ns = clock_mono_ns(), end_ns = start_ns + drain_ns;
    int64_t patience_ns = end_ns - int64_min(drain_ns / 3, CANCEL_NS);
    int first = *ret_signal;
    *ret_signal = 0;
    while (clock_mono_ns() < patience_ns && *ret_signal == 0) {
        if (workers_wait(d, int64_min(clock_mono_ns() + SECOND_NS / 10, patience_ns))) break;
        read_signals(d, ret_signal);
        if (clock_mono_ns() - start_ns < SECOND_NS) *ret_signal = 0;
        (void)sd_notify(0, "WATCHDOG=1");
    }
    if (*ret_signal) end_ns = int64_min(end_ns, clock_mono_ns() + CANCEL_NS);
    *ret_signal = first;
    workers_cancel(d);
    if (workers_wait(d, end_ns)) return;
    LOG(LOG_ERROR, "daemon", "a run does not end; it is left to the next start");
    _exit(first ? 128 + first : 1);
}

/* What a request still uses must not go away under it. */
static void api_leave(Daemon *d, int signal)
{
    if (api_detach(*d->api)) return;
    LOG(LOG_ERROR, "daemon", "the work for a request does not end; it is abandoned");
    _exit(signal ? 128 + signal : 1);
}

static void parts_stop(Daemon *d)
{
    part_streams_stop(d);
    workers_done(d);
    tickets_done(d);
    jobs_done(d);
    check_notes_done(d);
    links_done(d);
    store_watch_stop(d);
    state_store_close(TAKE(d->store));
    if (d->life.signal_fd >= 0) (void)close(d->life.signal_fd);
    if (d->life.event_fd >= 0) (void)close(d->life.event_fd);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
}

static void say_ready(Daemon *d)
{
    atomic_store(&d->life.ready, true);
    (void)sd_notify(0, "READY=1");
    LOG(LOG_INFO, "daemon", "ready", log_text("id", d->self.identity),
        log_text("version", STR(NEURON_VERSION)),
        log_text("listen", d->config->options.http.listen), log_int("port", api_port(*d->api)),
        log_int("pipelines", d->config->pipeline_count));
}

static Status live(Daemon *d, int64_t end_ns, int *ret_signal, Err *err)
{
    Status status = parts_start(d, err);
    if (status == OK) {
        say_ready(d);
        main_loop(d, end_ns, ret_signal);
        atomic_store(&d->life.ready, false);
        if (atomic_load(&d->life.end) == END_STOP) (void)sd_notify(0, "STOPPING=1");
        LOG(LOG_INFO, "daemon", "ending", log_int("signal", *ret_signal));
    }
    workers_drain(d);
    streams_drain(d);
    if (status == OK) drain(d, ret_signal);
    api_leave(d, *ret_signal);
    if (status == OK) parts_end(d);
    parts_stop(d);
    return status;
}

/* One life: from a configuration to its end. */
static Status live_once(const DaemonOptions *options, bool reloaded, Api **api, int64_t end_ns,
                        DaemonEnd *ret_end, int *ret_signal, Err *err)
{
    Configuration config;
    Daemon d = {.options = options,
                .config = &config,
                .life.reloaded = reloaded,
                .api = api,
                .life.signal_fd = -1,
                .life.event_fd = -1,
                .life.started_us = clock_now_us(),
                .life.started_ns = clock_mono_ns()};
    pthread_mutex_init(&d.lock, NULL);
    thread_cond_init(&d.changed);
    Status status = daemon_load(options, &config, err);
    if (status == OK) {
        budget_init(&d.budget, "memory", NULL, config.options.memory_bytes);
        metrics_begin(&d);
        tell_left_out(options);
        status = live(&d, end_ns, ret_signal, err);
    }
    *ret_end = (DaemonEnd)atomic_load(&d.life.end);
    configuration_done(&config);
    return status;
}

Status daemon_run(const DaemonOptions *options, int *ret_exit, Err *err)
{
    int64_t end_ns = options->for_us > 0 ? clock_mono_ns() + options->for_us * 1000 : INT64_MAX;
    DaemonEnd end = END_NONE;
    int number = 0;
    CLEANUP(api_stop_p) Api *api = NULL;
    do {
        bool reloaded = end == END_RELOAD;
        TRY(live_once(options, reloaded, &api, end_ns, &end, &number, err));
    } while (end == END_RESTART || end == END_RELOAD);
    api_stop(TAKE(api));
    *ret_exit = number ? 128 + number : 0;
    LOG(LOG_INFO, "daemon", "ended", log_int("exit", *ret_exit));
    return OK;
}
