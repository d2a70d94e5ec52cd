/* The plan of a load into PostgreSQL. */
#ifndef NEURON_POSTGRES_PLAN_H
#define NEURON_POSTGRES_PLAN_H

#include "connect/postgres/postgres_table.h"
#include "connect/sink.h"

/* Statements, DDL, types and warnings of what would be done; the target was looked at. */
MUST_USE Status postgres_plan(PostgresSink *self, SinkPlan *plan, Err *err);

#endif
