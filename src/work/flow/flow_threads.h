/* The threads of a flow; the caller's own is the writer. */
#ifndef NEURON_FLOW_THREADS_H
#define NEURON_FLOW_THREADS_H

#include "work/flow/flow.h"

typedef struct Flow Flow;

void flow_reader_run(void *reader);
void flow_steps_run(void *flow);
/* The writer, on the caller's thread. */
MUST_USE Status flow_write(Flow *flow, Err *err);

#endif
