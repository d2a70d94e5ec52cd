/* The running neuron: what it holds. Each file's own functions are in the header of its name. */
#ifndef NEURON_DAEMON_IMPL_H
#define NEURON_DAEMON_IMPL_H

#include <stdatomic.h>

#include "foundation/base/clock.h"
#include "foundation/base/thread.h"
#include "foundation/codec/json_writer.h"
#include "foundation/obs/log.h"
#include "foundation/obs/metrics.h"
#include "service/alert/alert.h"
#include "service/control/control.h"
#include "service/daemon/daemon.h"
#include "service/schedule/schedule.h"
#include "store/state/state_store.h"
#include "work/quality/quality_report.h"

enum {
    RUN_ID_SIZE = 40,
    TICKETS_OF_JOB_MAX = 100, /* waiting */
    JOB_PLACES_MAX = 2,
    CHECK_NOTES_MAX = 256, /* checks that were asked for, with what came of them */
    ANSWER_MAX = 64 << 20, /* bytes of one JSON answer */
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
    int32_t places[JOB_PLACES_MAX]; /* where it reads and writes: into the daemon's places */
    int32_t place_count;
    _Atomic bool cancelled; /* of the run that goes on */

    JobTicks ticks;
    bool paused, running;
    int32_t queued, retrying;
    char run_id[RUN_ID_SIZE]; /* of the run that goes on */
    JobLast last;
    JobReport report;
} Job;

/* A run that waits for its turn. */
typedef struct Ticket {
    struct Ticket *next;
    Job *job;
    char run_id[RUN_ID_SIZE];
    char trigger[16];
    int64_t scheduled_us;
    int64_t attempts;      /* that failed before */
    int64_t not_before_ns; /* clock_mono_ns; 0: at once */
    int64_t waits_ns;      /* since when it waits for nothing but a worker; 0: it does not */
} Ticket;

/* A system that jobs read from or write to; so many runs of each kind at the same time. */
typedef struct Place {
    Str text; /* as messages show it, secrets masked */
    int64_t limit;
    int32_t running[JOB_KINDS];
} Place;

/* A check that was asked for. */
typedef struct CheckNote {
    char id[RUN_ID_SIZE];
    const Job *job;
    char *result; /* JSON; NULL: it has not ended */
} CheckNote;

typedef enum DaemonEnd { END_NONE, END_STOP, END_RESTART, END_RELOAD } DaemonEnd;

/* store_watch.c; what is below the thread is under the daemon's lock. */
typedef struct StoreWatch {
    Thread thread;
    bool initialised;
    bool running, ends;
    bool wanted;        /* somebody wants to know */
    int64_t asked_ns;   /* since when, while `wanted` */
    int64_t checked_ns; /* when the last answer came */
    pthread_cond_t changed;
    bool ok; /* that answer */
    ErrKind kind;
    char error[512];
} StoreWatch;

typedef struct StoreHealth {
    bool ok;
    ErrKind kind;
    char error[512];
} StoreHealth;

/* From start to end; a reload begins another. */
typedef struct DaemonLife {
    int signal_fd, event_fd;
    int64_t started_us, started_ns;
    bool reloaded; /* this is the life after a reload: no runs at start */
    _Atomic bool ready, draining;
    _Atomic int end; /* DaemonEnd */
} DaemonLife;

/* This neuron among those on one store; replica.c. */
typedef struct DaemonSelf {
    Str identity;   /* the neuron's id; of one of several on one store: <id>-<n> */
    int64_t number; /* n; 0: the store is its own */
    Thread keeper;
    bool keeping, ends;
} DaemonSelf;

typedef struct JobTable {
    Job *jobs;
    int32_t job_count;
    Place *places;
    int32_t place_count;
} JobTable;

typedef struct TicketQueue {
    Ticket *first, *last;
    int64_t wake_ns; /* when a ticket's wait is over; -1: none waits */
} TicketQueue;

typedef struct WorkerPool { /* workers.c */
    struct Worker *workers;
    int32_t worker_count;
    int32_t running[JOB_KINDS];
    char error[256]; /* why no thread could be started; empty: none was refused */
} WorkerPool;

typedef struct CheckNotes { /* check_notes.c; a ring */
    CheckNote items[CHECK_NOTES_MAX];
    int64_t count;
} CheckNotes;

typedef struct DaemonTime {
    ClockWatch clock;          /* of the main loop */
    int64_t seen_us;           /* the latest moment that ticks were looked at, the store's clock */
    _Atomic int64_t offset_us; /* how far the store's clock is ahead */
} DaemonTime;

typedef struct Upkeep { /* part_upkeep.c */
    Thread thread;
    bool ends;
} Upkeep;

typedef struct StreamTable { /* part_streams.c; in the configuration's order */
    Stream **items;
    int32_t count;
} StreamTable;

typedef struct LinkTable { /* connections.c */
    struct Link *items;
    int32_t count;
} LinkTable;

struct Api;
typedef struct Daemon {
    const DaemonOptions *options;
    Configuration *config;
    StateStore *store;
    Budget budget;
    Control control;
    DaemonLife life;
    DaemonSelf self;
    JobTable table;
    StreamTable streams;
    struct Api **api;                    /* lives over reloads; daemon.c */
    _Atomic(struct Federate *) federate; /* part_federation.c */
    _Atomic(struct Alerts *) alerts;     /* part_alert.c */
    Upkeep upkeep;

    pthread_mutex_t lock; /* of what is below */
    pthread_cond_t changed;
    TicketQueue queue;
    WorkerPool pool;
    CheckNotes notes;
    DaemonTime time;
    int64_t heartbeat_us; /* told from outside; 0: as configured */
    LinkTable links;
    StoreWatch store_watch;
} Daemon;

/* daemon.c */
MUST_USE Status daemon_load(const DaemonOptions *options, Configuration *ret_config, Err *err);
void daemon_end(Daemon *d, DaemonEnd how);
void daemon_wake(Daemon *d);

#endif
