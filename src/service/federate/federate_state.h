/* The federation's client: what it holds, by its parts. A part's own header says what is in it. */
#ifndef NEURON_FEDERATE_STATE_H
#define NEURON_FEDERATE_STATE_H

#include "foundation/base/clock.h"
#include "foundation/base/thread.h"
#include "foundation/obs/metrics.h"
#include "service/federate/federate.h"
#include "service/federate/federate_body.h"
#include "service/federate/federate_call.h"
#include "service/federate/federate_commands.h"
#include "service/federate/federate_config.h"
#include "service/federate/federate_events.h"
#include "service/federate/federate_host.h"
#include "service/federate/federate_reports.h"
#include "service/federate/federate_standing.h"

#define FEDERATE_S_NS INT64_C(1000000000)

/* When each thing is to be done next; clock_mono_ns, INT64_MAX: not at all. */
typedef struct Due {
    int64_t register_ns, beat_ns, poll_ns, report_ns, config_ns;
    int64_t beat_slot_ns; /* the next heartbeat's place in the fixed schedule */
} Due;

/* In a row. */
typedef struct Failures {
    int32_t registration, beat, poll, report;
} Failures;

struct Federate {
    FederateOptions o;
    Thread thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic bool stop, cancelled;
    Standing standing;

    /* Of the thread. */
    Wire wire;
    int64_t started_ns, heartbeat_us;
    Due due;
    Failures failures;
    Orders *orders;
    bool ends;    /* a command has asked for the end, or a new start */
    bool stopped; /* by a command: nobody says when this neuron starts again */
    CoreConfig config;
    Reports reports;
    Host host;
    EventList events;
};

#endif
