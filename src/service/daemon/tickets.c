/* The queue of runs: put into the store first, taken when they may run. */
#include "service/daemon/tickets.h"

#include "foundation/base/mem.h"
#include "foundation/codec/uuid.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/run_record.h"

/* ---- in ---- */

void ticket_push(Daemon *d, Ticket *ticket)
{
    pthread_mutex_lock(&d->lock);
    ticket->next = NULL;
    ticket->waits_ns = 0;
    if (d->queue.last) d->queue.last->next = ticket;
    else d->queue.first = ticket;
    d->queue.last = ticket;
    ticket->job->queued++;
    if (ticket->attempts > 0) ticket->job->retrying++;
    pthread_mutex_unlock(&d->lock);
    life_wake(&d->life);
}

static Status ticket_new(Job *job, Str trigger, int64_t scheduled_us, Ticket **ret_ticket, Err *err)
{
    uint8_t bytes[16];
    TRY(uuid_random(bytes, err));
    Ticket *ticket = mem_zalloc((int64_t)sizeof *ticket);
    if (!ticket) return err_memory(err);
    uuid_format(bytes, ticket->run_id);
    ticket->job = job;
    ticket->scheduled_us = scheduled_us;
    str_to_array(ticket->trigger, sizeof ticket->trigger, trigger);
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
        return tick
                   ? state_tick_run(d->store, job->tick_name, &run, d->self.identity, ret_mine, err)
                   : state_run_put(d->store, &run, err);
    }
    if (!tick) return OK;
    return state_tick_take(d->store, job->tick_name, ticket->scheduled_us, d->self.identity,
                           ret_mine, err);
}

static Status job_has_room(Daemon *d, const Job *job, Err *err)
{
    pthread_mutex_lock(&d->lock);
    bool room = job->queued < TICKETS_OF_JOB_MAX;
    pthread_mutex_unlock(&d->lock);
    if (atomic_load(&d->life.draining)) return err_set(err, ERR_LIMIT, "the neuron is ending");
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

/* ---- out ---- */

/* `before` is the one before it; NULL: it is the first. Under the lock. */
static void take_out(Daemon *d, Ticket *ticket, Ticket *before)
{
    if (before) before->next = ticket->next;
    else d->queue.first = ticket->next;
    if (d->queue.last == ticket) d->queue.last = before;
    ticket->next = NULL;
    ticket->job->queued--;
    if (ticket->attempts > 0) ticket->job->retrying--;
}

static bool waits_for_others(const Ticket *ticket)
{
    const Job *job = ticket->job;
    Str trigger = str_from(ticket->trigger);
    /* What somebody asks for waits for nobody; a check by its schedule neither. */
    bool waits = job->kind == JOB_DATASET
                     ? str_eq(trigger, STR("start"))
                     : !str_eq(trigger, STR("api")) && !str_eq(trigger, STR("federation"));
    for (int32_t i = 0; waits && i < job->ticks.after_count; i++) {
        const Job *other = job->ticks.after[i];
        bool fresh = other->ticks.fresh || job->kind == JOB_DATASET;
        if (!fresh || other->running || other->queued > 0) return true;
    }
    return false;
}

Ticket *ticket_take(Daemon *d)
{
    int64_t now_ns = clock_mono_ns();
    Ticket *before = NULL, *found = NULL, *found_before = NULL;
    d->queue.wake_ns = -1;
    for (Ticket *t = d->queue.first; t; before = t, t = t->next) {
        if (t->not_before_ns > now_ns) {
            if (d->queue.wake_ns < 0 || t->not_before_ns < d->queue.wake_ns)
                d->queue.wake_ns = t->not_before_ns;
        } else if (t->job->running || waits_for_others(t)) {
            t->waits_ns = 0;
        } else if (found || !places_have_room(&d->table.places, t->job)) {
            if (!t->waits_ns) t->waits_ns = now_ns;
        } else {
            found = t;
            found_before = before;
        }
    }
    if (found) take_out(d, found, found_before);
    return found;
}

void ticket_put_back(Daemon *d, Ticket *ticket)
{
    ticket->next = d->queue.first;
    ticket->waits_ns = clock_mono_ns();
    d->queue.first = ticket;
    if (!d->queue.last) d->queue.last = ticket;
    ticket->job->queued++;
    if (ticket->attempts > 0) ticket->job->retrying++;
}

Ticket *ticket_withdraw(Daemon *d, Str run_id)
{
    Ticket *before = NULL;
    for (Ticket *t = d->queue.first; t; before = t, t = t->next) {
        if (!str_eq(str_from(t->run_id), run_id)) continue;
        take_out(d, t, before);
        return t;
    }
    return NULL;
}

void tickets_void(Daemon *d, int64_t after_us)
{
    Ticket *gone = NULL;
    pthread_mutex_lock(&d->lock);
    for (Ticket *t = d->queue.first, *before = NULL, *next; t; t = next) {
        next = t->next;
        if (t->scheduled_us <= after_us || t->attempts > 0) {
            before = t;
            continue;
        }
        take_out(d, t, before);
        t->next = gone;
        gone = t;
    }
    pthread_mutex_unlock(&d->lock);
    for (Ticket *t = gone, *next; t; t = next) {
        next = t->next;
        run_record_skip(d, t, STR("Its tick is in the future: the clock was set back"));
    }
}

Waiting tickets_waiting(const Daemon *d)
{
    Waiting all = {0};
    int64_t now_ns = clock_mono_ns(), longest_ns = -1;
    for (const Ticket *t = d->queue.first; t; t = t->next) {
        if (!t->waits_ns) continue;
        JobKind kind = t->job->kind;
        int64_t waits_ns = now_ns - t->waits_ns;
        all.count[kind]++;
        all.longest_ns[kind] = int64_max(all.longest_ns[kind], waits_ns);
        if (waits_ns > longest_ns) all.job = t->job;
        longest_ns = int64_max(longest_ns, waits_ns);
    }
    return all;
}

/* What still waits stays in the state store and is taken up at the next start. */
void tickets_done(Daemon *d)
{
    for (Ticket *t = d->queue.first, *next; t; t = next) {
        next = t->next;
        mem_free(t);
    }
    d->queue.first = d->queue.last = NULL;
}
