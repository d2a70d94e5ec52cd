/* Gauges of the machine: memory, and the disks that a neuron writes to. */
#ifndef NEURON_DAEMON_MACHINE_GAUGES_H
#define NEURON_DAEMON_MACHINE_GAUGES_H

#include "foundation/base/str.h"

/* Into the registry of metrics; `state`: the state store's URL. */
void machine_gauges_read(Str state);

#endif
