/* The table of jobs, the queue of their tickets, the workers that take them. */
#include <stdio.h>
#include <unistd.h>

#include "foundation/base/clock.h"
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "foundation/codec/uuid.h"
#include "service/daemon/daemon_impl.h"

/* ---- the table ---- */

static Status job_init(Daemon *d, Job *job, JobKind kind, Str name, Str schedule, Err *err)
{
    job->kind = kind;
    job->name = name;
    job->next_us = INT64_MAX;
    TRY(arena_printf(&d->config->arena, &job->tick_name, err, "%s:%.*s",
                     kind == JOB_PIPELINE ? "pipeline" : "dataset", STR_ARG(name)));
    if (schedule.len == 0) return OK;
    if (job_set_schedule(d, job, schedule, err) == OK) return OK;
    return err_prefix(err, "%.*s: ", STR_ARG(name));
}

static void pipeline_series(Str name)
{
    static const char *const STATUSES[] = {"success", "failed", "skipped", "cancelled"};
    static const char *const STAGES[] = {"extracted", "transformed", "loaded", "rejected",
                                         "dropped"};
    for (int32_t i = 0; i < COUNT_OF(STATUSES); i++) {
        metrics_add(METRIC_PIPELINE_RUNS, 0, LABELS(name, str_from(STATUSES[i])));
    }
    for (int32_t i = 0; i < COUNT_OF(STAGES); i++) {
        metrics_add(METRIC_PIPELINE_ROWS, 0, LABELS(name, str_from(STAGES[i])));
    }
    metrics_add(METRIC_PIPELINE_ATTEMPTS_FAILED, 0, LABELS(name));
    metrics_set(METRIC_PIPELINE_RUNNING, 0, LABELS(name));
}

static Status load_last_run(void *arg, const StateRun *run, Err *err UNUSED)
{
    Job *job = arg;
    if (!run->finished_us) return OK;
    if (job->last_run_us == 0) {
        job->last_run_us = run->finished_us;
        copy_text(job->last_status, sizeof job->last_status, run->status);
    }
    if (job->last_success_us == 0 && str_eq(run->status, STR("success"))) {
        job->last_success_us = run->finished_us;
    }
    return OK;
}

Status jobs_make(Daemon *d, Err *err)
{
    const Configuration *c = d->config;
    d->jobs = mem_array(c->pipeline_count + c->quality_count + 1, (int64_t)sizeof *d->jobs);
    if (!d->jobs) return err_memory(err);
    for (int32_t i = 0; i < c->pipeline_count; i++) {
        Job *job = &d->jobs[d->job_count++];
        const PipelineOptions *o = c->options.pipelines.items[i];
        job->index = i;
        job->options = o;
        job->catch_up = (CatchUp)o->catch_up;
        job->overlap = (Overlap)o->overlap;
        TRY(job_init(d, job, JOB_PIPELINE, c->pipelines[i].name, o->schedule, err));
        pipeline_series(job->name);
        StateRunFilter filter = {.pipeline = job->name, .limit = 100};
        TRY(state_run_list(d->store, &filter, load_last_run, job, err));
    }
    for (int32_t i = 0; i < c->quality_count; i++) {
        const QualitySet *set = &c->quality[i];
        if (!set->from.scheme.len) continue; /* a set for `check` steps only */
        Job *job = &d->jobs[d->job_count++];
        job->index = i;
        job->catch_up = CATCH_UP_LAST;
        TRY(job_init(d, job, JOB_DATASET, set->name, set->schedule, err));
        TRY(dataset_restore(d, job, err));
    }
    return OK;
}

Job *job_find(Daemon *d, JobKind kind, Str name)
{
    for (int32_t i = 0; i < d->job_count; i++) {
        if (d->jobs[i].kind == kind && str_eq(d->jobs[i].name, name)) return &d->jobs[i];
    }
    return NULL;
}

