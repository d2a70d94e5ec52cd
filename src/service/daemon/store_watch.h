/* Does the state store answer? */
#ifndef NEURON_DAEMON_STORE_WATCH_H
#define NEURON_DAEMON_STORE_WATCH_H

#include "service/daemon/daemon_impl.h"

MUST_USE Status store_watch_start(Daemon *d, Err *err);
/* Also without a start. */
void store_watch_stop(Daemon *d);
/* Known within a second. Without the lock. */
void store_health(Daemon *d, StoreHealth *ret_health);

#endif
