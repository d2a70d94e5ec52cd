/* Named time zones from the system's TZif files (RFC 8536), and fixed offsets. */
#ifndef NEURON_TIMEZONE_H
#define NEURON_TIMEZONE_H

#include "foundation/base/err.h"

typedef struct Timezone Timezone;

/* A name like Europe/Berlin, UTC or GMT; or an offset as PostgreSQL takes it in AT TIME ZONE: '+02'
 * or 'UTC+2' is *west* of Greenwich (POSIX). ERR_DATA for unknown names. Immutable; many threads.
 */
MUST_USE Status timezone_load(Str name, Timezone **ret_zone, Err *err);
void timezone_free(Timezone *zone);

/* Microseconds since the epoch: UTC to the zone's clock, and back. A clock time that the zone skips
 * counts with the offset before the gap; one that comes twice is the later (standard) one, as in
 * PostgreSQL. */
int64_t timezone_to_local(const Timezone *zone, int64_t utc_us);
int64_t timezone_to_utc(const Timezone *zone, int64_t local_us);

#endif
