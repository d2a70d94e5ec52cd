/* The PostgreSQL sink. */
#ifndef NEURON_POSTGRES_SINK_H
#define NEURON_POSTGRES_SINK_H

#include "connect/postgres/postgres_keys.h"
#include "connect/postgres/postgres_rejects.h"
#include "connect/postgres/postgres_send.h"
#include "connect/postgres/postgres_session.h"
#include "connect/postgres/postgres_table.h"
#include "connect/table/table_loads.h"

/* Staged: rows go to pg_temp.neuron_stage (neuron_ord, neuron_row, columns…), apply merges them.
 * Otherwise COPY goes straight into the target. All in one transaction per cycle. */
struct PostgresSink {
    TableSink core;
    PostgresSinkSession session;
    PostgresTable out, reject;
    bool has_out, has_reject;
    PostgresKeys keys;
    PostgresCopy copy;
    PostgresRejects rejects;
};

/* The target is a stream's, which several processes may share part by part. */
static inline bool postgres_sink_is_shared(const PostgresSink *self)
{
    return sink_keeps_parts(&self->core.sink) && self->core.sink.req->table.len > 0;
}

MUST_USE Status postgres_sink_new(const SinkReq *req, Sink **ret_sink, Err *err);

#endif
