/* How a flow ends before its time: the first error, and who is told. */
#ifndef NEURON_FLOW_FAILURE_H
#define NEURON_FLOW_FAILURE_H

#include "work/flow/flow.h"

typedef struct Flow Flow;

/* Keep the first error and stop all threads. */
void flow_fail(Flow *flow, const Err *err);
bool flow_is_cancelled(const FlowSpec *spec);
/* Whatever the sinks wait for, in whichever of them the writer is. */
void flow_cancel_sinks(const FlowSpec *spec);

#endif
