/* Workers: runs wait on remote systems, not on processors, so that each has a thread of its own. */
#include "service/daemon/workers.h"

#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "foundation/base/mem.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/job_run.h"
#include "service/daemon/part_health.h"
#include "service/daemon/signals.h"

/* Work that waits for a worker longer than that is out of order. */
#define WAIT_LONG_NS INT64_C(60000000000)
#define SECOND_NS INT64_C(1000000000)
/* After the drain's end, what was cancelled gets so long to roll back. */
#define CANCEL_NS (10 * SECOND_NS)

static const char *const KINDS[JOB_KINDS] = {"pipeline", "check"};

/* One run's thread. Under the daemon's lock. */
typedef struct Worker {
    Daemon *daemon;
    Ticket *ticket;
    Thread thread;
    bool used, ended;
} Worker;

/* Under the lock. */
static void count(Daemon *d, Job *job, int32_t more)
{
    job->running = more > 0;
    places_count(&d->table.places, job, more);
}

static void work(void *arg)
{
    Worker *worker = arg;
    Daemon *d = worker->daemon;
    Job *job = worker->ticket->job;
    job_run(d, worker->ticket);
    pthread_mutex_lock(&d->lock);
    count(d, job, -1);
    workers_dispatch(d);
    worker->ended = true; /* not before: it can't join itself */
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    life_wake(&d->life);
}

/* A place for one more thread; there is one more than can be in use. */
static Worker *worker_free(Daemon *d)
{
    for (int32_t i = 0; i < d->pool.worker_count; i++) {
        Worker *worker = &d->pool.workers[i];
        if (worker->ended) {
            thread_join(&worker->thread); /* it only returns */
            *worker = (Worker){.daemon = d};
        }
        if (!worker->used) return worker;
    }
    return NULL;
}

static void start_failed(Daemon *d, const Err *why)
{
    if (!d->pool.error[0]) {
        LOG_ERR(LOG_ERROR, "daemon", "no thread for a run; it waits", why);
        metrics_add(METRIC_ERRORS, 1, LABELS(STR("daemon"), str_from(err_kind_name(why->kind))));
    }
    str_to_array(d->pool.error, sizeof d->pool.error, str_from(why->message));
}

/* Owns the ticket unless it fails. */
static Status start(Daemon *d, Ticket *ticket, Err *err)
{
    Worker *worker = worker_free(d);
    Job *job = ticket->job;
    if (!worker) return err_set(err, ERR_LIMIT, "no worker is free");
    worker->ticket = ticket;
    worker->used = true;
    memcpy(job->run_id, ticket->run_id, RUN_ID_SIZE);
    atomic_store(&job->cancelled, false);
    count(d, job, 1);
    if (thread_start(&worker->thread, KINDS[job->kind], work, worker, err) == OK) {
        d->pool.error[0] = 0;
        return OK;
    }
    count(d, job, -1);
    *worker = (Worker){.daemon = d};
    return FAIL;
}

void workers_dispatch(Daemon *d)
{
    Err err = {0};
    while (d->pool.workers && !atomic_load(&d->life.draining)) {
        Ticket *ticket = ticket_take(d);
        if (!ticket) return;
        if (start(d, ticket, &err) == OK) continue;
        start_failed(d, &err);
        ticket_put_back(d, ticket);
        return;
    }
}

Status workers_start(Daemon *d, Err *err)
{
    int64_t count = JOB_KINDS * d->config->options.concurrency + 1;
    count = int64_min(count, (int64_t)d->table.job_count + 1);
    Worker *workers = mem_array(count, (int64_t)sizeof *workers);
    if (!workers) return err_memory(err);
    for (int64_t i = 0; i < count; i++) workers[i].daemon = d;
    pthread_mutex_lock(&d->lock);
    d->pool.worker_count = (int32_t)count;
    d->pool.workers = workers;
    workers_dispatch(d);
    pthread_mutex_unlock(&d->lock);
    return OK;
}

static bool is_idle(const Daemon *d)
{
    return d->table.places.running[JOB_PIPELINE] + d->table.places.running[JOB_DATASET] == 0;
}

/* Wait until nothing runs; false at the deadline. */
static bool wait_idle(Daemon *d, int64_t deadline_ns)
{
    pthread_mutex_lock(&d->lock);
    while (!is_idle(d) && clock_mono_ns() < deadline_ns) {
        (void)thread_cond_wait(&d->changed, &d->lock, deadline_ns);
    }
    bool idle = is_idle(d);
    pthread_mutex_unlock(&d->lock);
    return idle;
}

