/* Messages as batches of one fixed schema: key, value, headers, timestamp, topic. */
#ifndef NEURON_MESSAGE_H
#define NEURON_MESSAGE_H

#include "engine/column/batch.h"
#include "engine/column/builder.h"
#include "engine/format/message_codec.h"

/* The message schema, columns in this order: key BYTES (NULL: none), value BYTES (NULL: a
 * tombstone), headers JSON (an object of names to texts; NULL: none), timestamp TIMESTAMPTZ (NULL:
 * the moment of sending), topic TEXT (NULL: the topic of the port that it is written to). Sinks
 * that carry messages (Kafka, files of JSON lines) take such batches as they are; of a file's line
 * only the value is written. */
typedef enum MessageColumn {
    MESSAGE_KEY,
    MESSAGE_VALUE,
    MESSAGE_HEADERS,
    MESSAGE_TIMESTAMP,
    MESSAGE_TOPIC,
    MESSAGE_COLUMN_COUNT
} MessageColumn;

MUST_USE Status message_schema(Schema **ret_schema, Err *err);
/* Is it the message schema, and not a table that happens to have such columns? */
bool message_is(const Schema *schema);

/* One message. A text whose ptr is NULL is NULL; an empty one has a ptr. */
typedef struct Message {
    Str key, value;
    Str headers; /* JSON */
    Str topic;
    bool has_timestamp;
    int64_t timestamp_us;
} Message;

/* Collects messages. Embedded: message_writer_init … message_writer_done. One thread. */
typedef struct MessageWriter {
    Schema *schema;
    Builder builders[MESSAGE_COLUMN_COUNT];
    int64_t rows; /* waiting for take */
} MessageWriter;

/* `budget` may be NULL. */
MUST_USE Status message_writer_init(MessageWriter *writer, Budget *budget, Err *err);
void message_writer_done(MessageWriter *writer);
/* Copies the bytes. After FAIL the writer can only be freed. */
MUST_USE Status message_writer_add(MessageWriter *writer, const Message *message, Err *err);
/* One row as a message: the value is what the encoder makes of it, the key the plain text of `key`
 * (a column as long as the batch, NULL where a row has no key; `key` NULL: none has). The
 * batch has the encoder's schema. `text` is room that is used again. */
MUST_USE Status message_writer_row(MessageWriter *writer, MessageEncoder *encoder,
                                   const Batch *batch, int64_t row, const Column *key, Buf *text,
                                   Err *err);
/* What was collected since the last take (also when that is nothing); span and the like are the
 * caller's. */
MUST_USE Status message_writer_take(MessageWriter *writer, Batch **ret_batch, Err *err);

/* The message of a row; its texts live as long as the batch. */
Message message_at(const Batch *batch, int64_t row);

/* The key of an open row with metadata (engine/expr/expr.h), text or not; STR_NULL: none. */
Str message_open_key(const Batch *batch, int64_t row);

/* Bytes as a JSON value that gives them back whole: a text, or {"@base64": "…"} where they are not
 * UTF-8 or hold a zero byte. For reject batches: the raw text of what could not be read, and keys.
 */
MUST_USE Status message_put_bytes(Str bytes, Buf *out, Err *err);

#endif
