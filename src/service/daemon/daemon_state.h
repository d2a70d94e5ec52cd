/* The running neuron: what it holds, by its parts. A part's own header says what is in it. */
#ifndef NEURON_DAEMON_STATE_H
#define NEURON_DAEMON_STATE_H

#include "foundation/base/clock.h"
#include "foundation/obs/log.h"
#include "foundation/obs/metrics.h"
#include "service/alert/alert.h"
#include "service/control/control.h"
#include "service/daemon/check_notes.h"
#include "service/daemon/connections.h"
#include "service/daemon/daemon.h"
#include "service/daemon/daemon_life.h"
#include "service/daemon/jobs.h"
#include "service/daemon/part_streams.h"
#include "service/daemon/replica.h"
#include "service/daemon/store_clock.h"
#include "service/daemon/store_watch.h"
#include "service/daemon/tickets.h"
#include "service/daemon/workers.h"

enum { ANSWER_MAX = 64 << 20 }; /* bytes of one JSON answer */

typedef struct DaemonTime {
    ClockWatch clock; /* of the main loop */
    int64_t seen_us;  /* the latest moment that ticks were looked at, by the store's clock */
    StoreClock store;
} DaemonTime;

/* Parts that live beside the jobs. */
typedef struct DaemonBeside {
    _Atomic(struct Federate *) federate; /* part_federation.c */
    int64_t heartbeat_us;                /* set from outside; 0: as configured; under the lock */
    _Atomic(struct Alerts *) alerts;     /* part_alert.c */
    Thread upkeep;                       /* part_upkeep.c */
    bool upkeep_ends;                    /* under the lock */
} DaemonBeside;

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
    struct Api *api; /* lives over reloads; part_http.c */
    DaemonBeside beside;
    CheckNotes notes;
    LinkTable links;
    StoreWatch store_watch;
    DaemonTime time;

    pthread_mutex_t lock; /* of what is below, and of what changes in a job */
    pthread_cond_t changed;
    TicketQueue queue;
    WorkerPool pool;
} Daemon;

#endif
