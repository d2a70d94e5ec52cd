/* This neuron among those that share its state store. */
#ifndef NEURON_DAEMON_REPLICA_H
#define NEURON_DAEMON_REPLICA_H

#include "foundation/base/thread.h"

typedef struct Daemon Daemon;

typedef struct DaemonSelf {
    Str identity;   /* the neuron's id; of one of several on one store: <id>-<n> */
    int64_t number; /* n; 0: the store is its own */
    Thread keeper;
    bool keeping, ends; /* `ends` under the daemon's lock */
} DaemonSelf;

/* Settles d->self.identity, before anything else asks the store. */
MUST_USE Status replica_begin(Daemon *d, Err *err);
MUST_USE Status part_replica_start(Daemon *d, Err *err);
void part_replica_stop(Daemon *d);

#endif
