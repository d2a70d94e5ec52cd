/* What is known of the configured connections. */
#ifndef NEURON_DAEMON_CONNECTIONS_H
#define NEURON_DAEMON_CONNECTIONS_H

#include "service/daemon/daemon_impl.h"

MUST_USE Status links_make(Daemon *d, Err *err);
void links_done(Daemon *d);
void links_clock_set(Daemon *d, int64_t step_us);
/* A run between the two locations ended: with `why` NULL both work; else the one that it tells of
 * does not. Thread-safe. */
void links_note(Daemon *d, Str from, Str to, const Err *why);
/* Members of an open object, without `detail` status and kind alone; false when one is out of
 * order. */
bool links_write(Daemon *d, bool detail, JsonWriter *w);

#endif
