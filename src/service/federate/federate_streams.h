/* The numbers of all streams. */
#ifndef NEURON_FEDERATE_STREAMS_H
#define NEURON_FEDERATE_STREAMS_H

#include "foundation/codec/json_tree.h"
#include "service/control/control.h"

/* The numbers of all streams in sum, by the guide's names. */
typedef struct StreamSums {
    int64_t processed, failed, consumed, lost;
    double average_seconds, per_second;
} StreamSums;
/* `each` (may be NULL) gets each stream's object. */
MUST_USE Status federate_streams(const Control *control, StreamSums *ret_sums,
                                 void (*each)(void *arg, const JsonValue *stream), void *arg,
                                 Err *err);

#endif
