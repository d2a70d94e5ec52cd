/* What the files of this room share: the makers, and what a position carries from source to sink.
 */
#ifndef NEURON_KAFKA_IMPL_H
#define NEURON_KAFKA_IMPL_H

#include <stdatomic.h>

#include "connect/kafka/kafka_client.h"
#include "connect/sink.h"
#include "connect/source.h"

/* Position.handle of a consumer with a group: a Kafka sink commits the offsets in its own
 * transaction and says so in `by_sink`, so that the source does not commit them again. */
typedef struct KafkaHandle {
    rd_kafka_t *consumer;
    const char *topic;
    _Atomic bool by_sink;
    _Atomic int32_t first_parts; /* with how many partitions the group began; 0: it isn't known */
} KafkaHandle;

/* An offset to commit. It bears with how many partitions the group began: a commit replaces what
 * the one before it bore. */
MUST_USE Status kafka_offset_add(rd_kafka_topic_partition_list_t *list, const KafkaHandle *handle,
                                 int32_t partition, int64_t offset, Err *err);

MUST_USE Status kafka_source_new(const SourceReq *req, Source **ret_source, Err *err);
MUST_USE Status kafka_sink_new(const SinkReq *req, Sink **ret_sink, Err *err);

/* Wait while nothing can be done but to ask again; at most so long. */
enum { KAFKA_REACH_MS = 10000, KAFKA_ASK_MS = 10000 };

#endif