/* Checked first, then put in the place of the old one. `text` empty: no schedule. */
Status job_set_schedule(Daemon *d, Job *job, Str text, Err *err)
{
    Schedule schedule = {0};
    Str copy = STR_NULL;
    if (text.len) TRY(schedule_parse(text, &schedule, err));
    pthread_mutex_lock(&d->lock);
    Status status = arena_copy(&d->config->arena, text, &copy, err);
    if (status == OK) {
        schedule_done(&job->schedule);
        job->schedule = schedule;
        job->scheduled = text.len > 0;
        job->schedule_text = copy;
        job->next_us = job->scheduled ? schedule_next(&schedule, clock_now_us()) : INT64_MAX;
    }
    pthread_mutex_unlock(&d->lock);
    if (status != OK) schedule_done(&schedule);
    return status;
}

/* ---- the queue ---- */

void ticket_push(Daemon *d, Ticket *ticket)
{
    pthread_mutex_lock(&d->lock);
    ticket->next = NULL;
    if (d->last) d->last->next = ticket;
    else d->first = ticket;
    d->last = ticket;
    d->ticket_count++;
    ticket->job->queued++;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static Status ticket_new(Job *job, Str trigger, int64_t scheduled_us, Ticket **ret_ticket, Err *err)
{
    uint8_t bytes[16];
    TRY(hash_random(bytes, sizeof bytes, err));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    Ticket *ticket = mem_zalloc((int64_t)sizeof *ticket);
    if (!ticket) return err_memory(err);
    uuid_format(bytes, ticket->run_id);
    ticket->job = job;
    ticket->scheduled_us = scheduled_us;
    copy_text(ticket->trigger, sizeof ticket->trigger, trigger);
    *ret_ticket = ticket;
    return OK;
}

static Status ticket_store(Daemon *d, const Ticket *ticket, bool *ret_mine, Err *err)
{
    const Job *job = ticket->job;
    *ret_mine = true;
    StateRun run = {
        .run_id = str_from(ticket->run_id),
        .pipeline = job->name,
        .trigger = str_from(ticket->trigger),
        .status = STR("queued"),
        .scheduled_us = ticket->scheduled_us,
        .attempts = ticket->attempts,
    };
    bool tick = ticket->scheduled_us > 0;
    if (job->kind == JOB_PIPELINE) {
        return tick ? state_tick_run(d->store, job->tick_name, &run, d->identity, ret_mine, err)
                    : state_run_put(d->store, &run, err);
    }
    if (!tick) return OK;
    return state_tick_take(d->store, job->tick_name, ticket->scheduled_us, d->identity, ret_mine,
                           err);
}

static Status job_has_room(Daemon *d, const Job *job, Err *err)
{
    pthread_mutex_lock(&d->lock);
    bool room = job->queued < TICKETS_OF_JOB_MAX && d->ticket_count < TICKETS_MAX;
    pthread_mutex_unlock(&d->lock);
    if (atomic_load(&d->draining)) return err_set(err, ERR_LIMIT, "the neuron is ending");
    if (room) return OK;
    (void)err_set(err, ERR_LIMIT, "too many runs of %.*s wait already", STR_ARG(job->name));
    return err_hint(err, "wait until some are done");
}

static Status enqueue(Daemon *d, Ticket *ticket, bool *ret_mine, Err *err)
{
    Status status = ticket_store(d, ticket, ret_mine, err);
    if (status == OK && *ret_mine) ticket_push(d, ticket);
    else mem_free(ticket);
    return status;
}

Status job_enqueue(Daemon *d, Job *job, Str trigger, char *ret_run_id, Err *err)
{
    Ticket *ticket = NULL;
    bool mine = true;
    TRY(job_has_room(d, job, err));
    TRY(ticket_new(job, trigger, 0, &ticket, err));
    char run_id[RUN_ID_SIZE];
    memcpy(run_id, ticket->run_id, RUN_ID_SIZE);
    TRY(enqueue(d, ticket, &mine, err));
    if (ret_run_id) memcpy(ret_run_id, run_id, RUN_ID_SIZE);
    return OK;
}

Status job_enqueue_tick(Daemon *d, Job *job, Str trigger, int64_t scheduled_us, bool *ret_mine,
                        Err *err)
{
    Ticket *ticket = NULL;
    TRY(job_has_room(d, job, err));
    TRY(ticket_new(job, trigger, scheduled_us, &ticket, err));
    return enqueue(d, ticket, ret_mine, err);
}

/* ---- the workers ---- */

/* `after:` must have succeeded since their last tick; only ticks and starts wait for that. */
static bool after_is_done(Daemon *d, const Ticket *ticket)
{
    if (ticket->job->kind == JOB_DATASET) {
        return !str_eq(str_from(ticket->trigger), STR("start")) || !dataset_waits(d, ticket->job);
    }
    const PipelineOptions *o = ticket->job->options;
    bool waits = o && !str_eq(str_from(ticket->trigger), STR("api")) &&
                 !str_eq(str_from(ticket->trigger), STR("federation"));
    for (int32_t i = 0; waits && i < o->after.count; i++) {
        const Job *other = job_find(d, JOB_PIPELINE, o->after.items[i]);
        if (!other) continue;
        bool begun = other->last_success_us > 0 && other->last_success_us >= other->last_tick_us;
        if (!begun || other->running || other->queued > 0) return false;
    }
    return true;
}

/* The oldest ticket that may run now, taken out; NULL when there is none. *ret_wake_ns: when one
 * may be. Under the lock. */
static Ticket *ticket_take(Daemon *d, int64_t now_ns, int64_t *ret_wake_ns)
{
    *ret_wake_ns = -1;
    Ticket *before = NULL;
    for (Ticket *t = d->first; t; before = t, t = t->next) {
        if (t->job->running || !after_is_done(d, t)) continue;
        if (t->not_before_ns > now_ns) {
            if (*ret_wake_ns < 0 || t->not_before_ns < *ret_wake_ns)
                *ret_wake_ns = t->not_before_ns;
            continue;
        }
        if (before) before->next = t->next;
        else d->first = t->next;
        if (d->last == t) d->last = before;
        d->ticket_count--;
        t->job->queued--;
        return t;
    }
    return NULL;
}

static void worker(void *arg)
{
    Daemon *d = arg;
    pthread_mutex_lock(&d->lock);
    while (!atomic_load(&d->draining)) {
        int64_t wake_ns = -1;
        Ticket *ticket = ticket_take(d, clock_mono_ns(), &wake_ns);
        if (!ticket) {
            (void)thread_cond_wait(&d->changed, &d->lock, wake_ns);
            continue;
        }
        Job *job = ticket->job;
        job->running = true;
        memcpy(job->run_id, ticket->run_id, RUN_ID_SIZE);
        atomic_store(&job->cancelled, false);
        d->running_count++;
        pthread_mutex_unlock(&d->lock);
        job_run(d, ticket);
        pthread_mutex_lock(&d->lock);
        job->running = false;
        d->running_count--;
        pthread_cond_broadcast(&d->changed);
    }
    pthread_mutex_unlock(&d->lock);
}

Status jobs_start(Daemon *d, Err *err)
{
    int32_t count = d->job_count < WORKERS_MAX ? d->job_count : WORKERS_MAX;
    for (int32_t i = 0; i < count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "work-%d", i + 1);
        TRY(thread_start(&d->workers[i], name, worker, d, err));
        d->worker_count++;
    }
    return OK;
}

void jobs_drain(Daemon *d)
{
    pthread_mutex_lock(&d->lock);
    atomic_store(&d->draining, true);
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

bool jobs_wait(Daemon *d, int64_t deadline_ns)
{
    pthread_mutex_lock(&d->lock);
    while (d->running_count > 0 && clock_mono_ns() < deadline_ns) {
        (void)thread_cond_wait(&d->changed, &d->lock, deadline_ns);
    }
    bool idle = d->running_count == 0;
    pthread_mutex_unlock(&d->lock);
    return idle;
}

void jobs_cancel(Daemon *d)
{
    for (int32_t i = 0; i < d->job_count; i++) atomic_store(&d->jobs[i].cancelled, true);
}

/* What still waits stays in the state store and is taken up at the next start. */
void jobs_done(Daemon *d)
{
    for (int32_t i = 0; i < d->worker_count; i++) thread_join(&d->workers[i]);
    for (Ticket *t = d->first, *next; t; t = next) {
        next = t->next;
        mem_free(t);
    }
    for (int32_t i = 0; i < d->job_count; i++) schedule_done(&d->jobs[i].schedule);
    mem_free(d->jobs);
    d->jobs = NULL;
    d->first = d->last = NULL;
    d->job_count = d->worker_count = 0;
}
