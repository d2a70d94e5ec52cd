/* The target of a sink: looked at, and how rows get into it. */
#ifndef NEURON_POSTGRES_TARGET_H
#define NEURON_POSTGRES_TARGET_H

#include "connect/postgres/postgres_table.h"

/* Inspect the target and decide how rows get into it. */
MUST_USE Status postgres_target_look(PostgresSink *self, Str name, const Schema *schema, Err *err);

#endif
