/* The primary of a source that is a standby. */
#ifndef NEURON_POSTGRES_PRIMARY_H
#define NEURON_POSTGRES_PRIMARY_H

#include "connect/postgres/postgres_source.h"

/* The session with the primary of a standby, checked. ERR_CONFIG where none is named and neither
 * `lag` nor `overlap` says what may be missed. Also inside a transaction of the source. */
MUST_USE Status postgres_primary_open(PostgresSource *self, Err *err);

#endif
