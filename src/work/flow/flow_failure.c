/* The first error of a flow ends all of its threads. */
#include "work/flow/flow_failure.h"

#include "work/flow/flow_state.h"

bool flow_is_cancelled(const FlowSpec *spec)
{
    return spec->end.cancelled && atomic_load(spec->end.cancelled);
}

void flow_fail(Flow *flow, const Err *err)
{
    pthread_mutex_lock(&flow->error_mutex);
    if (!atomic_load(&flow->failed)) {
        flow->error = *err;
        if (flow_is_cancelled(flow->spec)) IGNORE(err_to_cancelled(&flow->error));
        atomic_store(&flow->failed, true);
    }
    pthread_mutex_unlock(&flow->error_mutex);
    queue_cancel(flow->read_queue);
    queue_cancel(flow->write_queue);
    source_cancel(flow->spec->source);
    pthread_mutex_lock(&flow->handshake.mutex);
    pthread_cond_broadcast(&flow->handshake.cond);
    pthread_mutex_unlock(&flow->handshake.mutex);
}

void flow_cancel_sinks(const FlowSpec *spec)
{
    sink_cancel(spec->sink);
    if (spec->rejects.sink && spec->rejects.sink != spec->sink) sink_cancel(spec->rejects.sink);
}
