/* Partitions of a stream's topic, taken over. */
#ifndef NEURON_POSTGRES_PARTS_H
#define NEURON_POSTGRES_PARTS_H

#include "connect/postgres/postgres_table.h"
#include "connect/sink.h"

/* Sink.take. */
MUST_USE Status postgres_parts_take(PostgresSink *self, const int32_t *parts, int32_t count,
                                    Position *ret_from, bool *ret_taken, Err *err);

#endif
