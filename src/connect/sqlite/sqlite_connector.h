/* The SQLite connector: tables and queries in, tables out. */
#ifndef NEURON_SQLITE_CONNECTOR_H
#define NEURON_SQLITE_CONNECTOR_H

#include "connect/registry.h"

/* Reads by query or table in one snapshot; columns are dynamic, as SQLite's values are. Writes
 * append, upsert, replace and mirror, in one transaction with neuron_loads. */
extern const Connector sqlite_connector;

#endif
