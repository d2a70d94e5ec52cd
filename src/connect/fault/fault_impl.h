/* What the files of this room share: dice, under the world's mutex. */
#ifndef NEURON_FAULT_IMPL_H
#define NEURON_FAULT_IMPL_H

#include "connect/fault/fault_connector.h"

int64_t fault_dice(FaultWorld *world, int64_t sides);
bool fault_happens(FaultWorld *world, int32_t odds);

#endif
