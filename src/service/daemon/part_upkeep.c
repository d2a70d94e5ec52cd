/* The state store kept small, beside everything else: nobody waits for it. */
#include "service/daemon/part_upkeep.h"

#include "service/daemon/daemon_state.h"

#define ROUND_NS INT64_C(600000000000)
#define PAUSE_NS INT64_C(20000000)
#define LEASE_US INT64_C(60000000)

static bool is_known(void *arg, Str kind, Str name)
{
    return job_find(arg, str_eq(kind, STR("pipeline")) ? JOB_PIPELINE : JOB_DATASET, name) != NULL;
}

/* False when the neuron ends. */
static bool pause_until(Daemon *d, int64_t deadline_ns)
{
    pthread_mutex_lock(&d->lock);
    while (!d->beside.upkeep_ends && clock_mono_ns() < deadline_ns) {
        (void)thread_cond_wait(&d->changed, &d->lock, deadline_ns);
    }
    bool goes_on = !d->beside.upkeep_ends;
    pthread_mutex_unlock(&d->lock);
    return goes_on;
}

/* One of the neurons with one store does it. */
static bool is_ours(Daemon *d)
{
    bool mine = true;
    if (!d->self.number) return true;
    return state_lease_take(d->store, STR("upkeep"), LEASE_US, &mine, NULL) == OK && mine;
}

/* All steps, each followed by a rest of twice its time. False when the neuron ends. */
static bool round_run(Daemon *d)
{
    StateUpkeep upkeep = {.known = is_known, .arg = d, .name = buf_make(4096)};
    Err err = {0};
    bool more = is_ours(d), goes_on = true;
    while (more && goes_on) {
        int64_t begun_ns = clock_mono_ns();
        if (state_upkeep_step(d->store, &upkeep, &more, &err) != OK) {
            LOG_ERR(LOG_WARN, "state", "the state store can't be kept small; tried again", &err);
            break;
        }
        int64_t end_ns = clock_mono_ns();
        goes_on = pause_until(d, end_ns + int64_max(PAUSE_NS, 2 * (end_ns - begun_ns)));
        if (goes_on && more) more = is_ours(d);
    }
    buf_done(&upkeep.name);
    return goes_on;
}

static void keep_small(void *arg)
{
    Daemon *d = arg;
    while (round_run(d) && pause_until(d, clock_mono_ns() + ROUND_NS)) {
    }
}

Status part_upkeep_start(Daemon *d, Err *err)
{
    return thread_start(&d->beside.upkeep, "upkeep", keep_small, d, err);
}

void part_upkeep_stop(Daemon *d)
{
    pthread_mutex_lock(&d->lock);
    d->beside.upkeep_ends = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    thread_join(&d->beside.upkeep);
}
