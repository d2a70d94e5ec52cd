/* Rows and messages handed to librdkafka's producer, and what became of them. */
#ifndef NEURON_KAFKA_PRODUCE_H
#define NEURON_KAFKA_PRODUCE_H

#include "connect/kafka/kafka_impl.h"
#include "engine/format/json_write.h"
#include "engine/format/message.h"

enum { KAFKA_PORTS_MAX = 16, KAFKA_TOPICS_MAX = 256 };

typedef struct KafkaPort {
    rd_kafka_topic_t *topic;
    bool out;             /* its rows count as loaded */
    bool messages;        /* the message schema; else a JSON object per row */
    JsonEncoder *encoder; /* rows */
    const Str *key;       /* rows: columns of the key */
    int32_t key_count;
} KafkaPort;

/* Embedded in the sink. One thread; delivery reports come while it polls. */
typedef struct KafkaProducer {
    KafkaClient client;
    KafkaPlace *place;
    rd_kafka_topic_t *topics[KAFKA_TOPICS_MAX];
    int32_t topic_count;
    Buf value, key, text;
    int64_t since_poll;
    int64_t failed; /* delivery reports with an error since the last kafka_producer_begin */
    rd_kafka_resp_err_t failed_code;
    _Atomic bool cancelled;
} KafkaProducer;

void kafka_producer_init(KafkaProducer *producer, KafkaPlace *place);
void kafka_producer_done(KafkaProducer *producer);
/* Connects. `transactional_id` NULL: none; how long its transactions may take. FAIL: also when no
 * broker answers. */
MUST_USE Status kafka_producer_start(KafkaProducer *producer, const char *transactional_id,
                                     int64_t transaction_ms, Err *err);
/* The topic, seen to exist when it is first asked for. */
MUST_USE Status kafka_producer_topic(KafkaProducer *producer, Str name,
                                     rd_kafka_topic_t **ret_topic, Err *err);
void kafka_producer_begin(KafkaProducer *producer);
/* All rows of a batch, copied. Those that are too large for a message go to `refused`. */
MUST_USE Status kafka_producer_write(KafkaProducer *producer, const KafkaPort *port,
                                     const Batch *batch, RejectList *refused, Err *err);
/* Wait until everything is delivered. FAIL: something was not. */
MUST_USE Status kafka_producer_flush(KafkaProducer *producer, Err *err);
/* Forget what was not sent yet, and wait for the answers to the rest. */
void kafka_producer_drop(KafkaProducer *producer);

#endif
