/* The PostgreSQL connector: tables and queries in, tables out. */
#ifndef NEURON_POSTGRES_CONNECTOR_H
#define NEURON_POSTGRES_CONNECTOR_H

#include "connect/registry.h"

/* Reads by query or table in one snapshot, with the database's own types, in binary COPY. */
extern const Connector postgres_connector;

#endif
