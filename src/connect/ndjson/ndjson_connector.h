/* The JSON lines connector: files of one JSON object per line. */
#ifndef NEURON_NDJSON_CONNECTOR_H
#define NEURON_NDJSON_CONNECTOR_H

#include "connect/registry.h"

/* Reads rows as columns or as they are; writes append and replace. Option types=name:type,… */
extern const Connector ndjson_connector;

#endif
