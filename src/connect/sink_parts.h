/* The parts of a stream that a sink has taken over: how far each was committed, and its fence. */
#ifndef NEURON_SINK_PARTS_H
#define NEURON_SINK_PARTS_H

#include "connect/position.h"

/* In databases they are rows of this table, one for each stream, topic and partition. */
#define SINK_PARTS_TABLE "neuron_positions"
#define SINK_PARTS_CREATE                                                                          \
    "CREATE TABLE IF NOT EXISTS " SINK_PARTS_TABLE " ("                                            \
    "stream text NOT NULL, topic text NOT NULL, partition integer NOT NULL,"                       \
    " next_offset bigint, fence bigint NOT NULL, PRIMARY KEY (stream, topic, partition))"

typedef struct SinkPart {
    int32_t part;
    int64_t next;  /* as it is in the target; -1: it was never committed */
    int64_t fence; /* how often the part was taken over */
    int64_t moves; /* where the open cycle moves it; -1: it doesn't */
    bool held;     /* false: another process took it over since */
} SinkPart;

/* Embedded: zero is empty. Of one thread. */
typedef struct SinkParts {
    SinkPart *items; /* ascending by part */
    int32_t count, capacity;
    int32_t moving;
} SinkParts;
void sink_parts_done(SinkParts *parts);
/* It was taken over. */
MUST_USE Status sink_parts_put(SinkParts *parts, int32_t part, int64_t next, int64_t fence,
                               Err *err);
/* NULL when it was never taken over. */
SinkPart *sink_parts_find(const SinkParts *parts, int32_t part);
bool sink_parts_hold(const SinkParts *parts, int32_t part);
/* Note what the position moves, in `moves` and `moving`. False: it moves a part that is not held,
 * or from elsewhere than the target has it: rows would come twice. Such a part is held no more. */
bool sink_parts_move(SinkParts *parts, const Position *from, const Position *position);
/* The moves are committed, or undone. */
void sink_parts_end(SinkParts *parts, bool committed);

#endif
