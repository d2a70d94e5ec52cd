/* What reader and writer of a flow agree on: revoked and assigned parts, reading again. */
#ifndef NEURON_FLOW_HANDSHAKE_H
#define NEURON_FLOW_HANDSHAKE_H

#include <pthread.h>

#include "work/flow/flow_dropped.h"

/* A revoke that reader and writer agree on. The reader asks and waits; the writer answers. */
typedef struct Handshake {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool asked; /* a question is open */
    bool answered;
    bool lost;    /* the parts are gone already: abort */
    bool cut;     /* the reader cancelled the sinks: whatever they were at ended with CANCELLED */
    bool aborted; /* the answer: the cycle was undone, read again from `position` */
    int64_t epoch;
    int64_t deadline_ns;
    int32_t parts[FLOW_REVOKED_MAX];
    int32_t part_count;
    Position position; /* committed so far, filled by an aborting writer */

    bool
        rewind; /* the other way round: the writer asks the reader to read again from `rewind_to` */
    Position rewind_to;

    /* Of the cycle that was undone last: parts that another process has; for the source. */
    int32_t fenced[FLOW_REVOKED_MAX];
    int32_t fenced_count;
} Handshake;

/* Parts that were assigned, and where they begin: the reader asks and reads on, the writer asks the
 * sink and answers, the reader tells the source. Under the handshake's mutex. */
typedef struct FlowTake {
    bool asked, answered;
    bool voided; /* they were taken away again: what was noted of them is to be forgotten */
    int64_t epoch;
    int32_t parts[FLOW_REVOKED_MAX];
    int32_t part_count;
    Position from;
} FlowTake;

#endif
