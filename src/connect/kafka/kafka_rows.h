/* Messages of one partition into a batch of open rows with their metadata, and rejects beside it.
 */
#ifndef NEURON_KAFKA_ROWS_H
#define NEURON_KAFKA_ROWS_H

#include <librdkafka/rdkafka.h>

#include "connect/source.h"
#include "engine/format/message_codec.h"
#include "engine/format/reject.h"

/* Most messages that one batch is made of. */
enum { KAFKA_ROWS_MAX = 4096 };

/* Embedded: kafka_rows_init … kafka_rows_done. One thread. Nothing points into the messages: they
 * are copied. */
typedef struct KafkaRows {
    const SourceReq *req;
    Str topic;
    MessageDecoder *decoder;
    RejectWriter rejects;
    Budget *budget;
    int64_t *offsets; /* of the rows taken */
    Buf key, data;    /* of a reject */
    Buf headers;
    int64_t first, next, bytes; /* of the batch that is being built; next < 0: nothing yet */
    int64_t seq;
} KafkaRows;

/* `codec`: of the messages' values. */
MUST_USE Status kafka_rows_init(KafkaRows *rows, const SourceReq *req, const MessageCodec *codec,
                                Str topic, Budget *budget, Err *err);
void kafka_rows_done(KafkaRows *rows);
/* The schema of the batches, as the request asks for. */
MUST_USE Status kafka_rows_schema(const SourceReq *req, Schema **ret_schema, Err *err);
/* One message, in the order of their offsets: a row, or a reject where the request allows them;
 * else FAIL naming topic, partition and offset. At most KAFKA_ROWS_MAX per batch. */
MUST_USE Status kafka_rows_add(KafkaRows *rows, const rd_kafka_message_t *message, Err *err);
/* What was added since the last call, as an event. */
MUST_USE Status kafka_rows_take(KafkaRows *rows, int32_t partition, int64_t epoch,
                                SourceEvent *ret_event, Err *err);
/* When the message was made, as it says; -1: it doesn't. */
int64_t kafka_rows_time_us(const rd_kafka_message_t *message);
/* Forget what was added. */
MUST_USE Status kafka_rows_clear(KafkaRows *rows, Err *err);

#endif
