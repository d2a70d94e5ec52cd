/* The statements of a source. */
#ifndef NEURON_POSTGRES_STATEMENT_H
#define NEURON_POSTGRES_STATEMENT_H

#include "connect/postgres/postgres_source.h"

/* PostgresQuery.where and .sql of the request, as it is now. */
MUST_USE Status postgres_statement_make(PostgresSource *self, Err *err);
/* The next COPY that a free reader may run, from any reader's thread; *ret_some false when there is
 * none any more. */
MUST_USE Status postgres_statement_next(PostgresSource *self, bool *ret_some, Buf *out, Err *err);

#endif
