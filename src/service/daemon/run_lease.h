/* Leases of runs: a pipeline runs in one neuron at a time. */
#ifndef NEURON_DAEMON_RUN_LEASE_H
#define NEURON_DAEMON_RUN_LEASE_H

#include "service/daemon/job.h"

typedef struct Daemon Daemon;

/* A neuron that says nothing for that long is taken for dead. */
#define LEASE_HOLD_US INT64_C(15000000)

/* False where another neuron runs it. Where the store can't be asked it is true, since the target's
 * epoch guards the data anyway. Again, by the one that has it: renewed. */
bool run_lease_take(Daemon *d, const Job *job);
void run_lease_drop(Daemon *d, const Job *job);

#endif
