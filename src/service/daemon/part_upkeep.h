/* Upkeep of the state store as a part of the daemon. */
#ifndef NEURON_DAEMON_PART_UPKEEP_H
#define NEURON_DAEMON_PART_UPKEEP_H

#include "foundation/base/err.h"

typedef struct Daemon Daemon;

MUST_USE Status part_upkeep_start(Daemon *d, Err *err);
void part_upkeep_stop(Daemon *d);

#endif
