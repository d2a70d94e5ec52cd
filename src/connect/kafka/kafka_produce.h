/* Rows and messages handed to librdkafka's producer, and what became of them. */
#ifndef NEURON_KAFKA_PRODUCE_H
#define NEURON_KAFKA_PRODUCE_H

#include "connect/kafka/kafka_impl.h"
#include "connect/kafka/kafka_limits.h"
#include "connect/kafka/kafka_refusals.h"
#include "engine/format/message.h"

enum { KAFKA_PORTS_MAX = 16, KAFKA_TOPICS_MAX = 256 };

typedef struct KafkaTopic {
    Str name;
    rd_kafka_topic_t *handle; /* of the producer as it is now */
    KafkaLimits limits;
} KafkaTopic;

typedef struct KafkaPort {
    int32_t number;
    KafkaTopic *topic;
    bool out;                /* its rows count as loaded */
    bool messages;           /* the message schema; else a value per row */
    MessageEncoder *encoder; /* rows */
    const Str *key;          /* rows: columns of the key */
    int32_t key_count;
} KafkaPort;

/* Messages that were not delivered since the last begin, for no fault of theirs; the first one's
 * reason. */
typedef struct KafkaFailures {
    int64_t count;
    rd_kafka_resp_err_t code;
    char topic[250];
} KafkaFailures;

/* Embedded in the sink. One thread; delivery reports come while it polls. */
typedef struct KafkaProducer {
    KafkaClient client;
    KafkaPlace *place;
    const char *transactional_id; /* NULL: none */
    int64_t transaction_ms;
    int64_t message_bytes; /* the largest message that librdkafka takes */
    int64_t batch_bytes;   /* the largest batch of several messages */
    bool bytes_set;        /* message_bytes is the user's */
    KafkaTopic topics[KAFKA_TOPICS_MAX];
    int32_t topic_count;
    KafkaRefusals refusals;
    int64_t group;        /* of the message that was handed over last */
    bool keeps_delivered; /* no transaction, and cycles may be done again */
    bool doomed;          /* the transaction can't be committed: nothing more is sent in it */
    Buf value, key, text;
    int64_t since_poll;
    KafkaFailures failures;
    _Atomic bool cancelled;
} KafkaProducer;

void kafka_producer_init(KafkaProducer *producer, KafkaPlace *place);
/* False, with the producer as it is: see kafka_client_done. */
MUST_USE bool kafka_producer_done(KafkaProducer *producer);
/* Connects, with batches and messages as large as the topics take (empty names are left out).
 * `transactional_id` NULL: none; it is borrowed; how long its transactions may take. FAIL: also
 * when no broker answers. */
MUST_USE Status kafka_producer_start(KafkaProducer *producer, const char *transactional_id,
                                     int64_t transaction_ms, const Str *topics, int32_t topic_count,
                                     Err *err);
/* Connects anew, with batches of at most so many bytes. Nothing may be under way. */
MUST_USE Status kafka_producer_restart(KafkaProducer *producer, int64_t batch_bytes, Err *err);
/* The topic, seen to exist when it is first asked for. FAIL: ERR_MISSING: there is none. */
MUST_USE Status kafka_producer_topic(KafkaProducer *producer, Str name, KafkaTopic **ret_topic,
                                     Err *err);
void kafka_producer_begin(KafkaProducer *producer);
/* All rows of a batch, copied. Those that are known to be refused go to `refused`: too large for
 * librdkafka or the topic, or refused by the broker when their cycle was tried before. NULL: the
 * first of them is FAIL. */
MUST_USE Status kafka_producer_write(KafkaProducer *producer, const KafkaPort *port,
                                     const Batch *batch, RejectList *refused, Err *err);
/* Wait until everything is answered. FAIL: something was not delivered, but for what the broker
 * refused: that is in `refusals`. */
MUST_USE Status kafka_producer_flush(KafkaProducer *producer, Err *err);
/* A transaction failed because of refused messages: wait until they are known. */
void kafka_producer_answers(KafkaProducer *producer);
/* FAIL: cancelled, or something was not delivered. */
MUST_USE Status kafka_producer_check(KafkaProducer *producer, Err *err);
/* FAIL names the first message that the broker refused in the open cycle. */
Status kafka_producer_refused(KafkaProducer *producer, Err *err);
/* Why a message was refused, as SQLSTATE. */
const char *kafka_refusal_state(rd_kafka_resp_err_t code, bool has_key);
/* Forget what was not sent yet, and wait for the answers to the rest; false: some did not come. */
bool kafka_producer_drop(KafkaProducer *producer);

#endif
