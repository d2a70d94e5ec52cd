/* Ticks: what is due runs, what was cut off goes on, a clock that was set confuses none of it. */
#include "service/daemon/ticks.h"

#include <stdio.h>

#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/run_record.h"

enum {
    AGAIN_US = 1000000,  /* when the store could not be asked */
    LATE_US = 2000000,   /* a tick that comes later than that was missed */
    TAKE_AT_ONCE = 1000, /* missed ticks that others have, looked at in one go */
};

static int64_t ticks_now(const Daemon *d)
{
    return store_clock_now(&d->time.store);
}

/* Said once, not at each try. */
static void tick_failed(Job *job, const char *what, const Err *err)
{
    metrics_add(METRIC_ERRORS, 1, LABELS(STR("scheduler"), str_from(err_kind_name(err->kind))));
    if (job->ticks.fails) return;
    LOG_ERR(LOG_ERROR, "scheduler", what, err, log_text("job", job->tick_name));
}

static void enqueue_start(Daemon *d, Job *job)
{
    Err err = {0};
    if (job_enqueue(d, job, STR("start"), NULL, &err) == OK) return;
    tick_failed(job, "the run at the start could not be queued", &err);
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
    str_to_array(ticket->run_id, RUN_ID_SIZE, run->run_id);
    str_to_array(ticket->trigger, sizeof ticket->trigger, run->trigger);
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
    int64_t now_us = ticks_now(d);
    while (resume->first) {
        Ticket *ticket = resume->first;
        resume->first = ticket->next;
        if (ticket->scheduled_us > now_us + CLOCK_STEP_US && ticket->attempts == 0) {
            run_record_skip(d, ticket, STR("Its tick is in the future: the clock was set back"));
            continue;
        }
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
        StateRunFilter filter = {
            .status = str_from(OPEN[i]), .limit = 1000, .mine = true, .brief = true};
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

/* ---- missed ticks ---- */

static Str missed_key(const Job *job, char text[256])
{
    int len = snprintf(text, 256, "missed:%.*s", (int)int64_min(job->tick_name.len, 240),
                       job->tick_name.ptr);
    return str_make(text, len);
}

/* What is still to be made up for is known to the next life too: ticks that were taken later hide
 * it from there. */
static void missed_keep(Daemon *d, Job *job)
{
    char key[256], value[64];
    Err err = {0};
    pthread_mutex_lock(&d->lock);
    bool none = job->ticks.missed_us == INT64_MAX;
    int len = snprintf(value, sizeof value, "%lld", (long long)(job->ticks.missed_us - 1));
    pthread_mutex_unlock(&d->lock);
    Status status =
        none ? state_value_drop(d->store, missed_key(job, key), &err)
             : state_value_put(d->store, missed_key(job, key), str_make(value, len), &err);
    if (status != OK) tick_failed(job, "missed ticks could not be kept", &err);
}

/* catch_up: all. The ticks in (from, to] are made up for one by one, as the job is free. */
static bool missed_begin(Daemon *d, Job *job, int64_t from_us, int64_t to_us)
{
    pthread_mutex_lock(&d->lock);
    if (job->ticks.missed_us == INT64_MAX)
        job->ticks.missed_us = schedule_next(&job->ticks.schedule, from_us);
    if (job->ticks.missed_us > to_us) job->ticks.missed_us = INT64_MAX;
    job->ticks.missed_end_us = to_us;
    bool some = job->ticks.missed_us != INT64_MAX;
    pthread_mutex_unlock(&d->lock);
    if (some) missed_keep(d, job);
    return some;
}

/* The moment after which ticks are missing; 0: none is known. */
static int64_t missed_since(Daemon *d, Job *job)
{
    char key[256];
    int64_t last_us = 0, kept_us = 0;
    Err err = {0};
    CLEANUP(buf_done) Buf kept = buf_make(64);
    if (state_tick_last(d->store, job->tick_name, &last_us, &err) != OK ||
        state_value_get(d->store, missed_key(job, key), &kept, &err) != OK) {
        tick_failed(job, "missed ticks could not be looked for", &err);
        return 0;
    }
    bool none = number_parse_int64(buf_str(&kept), &kept_us) != NUMBER_OK || kept_us <= 0;
    if (none || job->ticks.catch_up != CATCH_UP_ALL) return last_us;
    return last_us ? int64_min(last_us, kept_us) : kept_us;
}

/* Ticks since the last one that was taken, up to now. True when a run is to come for them. */
static bool catch_up(Daemon *d, Job *job, int64_t now_us)
{
    Err err = {0};
    bool mine = false;
    if (!job->ticks.scheduled || job->ticks.catch_up == CATCH_UP_NONE) return false;
    int64_t since_us = missed_since(d, job);
    if (!since_us) return false;
    if (job->ticks.catch_up == CATCH_UP_ALL) return missed_begin(d, job, since_us, now_us);
    ScheduleMissed missed = schedule_missed(&job->ticks.schedule, since_us, now_us);
    if (missed.count == 0) return false;
    if (job_enqueue_tick(d, job, STR("catch_up"), missed.last_us, &mine, &err) != OK) {
        tick_failed(job, "a tick could not be queued", &err);
    }
    return mine;
}

static void store_set_back(Daemon *d)
{
    Err err = {0};
    if (state_clock_set_back(d->store, &err) == OK) return;
    LOG_ERR(LOG_WARN, "scheduler", "what the future left in the state store stays", &err);
}

void ticks_begin(Daemon *d)
{
    int64_t now_us = d->time.seen_us = ticks_now(d);
    store_set_back(d);
    resume_runs(d);
    for (int32_t i = 0; i < d->table.job_count; i++) {
        Job *job = &d->table.jobs[i];
        bool waits = catch_up(d, job, now_us) || job->queued > 0;
        /* Of several neurons on one store the first runs at its start. */
        bool first = d->self.number <= 1;
        if (!d->life.reloaded) job->ticks.fresh = false;
        /* A dataset without a schedule is checked when somebody asks. */
        bool starts = job->ticks.at_start && (job->kind == JOB_PIPELINE || job->ticks.scheduled);
        if (starts && first && !waits && !d->life.reloaded && !job->paused) enqueue_start(d, job);
    }
}

/* ---- while it runs ---- */

/* Why a tick starts no run just now; NULL: it does. Under the lock. */
static const char *busy_with(const Job *job)
{
    if (job->paused) return "paused";
    if (job->ticks.overlap == OVERLAP_QUEUE) return NULL;
    if (job->running || job->retrying > 0 || job->ticks.missed_us != INT64_MAX) return "overlap";
    return job->queued > 0 ? "waiting" : NULL;
}

static void skip(const Job *job, const char *reason)
{
    if (job->kind == JOB_PIPELINE) {
        metrics_add(METRIC_PIPELINE_TICKS_SKIPPED, 1, LABELS(job->name, str_from(reason)));
    }
    LOG(LOG_INFO, "scheduler", "tick skipped", log_text("job", job->tick_name),
        log_text("reason", str_from(reason)));
}

/* Takes the tick, and queues its run unless `reason` says why not. False where the store could not
 * be asked: the tick is still to come. *ret_mine false: another neuron has it. */
static bool take(Daemon *d, Job *job, Str trigger, int64_t at_us, const char *reason,
                 bool *ret_mine)
{
    Err err = {0};
    *ret_mine = false;
    pthread_mutex_lock(&d->lock);
    bool was_fresh = job->ticks.fresh;
    job->ticks.fresh = false; /* before the run is queued, which may end at once */
    pthread_mutex_unlock(&d->lock);
    Status status =
        reason ? state_tick_take(d->store, job->tick_name, at_us, d->self.identity, ret_mine, &err)
               : job_enqueue_tick(d, job, trigger, at_us, ret_mine, &err);
    if (status != OK) tick_failed(job, "a tick could not be taken; tried again", &err);
    pthread_mutex_lock(&d->lock);
    if (!*ret_mine) job->ticks.fresh = job->ticks.fresh || was_fresh;
    job->ticks.fails = status != OK;
    pthread_mutex_unlock(&d->lock);
    return status == OK;
}

static bool fire(Daemon *d, Job *job, int64_t at_us)
{
    bool mine = false;
    pthread_mutex_lock(&d->lock);
    const char *reason = busy_with(job);
    pthread_mutex_unlock(&d->lock);
    if (!take(d, job, STR("schedule"), at_us, reason, &mine)) return false;
    if (mine && reason) skip(job, reason);
    return true;
}

/* One missed tick, when the job is free for it; one that another neuron has taken is passed over.
 * The end of its run wakes us for the next. Returns when to look again (INT64_MAX: then). */
static int64_t make_up(Daemon *d, Job *job, int64_t now_us)
{
    bool mine = false;
    for (int32_t i = 0; i < TAKE_AT_ONCE && !mine; i++) {
        pthread_mutex_lock(&d->lock);
        int64_t at_us = job->ticks.missed_us;
        bool begun = job->running || job->queued > 0 || job->paused;
        pthread_mutex_unlock(&d->lock);
        if (at_us == INT64_MAX || begun) return INT64_MAX;
        if (!take(d, job, STR("catch_up"), at_us, NULL, &mine)) return now_us + AGAIN_US;
        pthread_mutex_lock(&d->lock);
        if (job->ticks.missed_us == at_us) {
            int64_t next_us = schedule_next(&job->ticks.schedule, at_us);
            job->ticks.missed_us = next_us <= job->ticks.missed_end_us ? next_us : INT64_MAX;
        }
        bool done = job->ticks.missed_us == INT64_MAX;
        pthread_mutex_unlock(&d->lock);
        if (mine || done) missed_keep(d, job);
    }
    return mine ? INT64_MAX : now_us;
}

/* The tick that is due, if one is. Several that were slept through count as one, the last; with
 * catch_up: all they are missed, and none is due. */
static bool take_due(Daemon *d, Job *job, int64_t now_us, int64_t *ret_at_us)
{
    pthread_mutex_lock(&d->lock);
    int64_t at_us = job->ticks.next_us;
    bool due = at_us <= now_us;
    int64_t next_us = due ? schedule_next(&job->ticks.schedule, at_us) : at_us;
    bool missed = due && (next_us <= now_us || now_us - at_us > LATE_US);
    if (missed && next_us <= now_us) {
        *ret_at_us = schedule_missed(&job->ticks.schedule, at_us, now_us).last_us;
        next_us = schedule_next(&job->ticks.schedule, now_us);
    } else {
        *ret_at_us = at_us;
    }
    job->ticks.next_us = next_us;
    pthread_mutex_unlock(&d->lock);
    if (!missed || job->ticks.catch_up != CATCH_UP_ALL) return due;
    (void)missed_begin(d, job, at_us - 1, now_us);
    return false;
}

/* Returns when to look again. */
static int64_t job_ticks(Daemon *d, Job *job, int64_t now_us)
{
    int64_t at_us = 0;
    if (take_due(d, job, now_us, &at_us) && !fire(d, job, at_us)) {
        pthread_mutex_lock(&d->lock);
        job->ticks.next_us = at_us;
        pthread_mutex_unlock(&d->lock);
        return now_us + AGAIN_US;
    }
    int64_t again_us = make_up(d, job, now_us);
    pthread_mutex_lock(&d->lock);
    int64_t next_us = job->ticks.next_us;
    pthread_mutex_unlock(&d->lock);
    return int64_min(again_us, next_us);
}

/* The clock was ahead: ticks count from now again, and what was taken ahead of time is void. */
static void set_back(Daemon *d, int64_t now_us)
{
    for (int32_t i = 0; i < d->table.job_count; i++) {
        Job *job = &d->table.jobs[i];
        pthread_mutex_lock(&d->lock);
        if (job->ticks.scheduled) job->ticks.next_us = schedule_next(&job->ticks.schedule, now_us);
        bool missed = job->ticks.missed_us != INT64_MAX;
        job->ticks.missed_end_us = int64_min(job->ticks.missed_end_us, now_us);
        if (job->ticks.missed_us > now_us) job->ticks.missed_us = INT64_MAX;
        pthread_mutex_unlock(&d->lock);
        if (missed) missed_keep(d, job);
    }
    tickets_void(d, now_us + CLOCK_STEP_US);
    store_set_back(d);
    d->time.seen_us = now_us;
}

int64_t ticks_fire(Daemon *d)
{
    int64_t now_us = ticks_now(d), soonest_us = INT64_MAX;
    if (now_us < d->time.seen_us - CLOCK_STEP_US) set_back(d, now_us);
    d->time.seen_us = int64_max(d->time.seen_us, now_us);
    for (int32_t i = 0; i < d->table.job_count; i++) {
        soonest_us = int64_min(soonest_us, job_ticks(d, &d->table.jobs[i], now_us));
    }
    return soonest_us == INT64_MAX ? INT64_MAX : int64_max(soonest_us - ticks_now(d), 0);
}
