/* What the threads of one flow share. */
#ifndef NEURON_FLOW_IMPL_H
#define NEURON_FLOW_IMPL_H

#include <stdatomic.h>

#include "foundation/base/queue.h"
#include "foundation/base/thread.h"
#include "work/flow/flow.h"

/* Parts that are read side by side; parts that one reader may be given and lose. */
enum { FLOW_PARTS_MAX = 64, FLOW_REVOKED_MAX = 4096, FLOW_QUEUE_BYTES = 8 << 20 };

typedef enum FlowItemKind {
    ITEM_ROWS, /* one source event: rows and rejects */
    ITEM_IDLE, /* the source has nothing at the moment */
    ITEM_LAST, /* the source has come to its end, and waits: the last cycle may have to be read
                * again
                */
    ITEM_END,  /* from the steps: everything was handed over */
    ITEM_WAKE, /* look at the handshake */
} FlowItemKind;

/* What travels through the queues; owned by whoever holds it. */
typedef struct FlowItem {
    QueueNode node; /* first, for the queues */
    FlowItemKind kind;
    int64_t generation;  /* of the reading: raised by each rewind */
    Batch *batch;        /* may be NULL: nothing passed */
    Batch *rejects;      /* of the source; may be NULL */
    Batch *step_rejects; /* of the steps; may be NULL */
    bool has_span;
    Span span; /* cursor owned by `cursor` */
    char *cursor;
    int64_t epoch;
    int64_t extracted, dropped, rejected, held; /* rows; held may be negative */
} FlowItem;

/* A revoke that reader and writer agree on. The reader asks and waits; the writer answers. */
typedef struct Handshake {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool asked; /* a question is open */
    bool answered;
    bool lost;    /* the parts are gone already: abort */
    bool cut;     /* the reader cancelled the sinks: whatever they were at ended with CANCELLED */
    bool aborted; /* the answer: the cycle was undone, read again from `position` */
    int64_t epoch;
    int64_t deadline_ns;
    int32_t parts[FLOW_REVOKED_MAX];
    int32_t part_count;
    Position position; /* committed so far, filled by an aborting writer */

    bool
        rewind; /* the other way round: the writer asks the reader to read again from `rewind_to` */
    Position rewind_to;

    /* Of the cycle that was undone last: parts that another process has; for the source. */
    int32_t fenced[FLOW_REVOKED_MAX];
    int32_t fenced_count;
} Handshake;

/* Parts that were assigned, and where they begin: the reader asks and reads on, the writer asks the
 * sink and answers, the reader tells the source. Under the handshake's mutex. */
typedef struct FlowTake {
    bool asked, answered;
    bool voided; /* they were taken away again: what was noted of them is to be forgotten */
    int64_t epoch;
    int32_t parts[FLOW_REVOKED_MAX];
    int32_t part_count;
    Position from;
} FlowTake;

/* Batches of a part with an epoch up to this are dropped. */
typedef struct DroppedEpoch {
    int32_t part;
    int64_t epoch;
} DroppedEpoch;

typedef struct Flow Flow;

/* The thread that tells the sink when the run is cancelled. */
typedef struct FlowWatch {
    Thread thread;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool ready, end;
} FlowWatch;

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
    pthread_mutex_t dropped_mutex;
    DroppedEpoch dropped[FLOW_REVOKED_MAX];
    int32_t dropped_count;
};

MUST_USE Status flow_item_new(Flow *flow, FlowItemKind kind, FlowItem **ret_item, Err *err);
void flow_item_free(FlowItem *item);
static inline void flow_item_free_p(FlowItem **p)
{
    flow_item_free(*p);
    *p = NULL;
}
int64_t flow_item_bytes(const FlowItem *item);
/* Keep the first error and stop all threads. */
void flow_fail(Flow *flow, const Err *err);
bool flow_is_cancelled(const Flow *flow);
/* True when the item's rows may not be written any more (revoked part or rewound reading). */
bool flow_item_is_stale(Flow *flow, const FlowItem *item);
void flow_drop_epoch(Flow *flow, const int32_t *parts, int32_t count, int64_t epoch);

/* Whatever the sinks wait for, in whichever of them the writer is. */
void flow_cancel_sinks(Flow *flow);
/* Begin and end watching `spec->end.cancelled`. */
MUST_USE Status flow_watch_start(Flow *flow, Err *err);
void flow_watch_end(Flow *flow);
void flow_reader_run(void *reader);
void flow_steps_run(void *flow);
/* The writer, on the caller's thread. */
MUST_USE Status flow_write(Flow *flow, Err *err);

#endif
