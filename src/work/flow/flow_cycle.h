/* The writer's open cycle, and what it hands over to the loop that drives it. */
#ifndef NEURON_FLOW_CYCLE_H
#define NEURON_FLOW_CYCLE_H

#include "work/flow/flow_state.h"
#include "work/flow/flow_rejects.h"

/* A commit whose delivery is not decided yet, in order. */
typedef struct PendingCommit {
    struct PendingCommit *next;
    int64_t cycle;
    Position position;
} PendingCommit;

typedef struct PendingCommits {
    PendingCommit *first, *last;
} PendingCommits;

typedef struct Writer {
    Flow *flow;
    const FlowSpec *spec;
    int32_t out_port;
    FlowRejects rejects;
    bool one_cycle; /* everything up to the end is one cycle */
    bool open;      /* a cycle has begun */
    int64_t cycle, started_ns;
    FlowLedger ledger; /* of the open cycle */
    int64_t written, held, cycle_bytes;
    Position position; /* committed plus the open cycle */
    Position begun;    /* where reading of each part began: so far it was committed */
    PendingCommits pending;
    int64_t start_ns, progress_ns, start_us;
    int64_t take_ns; /* parts are not taken over before this */
    FlowTake *asked; /* with FlowSpec.asks: a copy */
} Writer;

MUST_USE Status writer_init(Writer *self, Flow *flow, Err *err);
void writer_done(Writer *self);

MUST_USE Status cycle_begin(Writer *self, Err *err);
/* Write what the item holds; begins the cycle where none is open. */
MUST_USE Status cycle_item(Writer *self, FlowItem *item, Err *err);
/* Nothing where none is open. *ret_again true: nothing was committed, and the cycle is to be undone
 * and done again, but for parts that the sink doesn't hold any more. */
MUST_USE Status cycle_commit(Writer *self, bool *ret_again, Err *err);
/* Undo the open cycle; what was read since it began is stale. */
MUST_USE Status cycle_abort(Writer *self, Err *err);
/* Settle the completed prefix of pending cycles. */
MUST_USE Status pending_settle(Writer *self, Err *err);

#endif
