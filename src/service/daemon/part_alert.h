/* Alerts as a part of the daemon. */
#ifndef NEURON_DAEMON_PART_ALERT_H
#define NEURON_DAEMON_PART_ALERT_H

#include "foundation/base/err.h"

typedef struct Daemon Daemon;

MUST_USE Status part_alert_start(Daemon *d, Err *err);
void part_alert_stop(Daemon *d);

#endif
