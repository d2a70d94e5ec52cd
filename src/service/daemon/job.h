/* A job: what is known of a pipeline, or of a dataset that is checked. */
#ifndef NEURON_DAEMON_JOB_H
#define NEURON_DAEMON_JOB_H

#include "foundation/base/err.h"
#include "service/schedule/schedule.h"

enum {
    RUN_ID_SIZE = 40,
    JOB_PLACES_MAX = 2,
};

/* Each kind has workers of its own. */
typedef enum JobKind { JOB_PIPELINE, JOB_DATASET, JOB_KINDS } JobKind;
typedef enum CatchUp { CATCH_UP_NONE, CATCH_UP_LAST, CATCH_UP_ALL } CatchUp;
typedef enum Overlap { OVERLAP_SKIP, OVERLAP_QUEUE } Overlap;

/* When a job runs. What is below the line belongs to the daemon's lock. */
typedef struct JobTicks {
    struct Job **after; /* its ticks wait until these have succeeded since their last tick */
    int32_t after_count;
    bool at_start; /* it also runs when the neuron starts */
    CatchUp catch_up;
    Overlap overlap;

    Schedule schedule;
    bool scheduled;
    Str text;        /* of the schedule */
    int64_t next_us; /* INT64_MAX: no tick */
    /* catch_up: all: the oldest missed tick that is not made up for (INT64_MAX: none), the last. */
    int64_t missed_us, missed_end_us;
    bool fails; /* a tick could not be taken, and that was said */
    bool fresh; /* the job has succeeded since its last tick */
} JobTicks;

/* How its last run ended. */
typedef struct JobLast {
    int64_t run_us, success_us, failing_since_us;
    char status[16];
    char error[512];
    ErrKind kind; /* of the error */
} JobLast;

/* Datasets: of the last report. */
typedef struct JobReport {
    bool has;
    double score;
    int64_t rows, issues;
} JobReport;

/* Something that runs at its ticks. What is below the line belongs to the daemon's lock. */
typedef struct Job {
    JobKind kind;
    Str name;
    Str tick_name;                  /* in the state store: "pipeline:sales" */
    int32_t index;                  /* into the configuration's pipelines or datasets */
    int32_t places[JOB_PLACES_MAX]; /* where it reads and writes: into the table's places */
    int32_t place_count;
    _Atomic bool cancelled; /* of the run that goes on */

    JobTicks ticks;
    bool paused, running;
    int32_t queued, retrying;
    char run_id[RUN_ID_SIZE]; /* of the run that goes on */
    JobLast last;
    JobReport report;
} Job;

#endif
