/* The only source of time; tests may set it. */
#ifndef NEURON_CLOCK_H
#define NEURON_CLOCK_H

#include "foundation/base/macro.h"

/* Microseconds since 1970-01-01 00:00:00 UTC. */
int64_t clock_now_us(void);
/* Nanoseconds of a clock that never steps back; for durations. It stands still while the machine
 * sleeps; conditions (thread_cond_wait) count on it. */
int64_t clock_mono_ns(void);
/* The same, but it goes on while the machine sleeps: for ages that others see too. */
int64_t clock_boot_ns(void);
/* Since which start of which machine that goes; empty where the system doesn't say. */
void clock_boot_id(char ret_id[40]);
/* Waits; a signal may end it before. */
void clock_sleep_ns(int64_t ns);
/* CPU time of the process in microseconds. */
int64_t clock_cpu_us(void);

/* The wall clock may be set, by minutes or by years. What remembers its moments keeps a watch and
 * moves them with it. One watch for one thread; {0} begins one. */
#define CLOCK_STEP_US INT64_C(1000000)
typedef struct ClockWatch {
    int64_t offset_us; /* wall clock less the one that is never set */
    bool begun;
} ClockWatch;
/* By how many microseconds it was set since the last call; 0 at the first, and below CLOCK_STEP_US
 * (which counts together with what follows). A sleep of the machine is no step. */
int64_t clock_watch_step(ClockWatch *watch);
/* Where a moment (0: none, INT64_MAX: never) is after a step to `now_us`. One that was in the
 * future already came from a clock that was right; none is in the future afterwards. */
int64_t clock_moment_move(int64_t at_us, int64_t step_us, int64_t now_us);

/* For tests: a fixed wall clock (microseconds); a negative value gives back the real one. */
void clock_set_us(int64_t now_us);

#endif
