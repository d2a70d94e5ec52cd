/* Named threads, mutexes and conditions with deadlines. */
#ifndef NEURON_THREAD_H
#define NEURON_THREAD_H

#include <pthread.h>

#include "foundation/base/err.h"

typedef struct Thread {
    pthread_t id;
    bool running;
} Thread;

/* Start `run(arg)`; the name (at most 15 bytes) is shown by top and gdb. Signals stay with the
 * main thread. */
MUST_USE Status thread_start(Thread *thread, const char *name, void (*run)(void *arg), void *arg,
                             Err *err);
/* The same for a thread that nobody waits for: what it uses it has to hold by itself. */
MUST_USE Status thread_detached(const char *name, void (*run)(void *arg), void *arg, Err *err);
/* Wait for the end; harmless on a thread that never ran. */
void thread_join(Thread *thread);

/* Initialise a condition that counts on the monotonic clock. */
void thread_cond_init(pthread_cond_t *cond);
/* Wait until signalled or until clock_mono_ns() reaches the deadline; false at the deadline.
 * A negative deadline waits for ever. */
bool thread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns);

#endif
