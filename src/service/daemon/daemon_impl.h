/* What the files of this room share: the daemon, its jobs and their tickets, its workers. */
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

/* ---- jobs.c: the table ---- */
MUST_USE Status jobs_make(Daemon *d, Err *err);
void jobs_done(Daemon *d);
Job *job_find(Daemon *d, JobKind kind, Str name);
MUST_USE Status job_set_schedule(Daemon *d, Job *job, Str text, Err *err);
/* running; waiting: for a worker; retrying: for its next attempt; queued: for other pipelines;
 * paused; idle. Under the lock. */
const char *job_state(const Daemon *d, const Job *job);
/* The wall clock was set. */
void jobs_clock_set(Daemon *d, int64_t step_us);

/* ---- tickets.c: the queue ---- */
/* Put into the store and the queue. *ret_run_id (RUN_ID_SIZE) may be NULL. */
MUST_USE Status job_enqueue(Daemon *d, Job *job, Str trigger, char *ret_run_id, Err *err);
/* The same for a tick; *ret_mine false: another neuron has taken it, and nothing is put. */
MUST_USE Status job_enqueue_tick(Daemon *d, Job *job, Str trigger, int64_t scheduled_us,
                                 bool *ret_mine, Err *err);
/* A ticket as it is (a retry, a resume); owns it. */
void ticket_push(Daemon *d, Ticket *ticket);
/* The oldest one that may run now, taken out; NULL when there is none. Sets d->queue.wake_ns. Under
 * the lock. */
Ticket *ticket_take(Daemon *d);
/* Take a waiting one out of the queue; NULL when it does not wait. Under the lock. */
Ticket *ticket_withdraw(Daemon *d, Str run_id);
/* Runs that wait for a tick later than this moment will not run: their tick is void. */
void tickets_void(Daemon *d, int64_t after_us);
void tickets_done(Daemon *d);
/* What waits for nothing but a worker. Under the lock. */
typedef struct Waiting {
    int64_t count[JOB_KINDS];
    int64_t longest_ns[JOB_KINDS];
    const Job *job; /* the one that waits longest; NULL: none */
} Waiting;
Waiting tickets_waiting(const Daemon *d);

/* ---- workers.c: a thread for each run ---- */
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

/* ---- replica.c: this neuron among those that share its state store ---- */
/* Settles d->self.identity, before anything else asks the store. */
MUST_USE Status replica_begin(Daemon *d, Err *err);
/* Asks the store for its clock. */
void replica_clock(Daemon *d);
MUST_USE Status part_replica_start(Daemon *d, Err *err);
void part_replica_stop(Daemon *d);
/* A pipeline runs in one neuron at a time: false where another one runs it. Where the store can't
 * be asked it is true, since the target's epoch guards the data anyway. */
bool replica_take_run(Daemon *d, const Job *job);
void replica_drop_run(Daemon *d, const Job *job);

/* control_update.c: what an earlier life was told from outside. */
void config_update_restore(Daemon *d);

/* ---- store_watch.c: does the state store answer? ---- */
MUST_USE Status store_watch_start(Daemon *d, Err *err);
/* Also without a start. */
void store_watch_stop(Daemon *d);
/* Known within a second. Without the lock. */
void store_health(Daemon *d, StoreHealth *ret_health);

/* ---- parts.c: streams, federation, alerts … ---- */
/* `start` gets a daemon whose configuration, store and control are ready; what it needs later it
 * keeps in the Daemon. `stop` comes before the store closes, also without a start. */
typedef struct DaemonPart {
    const char *name;
    Status (*start)(Daemon *d, Err *err);
    void (*stop)(Daemon *d);
} DaemonPart;
/* part_federation.c */
MUST_USE Status part_federation_start(Daemon *d, Err *err);
void part_federation_stop(Daemon *d);
/* A member of an open object: how this neuron is with its federation; nothing where there is none.
 * False when heartbeats or registration fail. */
bool federation_health(Daemon *d, bool detail, JsonWriter *w);
/* part_streams.c */
MUST_USE Status streams_new(Daemon *d, Err *err);
MUST_USE Status part_streams_start(Daemon *d, Err *err);
/* Ask all for an orderly end, without waiting. */
void streams_drain(Daemon *d);
void part_streams_stop(Daemon *d);
void streams_clock_set(Daemon *d, int64_t step_us);
/* NULL: no such stream. */
Stream *stream_find(Daemon *d, Str name);
/* control_streams.c */
/* In an open object: each stream's health; without `detail` status and kind alone. */
Health streams_health(Daemon *d, bool detail, JsonWriter *w);
/* Their numbers into the registry of metrics. */
void streams_metrics(Daemon *d);
/* Those of streams that may be gone after a reload. */
void streams_metrics_forget(Daemon *d);
Status control_stream_list(void *arg, Buf *out, Err *err);
Status control_stream_get(void *arg, Str name, Buf *out, Err *err);
Status control_stream_pause(void *arg, Str name, bool pause, Buf *out, Err *err);
Status control_stream_letters(void *arg, Str name, int64_t limit, const _Atomic bool *stop,
                              Buf *out, Err *err);
