/* The pieces that a source's statements are made of. */
#ifndef NEURON_POSTGRES_SELECT_H
#define NEURON_POSTGRES_SELECT_H

#include "connect/postgres/postgres_source.h"

/* PostgresQuery.base of the request. */
MUST_USE Status postgres_select_base(PostgresSource *self, Err *err);
/* "table", or (query) AS neuron_rows. */
MUST_USE Status postgres_select_from(PostgresSource *self, Buf *out, Err *err);
/* "cursor" <op> 'value'; text by its bytes, as we compare it too. */
MUST_USE Status postgres_select_bound(PostgresSource *self, const char *op, Str value, Buf *out,
                                      Err *err);

#endif
