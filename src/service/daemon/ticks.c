/* Ticks: what is due runs, what was missed is made up for, what was cut off goes on. */
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "service/daemon/daemon_impl.h"

enum { CATCH_UP_MAX = 100 };

static void tick_failed(const Job *job, const char *what, const Err *err)
{
    metrics_add(METRIC_ERRORS, 1, LABELS(STR("scheduler"), str_from(err_kind_name(err->kind))));
    LOG_ERR(LOG_ERROR, "scheduler", what, err, log_text("job", job->tick_name));
}

/* False where another neuron has the tick. */
static bool enqueue_tick(Daemon *d, Job *job, Str trigger, int64_t at_us)
{
    Err err = {0};
    bool mine = false;
    if (job_enqueue_tick(d, job, trigger, at_us, &mine, &err) == OK) return mine;
    tick_failed(job, "a tick could not be queued", &err);
    return false;
}

static void enqueue_start(Daemon *d, Job *job)
{
    Err err = {0};
    if (job_enqueue(d, job, STR("start"), NULL, &err) == OK) return;
    tick_failed(job, "the run at the start could not be queued", &err);
}

static bool tick_take(Daemon *d, const Job *job, int64_t at_us)
{
    Err err = {0};
    bool mine = false;
    if (state_tick_take(d->store, job->tick_name, at_us, d->identity, &mine, &err) == OK) {
        return mine;
    }
    tick_failed(job, "a tick could not be taken", &err);
    return false;
}

static void skip(const Job *job, const char *reason)
{
    if (job->kind == JOB_PIPELINE) {
        metrics_add(METRIC_PIPELINE_TICKS_SKIPPED, 1, LABELS(job->name, str_from(reason)));
    }
    LOG(LOG_INFO, "scheduler", "tick skipped", log_text("job", job->tick_name),
        log_text("reason", str_from(reason)));
}

/* ---- at the start ---- */

typedef struct Resume {
    Daemon *d;
    Ticket *first, *last;
} Resume;

/* Under the store's lock: only collects. */
static Status collect_open(void *arg, const StateRun *run, Err *err)
{
    Resume *resume = arg;
    Job *job = job_find(resume->d, JOB_PIPELINE, run->pipeline);
    if (!job) return OK;
    Ticket *ticket = mem_zalloc((int64_t)sizeof *ticket);
    if (!ticket) return err_memory(err);
    copy_text(ticket->run_id, RUN_ID_SIZE, run->run_id);
    copy_text(ticket->trigger, sizeof ticket->trigger, run->trigger);
    ticket->job = job;
    ticket->scheduled_us = run->scheduled_us;
    ticket->attempts = run->attempts;
    /* Newest first comes in; the oldest shall go first. */
    ticket->next = resume->first;
    resume->first = ticket;
    return OK;
}

static void resume_push(Daemon *d, Resume *resume)
{
    while (resume->first) {
        Ticket *ticket = resume->first;
        resume->first = ticket->next;
        LOG(LOG_INFO, "scheduler", "run taken up again", log_text("pipeline", ticket->job->name),
            log_text("run_id", str_from(ticket->run_id)));
        ticket_push(d, ticket);
    }
}

/* Runs that a kill or an end cut off: the same run again, by its id, so that nothing that it
 * published is done twice. */
static void resume_runs(Daemon *d)
{
    static const char *const OPEN[] = {"queued", "running"};
    Err err = {0};
    Resume resume = {.d = d};
    Status status = OK;
    for (int32_t i = 0; i < COUNT_OF(OPEN) && status == OK; i++) {
        StateRunFilter filter = {.status = str_from(OPEN[i]), .limit = 1000, .mine = true};
        status = state_run_list(d->store, &filter, collect_open, &resume, &err);
    }
    if (status != OK) LOG_ERR(LOG_ERROR, "scheduler", "open runs could not be read", &err);
    resume_push(d, &resume);
}

