/* One life of a neuron, from its start to its end; a reload begins another. */
#ifndef NEURON_DAEMON_LIFE_H
#define NEURON_DAEMON_LIFE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum DaemonEnd { END_NONE, END_STOP, END_RESTART, END_RELOAD } DaemonEnd;

typedef struct DaemonLife {
    int signal_fd, event_fd; /* signals.c; -1: not open */
    int signal;              /* the one that ends it; 0: none */
    int64_t started_us, started_ns;
    bool reloaded; /* this is the life after a reload: no runs at start */
    _Atomic bool ready, draining;
    _Atomic int end; /* DaemonEnd */
} DaemonLife;

/* The main loop looks again at what may run. From any thread. */
void life_wake(DaemonLife *life);
/* The main loop ends; the first reason counts. From any thread. */
void life_end(DaemonLife *life, DaemonEnd how);

#endif
