/* The thread that tells the sinks when the run is cancelled. */
#ifndef NEURON_FLOW_WATCH_H
#define NEURON_FLOW_WATCH_H

#include "foundation/base/thread.h"
#include "work/flow/flow.h"

typedef struct FlowWatch {
    const FlowSpec *spec;
    Thread thread;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool ready, end;
} FlowWatch;

/* Begin and end watching `spec->end.cancelled`. */
MUST_USE Status flow_watch_start(FlowWatch *watch, const FlowSpec *spec, Err *err);
/* Also without a start. */
void flow_watch_end(FlowWatch *watch);

#endif
