/* Jobs: pipelines and checks, with what is known of each. */
#ifndef NEURON_DAEMON_JOBS_H
#define NEURON_DAEMON_JOBS_H

#include "service/daemon/places.h"

typedef struct Daemon Daemon;

typedef struct JobTable {
    Job *jobs;
    int32_t job_count;
    PlaceTable places;
} JobTable;

MUST_USE Status jobs_make(Daemon *d, Err *err);
void jobs_done(Daemon *d);
Job *job_find(Daemon *d, JobKind kind, Str name);
MUST_USE Status job_set_schedule(Daemon *d, Job *job, Str text, Err *err);
/* running; waiting: for a worker; retrying: for its next attempt; queued: for other pipelines;
 * paused; idle. Under the lock. */
const char *job_state(const Daemon *d, const Job *job);
/* The wall clock was set. */
void jobs_clock_set(Daemon *d, int64_t step_us);

#endif
