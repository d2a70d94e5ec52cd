/* The state store's clock: ticks count by it, since several neurons may share one store. */
#ifndef NEURON_DAEMON_STORE_CLOCK_H
#define NEURON_DAEMON_STORE_CLOCK_H

#include <stdatomic.h>

#include "store/state/state_store.h"

typedef struct StoreClock {
    _Atomic int64_t offset_us; /* how far it is ahead of ours */
} StoreClock;

/* µs since 1970. */
int64_t store_clock_now(const StoreClock *clock);
/* Asks the store; where that fails the last answer stays. */
void store_clock_ask(StoreClock *clock, StateStore *store);
/* Our own clock was set by step_us; the store's was not. */
void store_clock_step(StoreClock *clock, int64_t step_us);

#endif
