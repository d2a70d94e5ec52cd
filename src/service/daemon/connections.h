/* What is known of the configured connections. Thread-safe, but for its begin and end. */
#ifndef NEURON_DAEMON_CONNECTIONS_H
#define NEURON_DAEMON_CONNECTIONS_H

#include "service/daemon/part_streams.h"
#include "service/setup/configuration.h"

typedef struct LinkTable {
    pthread_mutex_t mutex;
    struct Link *items;
    int32_t count;
} LinkTable;

MUST_USE Status links_make(LinkTable *links, Configuration *config, Err *err);
void links_done(LinkTable *links);
void links_clock_set(LinkTable *links, int64_t step_us);
/* A run between the two locations ended: with `why` NULL both work; else the one that it names
 * does not. */
void links_note(LinkTable *links, Str from, Str to, const Err *why);
/* Members of an open object, without `detail` status and kind alone; false when one is out of
 * order. */
bool links_write(LinkTable *links, const StreamTable *streams, bool detail, JsonWriter *w);

#endif
