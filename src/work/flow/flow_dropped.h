/* Parts that were revoked: batches that were read of them before are dropped. */
#ifndef NEURON_FLOW_DROPPED_H
#define NEURON_FLOW_DROPPED_H

#include <pthread.h>

#include "work/flow/flow_item.h"

enum { FLOW_REVOKED_MAX = 4096 }; /* parts that one reader may be given and lose */

/* Batches of a part with an epoch up to this are dropped. */
typedef struct DroppedEpoch {
    int32_t part;
    int64_t epoch;
} DroppedEpoch;

/* Thread-safe. */
typedef struct DroppedEpochs {
    pthread_mutex_t mutex;
    DroppedEpoch items[FLOW_REVOKED_MAX];
    int32_t count;
} DroppedEpochs;

void dropped_add(DroppedEpochs *dropped, const int32_t *parts, int32_t count, int64_t epoch);
/* True when the item's rows may not be written any more: of a revoked part, or of a reading before
 * `generation`. */
bool dropped_has(DroppedEpochs *dropped, const FlowItem *item, int64_t generation);

#endif
