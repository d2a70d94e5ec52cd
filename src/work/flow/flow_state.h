/* A running flow: what its threads share. */
#ifndef NEURON_FLOW_STATE_H
#define NEURON_FLOW_STATE_H

#include <stdatomic.h>

#include "foundation/base/thread.h"
#include "work/flow/flow_handshake.h"
#include "work/flow/flow_watch.h"

enum { FLOW_PARTS_MAX = 64, FLOW_QUEUE_BYTES = 8 << 20 }; /* parts that are read side by side */

typedef struct Flow Flow;

typedef struct FlowReader {
    Flow *flow;
    int32_t part;
    Thread thread;
    int64_t busy_ns;
} FlowReader;

struct Flow {
    const FlowSpec *spec;
    FlowResult *result;
    Queue *read_queue;  /* readers → steps */
    Queue *write_queue; /* steps → writer */
    FlowReader readers[FLOW_PARTS_MAX];
    int32_t reader_count;
    _Atomic int32_t readers_open;
    Thread steps_thread;
    int64_t steps_ns;
    FlowWatch watch;
    _Atomic int64_t generation;
    _Atomic bool ending; /* no new events: stop or drain */
    _Atomic bool failed;
    pthread_mutex_t error_mutex;
    Err error; /* the first one */
    Handshake handshake;
    FlowTake take;
    DroppedEpochs dropped;
};

static inline bool flow_item_is_stale(Flow *flow, const FlowItem *item)
{
    return dropped_has(&flow->dropped, item, atomic_load(&flow->generation));
}

#endif
