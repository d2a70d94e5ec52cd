/* The merge of staged rows: what PostgreSQL does for connect/table. */
#ifndef NEURON_POSTGRES_MERGE_H
#define NEURON_POSTGRES_MERGE_H

#include "connect/postgres/postgres_table.h"
#include "connect/table/table_sink.h"

#define POSTGRES_STAGE "pg_temp.neuron_stage"
extern const TableDriver POSTGRES_TABLE_DRIVER;
/* Describe the merge by the plan of the target. */
MUST_USE Status postgres_merge_describe(PostgresSink *self, Err *err);
MUST_USE Status postgres_merge(PostgresSink *self, RejectWriter *rejects, SinkCounts *counts,
                               Err *err);

#endif
