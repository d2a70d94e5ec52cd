/* Watches for the run's cancellation, so that a sink that waits for its system is told too. */
#include "foundation/base/clock.h"
#include "work/flow/flow_impl.h"

#define WATCH_TICK_NS INT64_C(50000000)

void flow_cancel_sinks(Flow *flow)
{
    const FlowSpec *spec = flow->spec;
    sink_cancel(spec->sink);
    if (spec->reject_sink && spec->reject_sink != spec->sink) sink_cancel(spec->reject_sink);
}

static void watch_run(void *arg)
{
    Flow *flow = arg;
    FlowWatch *watch = &flow->watch;
    bool told = false;
    pthread_mutex_lock(&watch->mutex);
    while (!watch->end) {
        (void)thread_cond_wait(&watch->cond, &watch->mutex, clock_mono_ns() + WATCH_TICK_NS);
        if (told || watch->end || !flow_is_cancelled(flow)) continue;
        told = true;
        pthread_mutex_unlock(&watch->mutex);
        flow_cancel_sinks(flow);
        pthread_mutex_lock(&watch->mutex);
    }
    pthread_mutex_unlock(&watch->mutex);
}

Status flow_watch_start(Flow *flow, Err *err)
{
    FlowWatch *watch = &flow->watch;
    pthread_mutex_init(&watch->mutex, NULL);
    thread_cond_init(&watch->cond);
    watch->ready = true;
    if (!flow->spec->cancelled) return OK;
    return thread_start(&watch->thread, "watch", watch_run, flow, err);
}

void flow_watch_end(Flow *flow)
{
    FlowWatch *watch = &flow->watch;
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
