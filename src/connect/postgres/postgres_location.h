/* Sessions with the server of a location. */
#ifndef NEURON_POSTGRES_LOCATION_H
#define NEURON_POSTGRES_LOCATION_H

#include "connect/location.h"
#include "store/db/postgres_db.h"

/* The largest statement that is made. */
enum { POSTGRES_SQL_MAX = 8 << 20 };

/* postgres_db_open with the location's URL and `timeout` option. ERR_CONFIG for one that is none.
 */
MUST_USE Status postgres_open(const Location *location, const _Atomic bool *stop,
                              PostgresDb **ret_db, Err *err);

#endif
