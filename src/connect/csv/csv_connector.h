/* The CSV connector: files with delimiters, quotes and headers. */
#ifndef NEURON_CSV_CONNECTOR_H
#define NEURON_CSV_CONNECTOR_H

#include "connect/registry.h"

/* Reads with types that the whole input decides (or types= says); writes append and replace.
 * Options delimiter, header, null, encoding, types. */
extern const Connector csv_connector;

#endif
