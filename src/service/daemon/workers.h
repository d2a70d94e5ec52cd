/* A thread for each run. */
#ifndef NEURON_DAEMON_WORKERS_H
#define NEURON_DAEMON_WORKERS_H

#include "foundation/codec/json_writer.h"
#include "service/daemon/job.h"

typedef struct Daemon Daemon;

/* Under the daemon's lock. */
typedef struct WorkerPool {
    struct Worker *workers;
    int32_t worker_count;
    char error[256]; /* why no thread could be started; empty: none was refused */
} WorkerPool;

MUST_USE Status workers_start(Daemon *d, Err *err);
/* Start what may run now. Under the lock. */
void workers_dispatch(Daemon *d);
/* Waits for what runs, as long as the configuration says, and then cancels it. False: a run does
 * not end. */
bool workers_settle(Daemon *d);
void workers_done(Daemon *d);
/* In an open object: the dependency "workers", with `detail` what waits for what. Under the lock.
 * False when work waits too long. */
bool workers_health(const Daemon *d, bool detail, JsonWriter *w);
void workers_metrics(Daemon *d);

#endif
