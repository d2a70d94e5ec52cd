/* This neuron among those that share its state store. */
#ifndef NEURON_DAEMON_REPLICA_H
#define NEURON_DAEMON_REPLICA_H

#include "service/daemon/daemon_impl.h"

/* Settles d->self.identity, before anything else asks the store. */
MUST_USE Status replica_begin(Daemon *d, Err *err);
/* Asks the store for its clock. */
void replica_clock(Daemon *d);
MUST_USE Status part_replica_start(Daemon *d, Err *err);
void part_replica_stop(Daemon *d);
/* A pipeline runs in one neuron at a time: false where another one runs it. Where the store can't
 * be asked it is true, since the target's epoch guards the data anyway. */
bool replica_take_run(Daemon *d, const Job *job);
void replica_drop_run(Daemon *d, const Job *job);

#endif
