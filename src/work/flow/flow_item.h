/* What travels through the queues of a flow; owned by whoever holds it. */
#ifndef NEURON_FLOW_ITEM_H
#define NEURON_FLOW_ITEM_H

#include "foundation/base/queue.h"
#include "work/flow/flow.h"

typedef enum FlowItemKind {
    ITEM_ROWS, /* one source event: rows and rejects */
    ITEM_IDLE, /* the source has nothing at the moment */
    ITEM_LAST, /* the source has come to its end, and waits: the last cycle may have to be read
                * again
                */
    ITEM_END,  /* from the steps: everything was handed over */
    ITEM_WAKE, /* look at the handshake */
} FlowItemKind;

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

MUST_USE Status flow_item_new(FlowItemKind kind, int64_t generation, FlowItem **ret_item, Err *err);
void flow_item_free(FlowItem *item);
static inline void flow_item_free_p(FlowItem **p)
{
    flow_item_free(*p);
    *p = NULL;
}
int64_t flow_item_bytes(const FlowItem *item);

#endif