static void cancel_all(Daemon *d)
{
    for (int32_t i = 0; i < d->table.job_count; i++)
        atomic_store(&d->table.jobs[i].cancelled, true);
}

/* A second signal ends the patience, but for one in the first second: some send two at once. What
 * is cancelled gets the last third of the time (at most CANCEL_NS) to roll back. */
bool workers_settle(Daemon *d)
{
    int64_t drain_ns = d->config->options.drain_us * 1000;
    int64_t start_ns = clock_mono_ns(), end_ns = start_ns + drain_ns;
    int64_t patience_ns = end_ns - int64_min(drain_ns / 3, CANCEL_NS);
    int first = d->life.signal;
    d->life.signal = 0;
    while (clock_mono_ns() < patience_ns && d->life.signal == 0) {
        if (wait_idle(d, int64_min(clock_mono_ns() + SECOND_NS / 10, patience_ns))) break;
        signals_read(d);
        if (clock_mono_ns() - start_ns < SECOND_NS) d->life.signal = 0;
        (void)sd_notify(0, "WATCHDOG=1");
    }
    if (d->life.signal) end_ns = int64_min(end_ns, clock_mono_ns() + CANCEL_NS);
    d->life.signal = first;
    cancel_all(d);
    if (wait_idle(d, end_ns)) return true;
    LOG(LOG_ERROR, "daemon", "a run does not end; it is left to the next start");
    return false;
}

void workers_done(Daemon *d)
{
    for (int32_t i = 0; i < d->pool.worker_count; i++) thread_join(&d->pool.workers[i].thread);
    mem_free(d->pool.workers);
    d->pool.workers = NULL;
    d->pool.worker_count = 0;
}

/* ---- what is told of them ---- */

/* What keeps the job that waits longest. */
static void explain(const Daemon *d, const Waiting *all, char *text, size_t size)
{
    const Job *job = all->job;
    if (d->pool.error[0]) {
        (void)snprintf(text, size, "%s", d->pool.error);
        return;
    }
    const Place *full = places_full(&d->table.places, job);
    if (full) {
        (void)snprintf(text, size, "%.*s waits: %lld runs use %.*s already (concurrency)",
                       STR_ARG(job->name), (long long)full->limit, STR_ARG(full->text));
        return;
    }
    (void)snprintf(text, size, "%.*s waits: %lld runs of its kind go on already (concurrency)",
                   STR_ARG(job->name), (long long)d->config->options.concurrency);
}

bool workers_health(const Daemon *d, bool detail, JsonWriter *w)
{
    Waiting all = tickets_waiting(d);
    int64_t longest_ns = int64_max(all.longest_ns[JOB_PIPELINE], all.longest_ns[JOB_DATASET]);
    bool good = longest_ns < WAIT_LONG_NS && !d->pool.error[0];
    char text[512] = "";
    if (!good && all.job) explain(d, &all, text, sizeof text);
    PartHealth part = {.status = good ? STR("healthy") : STR("unhealthy"),
                       .kind = ERR_LIMIT,
                       .error = str_from(text),
                       .since_us = clock_now_us() - longest_ns / 1000};
    json_key(w, "workers");
    json_object_begin(w);
    part_health_write(&part, detail, w);
    if (detail) {
        json_key_int64(w, "pipelines_running", d->table.places.running[JOB_PIPELINE]);
        json_key_int64(w, "pipelines_waiting", all.count[JOB_PIPELINE]);
        json_key_int64(w, "checks_running", d->table.places.running[JOB_DATASET]);
        json_key_int64(w, "checks_waiting", all.count[JOB_DATASET]);
    }
    json_object_end(w);
    return good;
}

void workers_metrics(Daemon *d)
{
    pthread_mutex_lock(&d->lock);
    Waiting all = tickets_waiting(d);
    for (int32_t i = 0; i < JOB_KINDS; i++) {
        Str kind = str_from(KINDS[i]);
        metrics_set(METRIC_RUNS_RUNNING, d->table.places.running[i], LABELS(kind));
        metrics_set(METRIC_RUNS_WAITING, (double)all.count[i], LABELS(kind));
        metrics_set(METRIC_RUNS_WAIT, (double)all.longest_ns[i] / 1e9, LABELS(kind));
    }
    pthread_mutex_unlock(&d->lock);
}
