/* The writer's refused rows: where they go, in which form, and what they were made of. */
#ifndef NEURON_FLOW_REJECTS_H
#define NEURON_FLOW_REJECTS_H

#include "work/flow/flow.h"

/* Embedded in the writer: flow_rejects_init … flow_rejects_done. Used by its thread alone. */
typedef struct FlowRejects {
    const FlowSpec *spec;
    Sink *sink;             /* where they go */
    bool elsewhere;         /* it isn't the sink of the data */
    bool open;              /* a cycle has begun in a sink of their own */
    int32_t port;           /* -1: none are allowed */
    RejectWriter refused;   /* rows that the sink refused */
    RejectWriter unwritten; /* refused rows that their place refused as well */
    FlowOrigins origins;
} FlowRejects;

MUST_USE Status flow_rejects_init(FlowRejects *rejects, const FlowSpec *spec, Err *err);
void flow_rejects_done(FlowRejects *rejects);
/* The port for them, after the one of the data. */
MUST_USE Status flow_rejects_port(FlowRejects *rejects, Err *err);
/* Begin the cycle in a sink of their own, where it has not begun. */
MUST_USE Status flow_rejects_begin(FlowRejects *rejects, int64_t cycle, Err *err);
/* Keep what the rows of a written batch were made of, until the cycle ends. */
MUST_USE Status flow_rejects_keep(FlowRejects *rejects, Batch *batch, Err *err);
/* Write refused rows. Where their place refuses one, it is tried in its next form. FAIL: ERR_DATA
 * where no rejects are allowed, naming the first row; ERR_HELD where a row fits in no form. */
MUST_USE Status flow_rejects_write(FlowRejects *rejects, int64_t cycle, Batch *batch, Err *err);
/* The same for the rows that the sink refused since the last call; how many they were. */
MUST_USE Status flow_rejects_take(FlowRejects *rejects, int64_t cycle, int64_t *ret_rows, Err *err);
/* The cycle ended: its origins and what it refused are forgotten. */
MUST_USE Status flow_rejects_forget(FlowRejects *rejects, Err *err);

#endif