Status control_stream_send(void *arg, Str name, Str lines, const _Atomic bool *stop, Buf *out,
                           Err *err);

/* part_upkeep.c */
MUST_USE Status part_upkeep_start(Daemon *d, Err *err);
void part_upkeep_stop(Daemon *d);

/* part_alert.c */
MUST_USE Status part_alert_start(Daemon *d, Err *err);
void part_alert_stop(Daemon *d);
/* Memory and disks into the metrics. */
void system_gauges(const Daemon *d);
void parts_begin(Daemon *d);
void parts_end(Daemon *d);

/* ---- connections.c: what is known of the configured connections ---- */
MUST_USE Status links_make(Daemon *d, Err *err);
void links_done(Daemon *d);
void links_clock_set(Daemon *d, int64_t step_us);
/* A run between the two locations ended: with `why` NULL both work; else the one that it tells of
 * does not. Thread-safe. */
void links_note(Daemon *d, Str from, Str to, const Err *why);
/* Members of an open object, without `detail` status and kind alone; false when one is out of
 * order. */
bool links_write(Daemon *d, bool detail, JsonWriter *w);

/* ---- ticks.c ---- */
/* At the start: runs that were cut off, missed ticks, the run at start. */
void ticks_begin(Daemon *d);
/* Runs of neurons that are gone go on here. */
void ticks_adopt(Daemon *d);
/* Fire what is due; returns how long it is until the next tick (µs; INT64_MAX: none). */
int64_t ticks_fire(Daemon *d);
/* Now, by the clock that ticks count by: the state store's. */
int64_t ticks_now(const Daemon *d);

/* ---- job_run.c: one ticket, on a worker's thread ---- */
void job_run(Daemon *d, Ticket *ticket);
/* A pipeline's run that does not take place. Owns the ticket. */
void job_skip(Daemon *d, Ticket *ticket, Str why);

/* ---- dataset_run.c: checks of datasets ---- */
void dataset_run(Daemon *d, Ticket *ticket);
/* The job's last report, and its series. */
MUST_USE Status dataset_restore(Daemon *d, Job *job, Err *err);
/* The pipeline loads the dataset's table. */
bool dataset_is_loaded_by(const Daemon *d, const Job *dataset, const Job *pipeline);
/* Members of an open object: the guide's fields, and the verdict. */
void dataset_report_members(const QualityReport *report, JsonWriter *w);

/* ---- check_notes.c ---- */
void check_note_begin(Daemon *d, Str id, const Job *job);
/* `report` NULL: it could not run, and `why` says why. */
void check_note_end(Daemon *d, Str id, const Job *job, const QualityReport *report, const Err *why);
void check_notes_done(Daemon *d);
Status control_check_get(void *arg, Str check_id, Buf *out, Err *err);

/* ---- control_*.c ---- */
void control_make(Daemon *d, Control *ret_control);
Status control_status(void *arg, Buf *out, Err *err);
Status control_health(void *arg, bool detail, Health *ret_health, Buf *out, Err *err);
Status control_config(void *arg, Buf *out, Err *err);
Status control_config_update(void *arg, Str json, Buf *out, Err *err);
Status control_pipeline_list(void *arg, Buf *out, Err *err);
Status control_pipeline_get(void *arg, Str name, Buf *out, Err *err);
Status control_run_start(void *arg, Str pipeline, Str trigger, char *ret_run_id, Buf *out,
                         Err *err);
Status control_run_cancel(void *arg, Str run_id, Buf *out, Err *err);
Status control_run_list(void *arg, const ControlFilter *filter, Buf *out, Err *err);
Status control_run_get(void *arg, Str run_id, Buf *out, Err *err);
Status control_alert_list(void *arg, Buf *out, Err *err);
Status control_alert_silence(void *arg, const ControlSilence *silence, Buf *out, Err *err);
void write_pipelines(Daemon *d, JsonWriter *w);
Status control_quality_list(void *arg, Buf *out, Err *err);
Status control_quality_reports(void *arg, const ControlFilter *filter, Buf *out, Err *err);
Status control_quality_check(void *arg, Str dataset, Str trigger, char *ret_check_id, Buf *out,
                             Err *err);
Status control_quality_trends(void *arg, Str dataset, int64_t days, Buf *out, Err *err);
void write_time(JsonWriter *w, const char *key, int64_t us);
/* One part's health: `error` empty where it is healthy. */
typedef struct PartHealth {
    Str status, error;
    ErrKind kind; /* of the error */
    int64_t since_us;
} PartHealth;
/* In the part's open object; without `detail` status and kind alone. */
void part_health_write(const PartHealth *part, bool detail, JsonWriter *w);

/* daemon.c */
MUST_USE Status daemon_load(const DaemonOptions *options, Configuration *ret_config, Err *err);
void daemon_end(Daemon *d, DaemonEnd how);
void daemon_wake(Daemon *d);
void copy_text(char *to, int64_t size, Str text);

#endif
