/* A Kafka location taken apart and checked: brokers, topic, options. */
#ifndef NEURON_KAFKA_PLACE_H
#define NEURON_KAFKA_PLACE_H

#include "connect/location.h"
#include "foundation/base/buf.h"

typedef enum KafkaDelivery {
    KAFKA_DELIVERY_UNSET,
    KAFKA_AT_LEAST_ONCE,
    KAFKA_EXACTLY_ONCE
} KafkaDelivery;

/* Embedded: kafka_place_init … kafka_place_done. Texts end in NUL (not counted) and live as long as
 * the place. */
typedef struct KafkaPlace {
    const Location *location; /* borrowed */
    bool embedded;            /* the broker inside the process */
    Str brokers;              /* host:port,host:port; empty when embedded */
    Str topic;                /* empty: the location names none */
    Str group, instance;
    Str id; /* transactional id; empty: not given */
    bool latest;
    int64_t tail; /* begin so many before the end of each partition; 0: not given */
    KafkaDelivery delivery;
    Arena arena;
} KafkaPlace;

/* Connector.parse: a location of the broker inside the process is ephemeral. */
MUST_USE Status kafka_place_parse(Location *location, Str rest, Arena *arena, Err *err);
/* Connector.fit: the client's queues get a share of the memory; with 512 MB these are the sizes
 * that it has without. */
MUST_USE Status kafka_place_fit(Location *location, int64_t memory_bytes, Arena *arena, Err *err);
/* FAIL: ERR_CONFIG naming the location, with the fix. Touches no network. */
MUST_USE Status kafka_place_init(KafkaPlace *place, const Location *location, Err *err);
void kafka_place_done(KafkaPlace *place);
/* Partitions and offsets are shared with others of that group; else all are read from the start. */
static inline bool kafka_place_has_group(const KafkaPlace *place)
{
    return place->group.len > 0;
}
/* A copy that lives as long as the place. FAIL: ERR_CONFIG when it can't name a topic. */
MUST_USE Status kafka_place_topic(KafkaPlace *place, Str name, Str *ret_topic, Err *err);

#endif