void ticks_adopt(Daemon *d)
{
    Err err = {0};
    Resume resume = {.d = d};
    if (state_run_adopt(d->store, collect_open, &resume, &err) != OK) {
        LOG_ERR(LOG_ERROR, "scheduler", "runs of others could not be read", &err);
    }
    resume_push(d, &resume);
}

/* Ticks since the last one that was taken, up to now. True when a run was queued for them. */
static bool catch_up(Daemon *d, Job *job, int64_t now_us)
{
    int64_t last_us = 0;
    Err err = {0};
    if (!job->scheduled || job->catch_up == CATCH_UP_NONE) return false;
    if (state_tick_last(d->store, job->tick_name, &last_us, &err) != OK || last_us == 0)
        return false;
    job->last_tick_us = last_us;
    ScheduleMissed missed = schedule_missed(&job->schedule, last_us, now_us);
    if (missed.count == 0) return false;
    int64_t count = job->catch_up == CATCH_UP_ALL ? int64_min(missed.count, CATCH_UP_MAX) : 1;
    int64_t at_us = last_us;
    bool some = false;
    for (int64_t i = 0; i < count; i++) {
        at_us = count == 1 ? missed.last_us : schedule_next(&job->schedule, at_us);
        some = enqueue_tick(d, job, STR("catch_up"), at_us) || some;
    }
    return some;
}

void ticks_begin(Daemon *d)
{
    int64_t now_us = clock_now_us();
    resume_runs(d);
    for (int32_t i = 0; i < d->job_count; i++) {
        Job *job = &d->jobs[i];
        bool waits = catch_up(d, job, now_us) || job->queued > 0;
        /* A dataset without a schedule is checked when somebody asks. */
        bool starts = job->kind == JOB_PIPELINE || job->scheduled;
        /* Of several neurons on one store the first runs at its start. */
        bool first = d->replica <= 1;
        if (starts && first && !waits && !d->reloaded && !job->paused) enqueue_start(d, job);
        pthread_mutex_lock(&d->lock);
        if (!d->reloaded) job->last_tick_us = now_us;
        pthread_mutex_unlock(&d->lock);
    }
}

/* ---- while it runs ---- */

static void fire(Daemon *d, Job *job, int64_t at_us)
{
    pthread_mutex_lock(&d->lock);
    bool busy = job->running || job->queued > 0;
    bool paused = job->paused;
    pthread_mutex_unlock(&d->lock);
    bool skipped = paused || (busy && job->overlap == OVERLAP_SKIP);
    bool mine = skipped ? tick_take(d, job, at_us) : enqueue_tick(d, job, STR("schedule"), at_us);
    if (!mine) return;
    pthread_mutex_lock(&d->lock);
    job->last_tick_us = at_us;
    pthread_mutex_unlock(&d->lock);
    if (skipped) skip(job, paused ? "paused" : "overlap");
}

/* The tick that is due, if one is. Several that were slept through count as one (catch_up: all
 * takes each). */
static bool take_due(Daemon *d, Job *job, int64_t now_us, int64_t *ret_at_us)
{
    pthread_mutex_lock(&d->lock);
    bool due = job->next_us <= now_us;
    if (due) {
        *ret_at_us = job->next_us;
        int64_t next_us = schedule_next(&job->schedule, job->next_us);
        if (next_us <= now_us && job->catch_up != CATCH_UP_ALL) {
            *ret_at_us = schedule_missed(&job->schedule, job->next_us, now_us).last_us;
            next_us = schedule_next(&job->schedule, now_us);
        }
        job->next_us = next_us;
    }
    pthread_mutex_unlock(&d->lock);
    return due;
}

int64_t ticks_fire(Daemon *d, int64_t now_us)
{
    int64_t soonest_us = INT64_MAX, at_us = 0;
    for (int32_t i = 0; i < d->job_count; i++) {
        Job *job = &d->jobs[i];
        while (take_due(d, job, now_us, &at_us)) fire(d, job, at_us);
        pthread_mutex_lock(&d->lock);
        soonest_us = int64_min(soonest_us, job->next_us);
        pthread_mutex_unlock(&d->lock);
    }
    return soonest_us;
}
