/* The only source of time; tests may set it. */
#ifndef NEURON_CLOCK_H
#define NEURON_CLOCK_H

#include "foundation/base/macro.h"

/* Microseconds since 1970-01-01 00:00:00 UTC. */
int64_t clock_now_us(void);
/* Nanoseconds of a clock that never steps back; for durations. */
int64_t clock_mono_ns(void);
/* CPU time of the process in microseconds. */
int64_t clock_cpu_us(void);
/* For tests: a fixed wall clock (microseconds); a negative value gives back the real one. */
void clock_set_us(int64_t now_us);

#endif
