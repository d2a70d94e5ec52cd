/* Values that our columns can't hold. */
#ifndef NEURON_POSTGRES_REFUSE_H
#define NEURON_POSTGRES_REFUSE_H

#include "connect/postgres/postgres_part.h"

/* FAIL naming row, column and value. */
Status postgres_refuse_run(const PostgresSource *self, const PostgresPart *part,
                           const PostgresBad *bad, Err *err);
/* The rows of `bads` leave the batch (a new one takes its place) and become rejects. */
MUST_USE Status postgres_refuse_rows(const PostgresSource *self, const PostgresPart *part,
                                     const PostgresBads *bads, Batch **batch, Batch **ret_rejects,
                                     Err *err);

#endif
