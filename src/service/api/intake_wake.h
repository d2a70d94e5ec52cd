/* Deadlines that other threads give to the intake. */
#ifndef NEURON_API_INTAKE_WAKE_H
#define NEURON_API_INTAKE_WAKE_H

#include "service/api/api.h"
#include "service/api/slots.h"

/* It looks again at once. */
void intake_wake(Api *api);
/* Something is due then, perhaps before the intake would look again. */
void intake_due(Api *api, int64_t at_ns);
/* The slot's phase is over at that time. */
void intake_deadline(Api *api, Slot *slot, int64_t deadline_ns);

#endif
