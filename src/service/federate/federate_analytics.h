/* Analytics. */
#ifndef NEURON_FEDERATE_ANALYTICS_H
#define NEURON_FEDERATE_ANALYTICS_H

#include <stdbool.h>

typedef struct Federate Federate;

/* One request. True when more waits that can go at once. */
bool federate_analytics(Federate *f);

#endif
