/* The plan of a load into PostgreSQL. */
#ifndef NEURON_POSTGRES_PLAN_H
#define NEURON_POSTGRES_PLAN_H

#include "connect/postgres/postgres_sink.h"

/* Inspect the target and decide how rows get into it. */
MUST_USE Status postgres_sink_look(PostgresSink *self, Str name, const Schema *schema, Err *err);
/* Statements, DDL, types and warnings of what would be done; the target was looked at. */
MUST_USE Status postgres_plan(PostgresSink *self, SinkPlan *plan, Err *err);

#endif
