/* A scripted connector for tests: partitions that come and go, sinks that stall, lose answers,
 * refuse. */
#ifndef NEURON_FAULT_CONNECTOR_H
#define NEURON_FAULT_CONNECTOR_H

#include <pthread.h>

#include "connect/sink.h"
#include "connect/source.h"

enum { FAULT_PARTS_MAX = 8 };

/* What happens how often, in 1,000 (0: never). */
typedef struct FaultOdds {
    int32_t revoke; /* the source: a part goes away, and comes back later */
    int32_t lost;   /* the same without warning */
    int32_t idle;
    int32_t unknown;   /* the sink: a commit's answer gets lost */
    int32_t pending;   /* a commit is decided later */
    int32_t stall;     /* a write hangs until it is cancelled */
    int32_t hang;      /* a begin, a taking over, a commit do */
    int32_t refuse;    /* a row is refused in apply */
    int32_t again;     /* a commit must be done again */
    int32_t malformed; /* the source: a row that can't be read */
    int32_t rival;     /* another process takes a part over in the sink and commits rows of it */
    int32_t busy;      /* the sink: taking over has to be asked for again */
    int32_t behind; /* the source: it begins before where the sink says. A mistake: must be found */
} FaultOdds;

/* What happened. */
typedef struct FaultTally {
    int64_t commits, aborts, revokes, losts, unknowns, stalls, agains;
    int64_t rivals, rival_rows; /* rows that another process committed */
    int64_t fenced;             /* commits that were refused */
    int64_t written_after_loss; /* rows written of a part that was given back: must be 0 */
} FaultTally;

/* The world of one test: the rows of each part, and what was committed of them. Row i of a part
 * holds (part, i). Locked by mutex: source and sink run on different threads. */
typedef struct FaultWorld {
    pthread_mutex_t mutex;
    uint64_t seed;
    FaultOdds odds;
    int32_t parts;
    int64_t rows;            /* per part */
    int64_t revoke_after_ns; /* deadline of a revoke */
    bool unbounded;          /* IDLE instead of END when everything was read */
    bool asks;               /* parts are taken over in the sink, and read from where it says */

    int64_t next[FAULT_PARTS_MAX]; /* the source's place */
    int64_t epoch[FAULT_PARTS_MAX];
    bool assigned[FAULT_PARTS_MAX];
    int64_t revoking; /* epoch that waits for source_revoked, 0: none */
    bool cancelled;

    uint8_t *committed[FAULT_PARTS_MAX]; /* times each row was committed */
    uint8_t *rejected[FAULT_PARTS_MAX];
    int64_t position[FAULT_PARTS_MAX]; /* committed with the rows */
    int64_t fence[FAULT_PARTS_MAX];    /* how often it was taken over */
    int64_t settled[FAULT_PARTS_MAX];  /* what the source was told */
    FaultTally tally;
} FaultWorld;

MUST_USE Status fault_world_init(FaultWorld *world, uint64_t seed, int32_t parts, int64_t rows,
                                 Err *err);
void fault_world_done(FaultWorld *world);
MUST_USE Status fault_source_new(FaultWorld *world, Source **ret_source, Err *err);
MUST_USE Status fault_sink_new(FaultWorld *world, Sink **ret_sink, Err *err);
/* (part, row), both INT64. */
MUST_USE Status fault_schema(Schema **ret_schema, Err *err);

#endif
