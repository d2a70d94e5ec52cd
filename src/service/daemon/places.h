/* Places: systems that jobs read from or write to, and how many runs go on in each. Callers hold
 * the daemon's lock. */
#ifndef NEURON_DAEMON_PLACES_H
#define NEURON_DAEMON_PLACES_H

#include "service/daemon/job.h"
#include "service/setup/configuration.h"

typedef struct Place {
    Str text; /* as messages show it, secrets masked */
    int64_t limit;
    int32_t running[JOB_KINDS];
} Place;

typedef struct PlaceTable {
    Place *items;
    int32_t count;
    int64_t limit;              /* of runs of one kind */
    int32_t running[JOB_KINDS]; /* in all */
} PlaceTable;

/* Room for JOB_PLACES_MAX places of each job. */
MUST_USE Status places_new(PlaceTable *table, const Configuration *config, int64_t job_count,
                           Err *err);
void places_done(PlaceTable *table);
/* The job reads or writes there; at most JOB_PLACES_MAX times for each job. */
void places_add(PlaceTable *table, Job *job, const Configuration *config, const Location *location);
/* One more run of the job fits: into its kind, and into each of its places. */
bool places_have_room(const PlaceTable *table, const Job *job);
/* A run of it begins (1) or has ended (-1). */
void places_count(PlaceTable *table, Job *job, int32_t more);
/* What keeps a job from running: the place that is full; NULL: its kind. */
const Place *places_full(const PlaceTable *table, const Job *job);

#endif
