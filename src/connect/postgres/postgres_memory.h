/* What a source keeps from run to run, beside the watermark. */
#ifndef NEURON_POSTGRES_MEMORY_H
#define NEURON_POSTGRES_MEMORY_H

#include "connect/postgres/postgres_source.h"

/* Watermark and samples of the run before; void where the server isn't as it was. */
MUST_USE Status postgres_memory_load(PostgresSource *self, const Position *from, Err *err);
/* Into the position: the stable cursor, the samples, the server as it was seen. */
MUST_USE Status postgres_memory_save(const PostgresSource *self, Position *position, Err *err);

#endif
