/* Heartbeats. */
#ifndef NEURON_FEDERATE_BEAT_H
#define NEURON_FEDERATE_BEAT_H

typedef struct Federate Federate;

void federate_beat(Federate *f);
/* The last one, with the status "inactive". */
void federate_goodbye(Federate *f);

#endif
