/* This neuron among those that share its state store: its number, its leases, what others left. */
#include "service/daemon/replica.h"

#include "service/daemon/daemon_state.h"
#include "service/daemon/run_lease.h"
#include "service/daemon/ticks.h"

#define RENEW_NS INT64_C(5000000000)

/* Transactional ids must differ between neurons, or they would fence each other. */
static Status streams_rename(Daemon *d, Err *err)
{
    for (int32_t i = 0; i < d->config->stream_count; i++) {
        StreamConfig *stream = &d->config->streams[i];
        Location *places[] = {&stream->to, &stream->letters.to};
        for (int32_t k = 0; k < COUNT_OF(places); k++) {
            Str id = location_option(places[k], STR("id")), other;
            if (!id.len) continue;
            TRY(arena_printf(&d->config->arena, &other, err, "%.*s-%lld", STR_ARG(id),
                             (long long)d->self.number));
            TRY(location_set(places[k], &d->config->arena, STR("id"), other, err));
        }
    }
    return OK;
}

Status replica_begin(Daemon *d, Err *err)
{
    d->self.identity = d->config->options.neuron.id;
    TRY(state_scope_take(d->store, LEASE_HOLD_US, &d->self.number, err));
    store_clock_ask(&d->time.store, d->store);
    if (!d->self.number) return OK;
    TRY(arena_printf(&d->config->arena, &d->self.identity, err, "%.*s-%lld",
                     STR_ARG(d->self.identity), (long long)d->self.number));
    return streams_rename(d, err);
}

/* ---- the keeper's thread ---- */

static void renew_runs(Daemon *d)
{
    for (int32_t i = 0; i < d->table.job_count; i++) {
        pthread_mutex_lock(&d->lock);
        bool running = d->table.jobs[i].running;
        pthread_mutex_unlock(&d->lock);
        if (running) (void)run_lease_take(d, &d->table.jobs[i]);
    }
}

/* False when this neuron's number went to another meanwhile. */
static bool renew(Daemon *d)
{
    bool mine = true;
    Err err = {0};
    if (state_scope_renew(d->store, LEASE_HOLD_US, &mine, &err) != OK) {
        metrics_add(METRIC_ERRORS, 1, LABELS(STR("state"), str_from(err_kind_name(err.kind))));
        LOG_ERR(LOG_WARN, "scheduler", "the lease can't be renewed; tried again", &err);
        return true;
    }
    if (!mine) {
        LOG(LOG_WARN, "scheduler",
            "the lease expired and another neuron has it; restarted under another number",
            log_text("id", d->self.identity));
        return false;
    }
    store_clock_ask(&d->time.store, d->store);
    renew_runs(d);
    ticks_adopt(d);
    if (state_scope_adopt(d->store, &err) != OK) {
        LOG_ERR(LOG_WARN, "scheduler", "what others left could not be taken", &err);
    }
    return true;
}

static void keep(void *arg)
{
    Daemon *d = arg;
    int64_t next_ns = clock_mono_ns() + RENEW_NS;
    pthread_mutex_lock(&d->lock);
    while (!d->self.ends) {
        if (clock_mono_ns() < next_ns) {
            (void)thread_cond_wait(&d->changed, &d->lock, next_ns);
            continue;
        }
        pthread_mutex_unlock(&d->lock);
        if (!renew(d)) life_end(&d->life, END_RELOAD);
        next_ns = clock_mono_ns() + RENEW_NS;
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
}

Status part_replica_start(Daemon *d, Err *err)
{
    if (!d->self.number) return OK;
    ticks_adopt(d);
    TRY(thread_start(&d->self.keeper, "leases", keep, d, err));
    d->self.keeping = true;
    return OK;
}

void part_replica_stop(Daemon *d)
{
    if (!d->self.keeping) return;
    pthread_mutex_lock(&d->lock);
    d->self.ends = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    thread_join(&d->self.keeper);
    d->self.keeping = false;
}
