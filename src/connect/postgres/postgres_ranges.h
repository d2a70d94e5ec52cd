/* A table in ranges of pages, which several readers read at once. */
#ifndef NEURON_POSTGRES_RANGES_H
#define NEURON_POSTGRES_RANGES_H

#include "connect/postgres/postgres_source.h"

/* Cut the table into ranges, where that is wanted and possible; else none. */
MUST_USE Status postgres_ranges_make(PostgresSource *self, Err *err);
MUST_USE Status postgres_ranges_condition(const PostgresRange *range, Buf *out, Err *err);
/* Sessions for the parts after the first, in the first one's snapshot. */
MUST_USE Status postgres_ranges_readers(PostgresSource *self, Err *err);

#endif
