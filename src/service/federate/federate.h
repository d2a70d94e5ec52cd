/* The federation's client: one thread between the state store, Control and the core. */
#ifndef NEURON_FEDERATE_H
#define NEURON_FEDERATE_H

#include "service/control/control.h"
#include "store/state/state_store.h"

typedef struct Federate Federate;

/* Borrowed until federate_stop. Times: µs; 0: heartbeat 60 s, poll 30 s, reports 60 s. */
typedef struct FederateOptions {
    Str url, id, name, type;
    int64_t heartbeat_us, poll_us, report_us;
    StateStore *store;
    const Control *control;
} FederateOptions;

/* Starts its thread; whether the core answers does not matter. */
MUST_USE Status federate_start(const FederateOptions *options, Federate **ret_federate, Err *err);
/* Says goodbye to the core when it answered last (at most 2 s); NULL is harmless. */
void federate_stop(Federate *federate);

#endif
