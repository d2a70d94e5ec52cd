/* A thread for each run. */
#ifndef NEURON_DAEMON_WORKERS_H
#define NEURON_DAEMON_WORKERS_H

#include "service/daemon/daemon_impl.h"

MUST_USE Status workers_start(Daemon *d, Err *err);
/* Start what may run now. Under the lock. */
void workers_dispatch(Daemon *d);
/* One more run of the job fits: into its kind, and into each place. Under the lock. */
bool workers_have_room(const Daemon *d, const Job *job);
/* No new work from now on; wakes everybody. */
void workers_drain(Daemon *d);
/* Wait until nothing runs; false at the deadline. */
bool workers_wait(Daemon *d, int64_t deadline_ns);
void workers_cancel(Daemon *d);
void workers_done(Daemon *d);
/* In an open object: the dependency "workers", with `detail` what waits for what. Under the lock.
 * False when work waits too long. */
bool workers_health(const Daemon *d, bool detail, JsonWriter *w);
void workers_metrics(Daemon *d);

#endif
