/* What a topic takes: asked from the broker, and compared with a message before it is sent. */
#ifndef NEURON_KAFKA_LIMITS_H
#define NEURON_KAFKA_LIMITS_H

#include "connect/kafka/kafka_client.h"
#include "engine/column/batch.h"
#include "engine/format/message.h"

/* How long a broker may take to say what a topic takes. */
enum { KAFKA_LIMITS_MS = 5000 };

typedef struct KafkaLimits {
    bool known;                  /* false: nothing of this; the broker judges alone */
    int64_t max_bytes;           /* of a batch, as it is compressed */
    bool keyed;                  /* compacted: no message without a key */
    int64_t before_ms, after_ms; /* how old and how far ahead a message's time may be; -1: any */
} KafkaLimits;

/* Nobody needs to be allowed to ask: `known` is false then, also where no broker answers. */
void kafka_limits_ask(KafkaClient *client, const char *topic, KafkaLimits *ret_limits);

/* Bytes of a batch of this message alone, before compression. `header_bytes`: of the headers. */
int64_t kafka_message_bytes(const Message *message, int64_t header_bytes);

/* A refusal as SQLSTATE: what is wrong with the message. */
#define KAFKA_TOO_LARGE "54000"
#define KAFKA_NO_KEY "23502"
#define KAFKA_BAD_TIME "22008"

enum { KAFKA_REASON_MAX = 256 };

/* *ret_sqlstate NULL: nothing is known against the message. It may still be too large; then `bytes`
 * > max_bytes, and only its compressed size decides. */
MUST_USE Status kafka_limits_check(const KafkaLimits *limits, const Message *message, int64_t bytes,
                                   const char **ret_sqlstate, char ret_reason[KAFKA_REASON_MAX],
                                   Err *err);

#endif
