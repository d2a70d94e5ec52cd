/* The configuration that the core has for this neuron. */
#ifndef NEURON_FEDERATE_CONFIG_H
#define NEURON_FEDERATE_CONFIG_H

#include "foundation/base/buf.h"

typedef struct Federate Federate;

typedef struct CoreConfig {
    Buf version, content; /* in effect; as last seen */
    bool refused;         /* that content was not applied */
} CoreConfig;

void federate_config_load(Federate *f);
/* Ask for it; what is new in it is applied. True when the core has no row of this neuron. */
bool federate_config(Federate *f);
void federate_config_due(Federate *f);

#endif
