/* Messages as batches of one fixed schema: key, value, headers, timestamp, topic. */
#include "engine/format/message.h"

#include "engine/format/json_portable.h"
#include "engine/format/json_write.h"
#include "foundation/codec/json_writer.h"

/* Tells the schema from a table's that has the same columns. */
#define MESSAGE_NATIVE "neuron message"

static const Field MESSAGE_FIELDS[MESSAGE_COLUMN_COUNT] = {
    [MESSAGE_KEY] = {.name = {"key", 3},
                     .type = TYPE_BYTES,
                     .native = {MESSAGE_NATIVE, (int64_t)sizeof MESSAGE_NATIVE - 1}},
    [MESSAGE_VALUE] = {.name = {"value", 5}, .type = TYPE_BYTES},
    [MESSAGE_HEADERS] = {.name = {"headers", 7}, .type = TYPE_JSON},
    [MESSAGE_TIMESTAMP] = {.name = {"timestamp", 9}, .type = TYPE_TIMESTAMPTZ},
    [MESSAGE_TOPIC] = {.name = {"topic", 5}, .type = TYPE_TEXT},
};

Status message_schema(Schema **ret_schema, Err *err)
{
    return schema_new(MESSAGE_FIELDS, MESSAGE_COLUMN_COUNT, false, ret_schema, err);
}

bool message_is(const Schema *schema)
{
    return schema->count == MESSAGE_COLUMN_COUNT && !schema->open &&
           str_eq(schema->fields[MESSAGE_KEY].native, STR(MESSAGE_NATIVE)) &&
           schema->fields[MESSAGE_VALUE].type == TYPE_BYTES;
}

Status message_writer_init(MessageWriter *writer, Budget *budget, Err *err)
{
    *writer = (MessageWriter){0};
    TRY(message_schema(&writer->schema, err));
    for (int32_t i = 0; i < MESSAGE_COLUMN_COUNT; i++) {
        builder_init(&writer->builders[i], MESSAGE_FIELDS[i].type, budget);
    }
    return OK;
}

void message_writer_done(MessageWriter *writer)
{
    if (!writer->schema) return;
    for (int32_t i = 0; i < MESSAGE_COLUMN_COUNT; i++) builder_done(&writer->builders[i]);
    schema_unref(writer->schema);
    writer->schema = NULL;
}

static Status put_bytes(MessageWriter *writer, MessageColumn column, Str bytes, Err *err)
{
    Builder *builder = &writer->builders[column];
    return bytes.ptr ? builder_text(builder, bytes, err) : builder_null(builder, err);
}

Status message_writer_add(MessageWriter *writer, const Message *message, Err *err)
{
    Builder *timestamp = &writer->builders[MESSAGE_TIMESTAMP];
    TRY(put_bytes(writer, MESSAGE_KEY, message->key, err));
    TRY(put_bytes(writer, MESSAGE_VALUE, message->value, err));
    TRY(put_bytes(writer, MESSAGE_HEADERS, message->headers, err));
    if (message->has_timestamp) TRY(builder_int64(timestamp, message->timestamp_us, err));
    else TRY(builder_null(timestamp, err));
    TRY(put_bytes(writer, MESSAGE_TOPIC, message->topic, err));
    writer->rows++;
    return OK;
}

Status message_writer_row(MessageWriter *writer, MessageEncoder *encoder, const Batch *batch,
                          int64_t row, const Column *key, Buf *text, Err *err)
{
    buf_clear(text);
    TRY(message_encoder_row(encoder, batch, row, text, err));
    int64_t value_len = text->len;
    bool has_key = key && !column_is_null(key, row);
    if (has_key) TRY(json_write_plain(key, row, text, err));
    Message message = {.value = str_make(text->data, value_len)};
    if (has_key) message.key = str_make(text->data + value_len, text->len - value_len);
    return message_writer_add(writer, &message, err);
}

Status message_writer_take(MessageWriter *writer, Batch **ret_batch, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(writer->schema, &batch, err));
    batch->rows = writer->rows;
    for (int32_t i = 0; i < MESSAGE_COLUMN_COUNT; i++) {
        TRY(builder_finish(&writer->builders[i], &batch->columns[i], err));
    }
    writer->rows = 0;
    *ret_batch = TAKE(batch);
    return OK;
}

static Str bytes_at(const Batch *batch, MessageColumn column, int64_t row)
{
    const Column *from = &batch->columns[column];
    return column_is_null(from, row) ? STR_NULL : column_text(from, row);
}

Message message_at(const Batch *batch, int64_t row)
{
    const Column *timestamp = &batch->columns[MESSAGE_TIMESTAMP];
    Message message = {
        .key = bytes_at(batch, MESSAGE_KEY, row),
        .value = bytes_at(batch, MESSAGE_VALUE, row),
        .headers = bytes_at(batch, MESSAGE_HEADERS, row),
        .topic = bytes_at(batch, MESSAGE_TOPIC, row),
        .has_timestamp = !column_is_null(timestamp, row),
    };
    if (message.has_timestamp) message.timestamp_us = column_int64(timestamp)[row];
    return message;
}

Str message_open_key(const Batch *batch, int64_t row)
{
    const Str names[] = {STR("@key"), STR("@key_bytes")};
    for (int32_t i = 0; i < COUNT_OF(names); i++) {
        int32_t at = schema_find(batch->schema, names[i]);
        if (at < 0 || column_is_null(&batch->columns[at], row)) continue;
        return column_text(&batch->columns[at], row);
    }
    return STR_NULL;
}

Status message_put_bytes(Str bytes, Buf *out, Err *err)
{
    if (text_is_portable(bytes)) return json_put_text(out, bytes, err);
    return json_put_base64(out, bytes, err);
}
