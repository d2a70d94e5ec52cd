/* What the files of this room share: the rounds, the deliverers. */
#ifndef NEURON_ALERT_IMPL_H
#define NEURON_ALERT_IMPL_H

#include "foundation/base/clock.h"
#include "foundation/base/thread.h"
#include "foundation/net/http_client.h"
#include "foundation/obs/log.h"
#include "service/alert/alert_book.h"

enum {
    ALERT_BODY_MAX = 4 << 20,
    ALERT_NOTICES_KEPT = 1000, /* of each receiver */
    ALERT_COMMAND_S = 30,
};

/* One receiver's thread. */
typedef struct Deliverer {
    Alerts *alerts;
    const AlertReceiver *receiver;
    HttpClient *client;
    Thread thread;
    bool failing;
} Deliverer;

struct Alerts {
    AlertOptions o;
    AlertWindows *windows;
    Thread thread;
    Deliverer *deliverers;
    int32_t deliverer_count;
    _Atomic bool stop;

    pthread_mutex_t keeping; /* held by who changes the book and keeps it in the store */
    pthread_mutex_t lock;    /* of all below; never held while the store works */
    pthread_cond_t wake;
    AlertBook book;
    bool poked;
    int64_t generation; /* grows with each change of the book */
    bool store_fails;
    bool leads;       /* of its thread */
    ClockWatch clock; /* of its thread */
};

/* alert_deliver.c */
MUST_USE Status deliverers_start(Alerts *alerts, Err *err);
void deliverers_stop(Alerts *alerts);
/* Sends one body; FAIL with a retriable kind: later, with another: never. `notice` NULL: it is none
 * of the queue. */
MUST_USE Status alert_send(Deliverer *deliverer, const StateNotice *notice, Str body, Err *err);
/* alert_command.c: runs the receiver's command with `body` on its standard input. */
MUST_USE Status alert_command_run(const AlertReceiver *receiver, Str body, const _Atomic bool *stop,
                                  Err *err);

#endif
