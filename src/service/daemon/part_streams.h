/* Streams as a part of the daemon. */
#ifndef NEURON_DAEMON_PART_STREAMS_H
#define NEURON_DAEMON_PART_STREAMS_H

#include "work/stream/stream.h"

typedef struct Daemon Daemon;

/* In the configuration's order. */
typedef struct StreamTable {
    Stream **items;
    int32_t count;
} StreamTable;

MUST_USE Status streams_new(Daemon *d, Err *err);
void streams_free(Daemon *d);
MUST_USE Status streams_start(Daemon *d, Err *err);
/* Asks all for an orderly end, without waiting. */
void streams_drain(Daemon *d);
void streams_clock_set(Daemon *d, int64_t step_us);
/* NULL: no such stream. */
Stream *stream_find(Daemon *d, Str name);

/* stream_metrics.c: their numbers into the registry of metrics. */
void streams_metrics(const StreamTable *streams);
/* Those of streams that may be gone after a reload. */
void streams_metrics_forget(const StreamTable *streams);

#endif
