/* The connectors of connectors.def, each defined in its own room. */
#ifndef NEURON_CONNECTORS_H
#define NEURON_CONNECTORS_H

#include "connect/connector.h"

#define CONNECTOR(name) extern const Connector name##_connector;
#include "connect/connectors.def"
#undef CONNECTOR

#endif
