/* Does the state store answer? */
#ifndef NEURON_DAEMON_STORE_WATCH_H
#define NEURON_DAEMON_STORE_WATCH_H

#include "foundation/base/thread.h"
#include "store/state/state_store.h"

/* What is below the mutex is under it. */
typedef struct StoreWatch {
    StateStore *store;
    Thread thread;
    bool initialised;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool running, ends;
    bool wanted;        /* somebody wants to know */
    int64_t asked_ns;   /* since when, while `wanted` */
    int64_t checked_ns; /* when the last answer came */
    bool ok;            /* that answer */
    ErrKind kind;
    char error[512];
} StoreWatch;

typedef struct StoreHealth {
    bool ok;
    ErrKind kind;
    char error[512];
} StoreHealth;

MUST_USE Status store_watch_start(StoreWatch *watch, StateStore *store, Err *err);
/* Also without a start. */
void store_watch_stop(StoreWatch *watch);
/* Known within a second. */
void store_health(StoreWatch *watch, StoreHealth *ret_health);

#endif
