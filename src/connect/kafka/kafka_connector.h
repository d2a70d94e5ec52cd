/* The Kafka connector: topics of a broker, read by a consumer group and written by a producer. */
#ifndef NEURON_KAFKA_CONNECTOR_H
#define NEURON_KAFKA_CONNECTOR_H

#include "connect/registry.h"

/* `kafka://host:port[,host:port]/topic`, or `kafka://embedded/topic` for the broker inside the
 * process. Options: README.md of this room. */
extern const Connector kafka_connector;

#endif
