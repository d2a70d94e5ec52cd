/* Ticks: what is due, missed, cut off. */
#ifndef NEURON_DAEMON_TICKS_H
#define NEURON_DAEMON_TICKS_H

#include <stdint.h>

typedef struct Daemon Daemon;

/* At the start: runs that were cut off, missed ticks, the run at start. */
void ticks_begin(Daemon *d);
/* Runs of neurons that are gone go on here. */
void ticks_adopt(Daemon *d);
/* Fire what is due; returns how long it is until the next tick (µs; INT64_MAX: none). */
int64_t ticks_fire(Daemon *d);

#endif
