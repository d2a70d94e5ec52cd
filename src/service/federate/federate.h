/* The federation's client: one thread between the state store, Control and the core. */
#ifndef NEURON_FEDERATE_H
#define NEURON_FEDERATE_H

#include "service/control/control.h"
#include "store/state/state_store.h"

typedef struct Federate Federate;

/* Borrowed until federate_stop. Times: µs; 0: heartbeat 60 s, poll 30 s, reports as heartbeats. */
typedef struct FederateOptions {
    Str url, id, name, type;
    Str former_url; /* its token is taken over where `url` has none; empty: none */
    int64_t heartbeat_us, poll_us, report_us;
    int64_t outbox; /* reports that wait at most; the oldest are dropped; 0: 10,000 */
    /* Told at registration. */
    Str base_url;
    int64_t memory_bytes;
    double memory_limit, disk_limit; /* shares from which on alerts fire */
    StateStore *store;
    const Control *control;
} FederateOptions;

/* Where this neuron is with its federation. */
typedef struct FederateState {
    const char *membership; /* "unregistered", "member", "row lost", "token refused" */
    int64_t since_us;       /* since when heartbeats or registration fail; 0: they don't */
    ErrKind kind;           /* of the trouble */
    char trouble[1024];     /* why, and what can be done; empty: nothing is wrong */
} FederateState;

/* Starts its thread; whether the core answers does not matter. */
MUST_USE Status federate_start(const FederateOptions *options, Federate **ret_federate, Err *err);
/* Says goodbye to the core when it answered last (at most 2 s for each of what it has to say); NULL
 * is harmless. */
void federate_stop(Federate *federate);
/* Thread-safe. */
void federate_state(Federate *federate, FederateState *ret_state);

#endif
