/* Fuzz target: Kafka messages into rows and rejects, whatever value, key and headers somebody
 * sends. Every message becomes a row or a reject, and both can be written out again. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connect/kafka/kafka_rows.h"
#include "engine/expr/expr.h"
#include "engine/format/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES_MAX = 64, HEADERS_MAX = 4 };

/* A message of ours in place of the client library's: the three functions that look into one are
 * defined here, and the program's calls find these. */
typedef struct Message {
    rd_kafka_message_t head;
    char *value, *key;
    char names[HEADERS_MAX][16];
    Str values[HEADERS_MAX];
    size_t header_count;
    int64_t timestamp_ms;
} Message;

rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *message,
                                             rd_kafka_headers_t **ret_headers)
{
    const Message *own = (const Message *)message;
    *ret_headers = (rd_kafka_headers_t *)(uintptr_t)own;
    return own->header_count ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__NOENT;
}

rd_kafka_resp_err_t rd_kafka_header_get_all(const rd_kafka_headers_t *headers, size_t index,
                                            const char **ret_name, const void **ret_value,
                                            size_t *ret_size)
{
    const Message *own = (const Message *)headers;
    if (index >= own->header_count) return RD_KAFKA_RESP_ERR__NOENT;
    *ret_name = own->names[index];
    *ret_value = own->values[index].ptr;
    *ret_size = (size_t)own->values[index].len;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *message,
                                   rd_kafka_timestamp_type_t *ret_type)
{
    const Message *own = (const Message *)message;
    *ret_type =
        own->timestamp_ms < 0 ? RD_KAFKA_TIMESTAMP_NOT_AVAILABLE : RD_KAFKA_TIMESTAMP_CREATE_TIME;
    return own->timestamp_ms;
}

typedef struct Input {
    const uint8_t *at, *end;
} Input;

static uint8_t next_byte(Input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* A length (a byte; 255: two bytes more) and so many bytes, as a copy of their own, so that a read
 * past their end is seen; 254: none at all. */
static char *next_piece(Input *in, size_t *ret_len)
{
    size_t len = next_byte(in);
    *ret_len = 0;
    if (len == 254) return NULL;
    if (len == 255) len = (size_t)next_byte(in) << 8 | next_byte(in);
    if (len > (size_t)(in->end - in->at)) len = (size_t)(in->end - in->at);
    char *piece = malloc(len ? len : 1);
    if (!piece) abort();
    memcpy(piece, in->at, len);
    in->at += len;
    *ret_len = len;
    return piece;
}

static void next_headers(Input *in, Message *message)
{
    message->header_count = next_byte(in) % (HEADERS_MAX + 1);
    for (size_t i = 0; i < message->header_count; i++) {
        size_t len = 0;
        char *name = next_piece(in, &len);
        if (name) memcpy(message->names[i], name, len < 15 ? len : 15);
        free(name);
        char *value = next_piece(in, &len);
        message->values[i] = str_make(value, (int64_t)len);
    }
}

static void message_read(Input *in, int64_t offset, Message *message)
{
    *message = (Message){0};
    message->value = next_piece(in, &message->head.len);
    message->key = next_piece(in, &message->head.key_len);
    message->head.payload = message->value;
    message->head.key = message->key;
    message->head.offset = offset;
    message->timestamp_ms = (int64_t)next_byte(in) * INT64_C(36028797018963967) - 1;
    next_headers(in, message);
}

static void message_done(Message *message)
{
    free(message->value);
    free(message->key);
    for (size_t i = 0; i < message->header_count; i++)
        free((char *)(uintptr_t)message->values[i].ptr);
}

static int64_t batch_written(Batch *batch)
{
    if (!batch) return 0;
    Err err = {0};
    Buf text = buf_make(INT64_C(1) << 30);
    for (int64_t row = 0; row < batch->rows; row++) {
        if (json_write_row(batch, row, &text, &err) != OK) abort();
    }
    int64_t rows = batch->rows;
    buf_done(&text);
    batch_unref(batch);
    return rows;
}

static void run(Input in, const SourceReq *req)
{
    Err err = {0};
    KafkaRows rows;
    if (kafka_rows_init(&rows, req, &message_codec_json, STR("t"), NULL, &err) != OK) abort();
    int64_t count = 0, offset = 0;
    while (in.at < in.end && count < MESSAGES_MAX) {
        Message message;
        message_read(&in, offset, &message);
        if (kafka_rows_add(&rows, &message.head, &err) != OK) abort();
        message_done(&message);
        offset += 1 + (count & 3);
        count++;
    }
    SourceEvent event = {0};
    if (count > 0) {
        if (kafka_rows_take(&rows, 0, 0, &event, &err) != OK) abort();
        assert(batch_written(event.batch) + batch_written(event.rejects) == count);
    }
    kafka_rows_done(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    Err err = {0};
    PathSet paths;
    pathset_init(&paths);
    Schema *open = NULL;
    Expr *expr = NULL;
    static const PathSet NONE;
    if (pathset_schema(&NONE, true, &open, &err) != OK) abort();
    /* Any type: the paths alone count. */
    if (expr_compile(STR("coalesce(a.b::text, c[0]::text, \"odd key\"::text, @key)"), open, &paths,
                     TYPE_COUNT, &expr, &err) != OK)
        abort();
    SourceReq req = {.open = true, .rejects = true, .paths = data[0] & 1 ? &paths : NULL};
    run((Input){data + 1, data + size}, &req);
    expr_free(expr);
    schema_unref(open);
    pathset_done(&paths);
    return 0;
}
