/* Watches for the run's cancellation, so that a sink that waits for its system is told too. */
#include "work/flow/flow_watch.h"

#include <stdatomic.h>

#include "foundation/base/clock.h"
#include "work/flow/flow_failure.h"

#define WATCH_TICK_NS INT64_C(50000000)
#define STOP_TICK_NS INT64_C(250000000)
#define STOP_US INT64_C(20000000)

/* Cancelled, or stopped for so long that the cycle won't end by itself. */
static bool is_due(const FlowSpec *spec, int64_t *stopped_ns)
{
    int64_t patience_us = spec->end.stop_us ? spec->end.stop_us : STOP_US;
    if (flow_is_cancelled(spec)) return true;
    if (!spec->end.stop || !atomic_load(spec->end.stop)) return false;
    if (!*stopped_ns) *stopped_ns = clock_mono_ns();
    return clock_mono_ns() - *stopped_ns > patience_us * 1000;
}

static void watch_run(void *arg)
{
    FlowWatch *watch = arg;
    int64_t tick_ns = watch->spec->end.cancelled ? WATCH_TICK_NS : STOP_TICK_NS, stopped_ns = 0;
    bool told = false;
    pthread_mutex_lock(&watch->mutex);
    while (!watch->end) {
        (void)thread_cond_wait(&watch->cond, &watch->mutex, clock_mono_ns() + tick_ns);
        if (told || watch->end || !is_due(watch->spec, &stopped_ns)) continue;
        told = true;
        pthread_mutex_unlock(&watch->mutex);
        flow_cancel_sinks(watch->spec);
        pthread_mutex_lock(&watch->mutex);
    }
    pthread_mutex_unlock(&watch->mutex);
}

Status flow_watch_start(FlowWatch *watch, const FlowSpec *spec, Err *err)
{
    watch->spec = spec;
    pthread_mutex_init(&watch->mutex, NULL);
    thread_cond_init(&watch->cond);
    watch->ready = true;
    if (!spec->end.cancelled && !spec->end.stop) return OK;
    return thread_start(&watch->thread, "watch", watch_run, watch, err);
}

void flow_watch_end(FlowWatch *watch)
{
    if (!watch->ready) return;
    pthread_mutex_lock(&watch->mutex);
    watch->end = true;
    pthread_cond_broadcast(&watch->cond);
    pthread_mutex_unlock(&watch->mutex);
    thread_join(&watch->thread);
    pthread_cond_destroy(&watch->cond);
    pthread_mutex_destroy(&watch->mutex);
    watch->ready = false;
}
