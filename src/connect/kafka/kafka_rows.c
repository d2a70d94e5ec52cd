/* Builds batches from messages: the row of each, where it came from, what was refused. */
#include "connect/kafka/kafka_rows.h"

#include "engine/format/message.h"
#include "foundation/base/mem.h"
#include "foundation/codec/json_writer.h"

enum { ROWS_TEXT_MAX = 1 << 30 };

/* Fields of the open schema, in its order. */
enum {
    ROW_TOPIC = 1,
    ROW_PARTITION,
    ROW_OFFSET,
    ROW_KEY,
    ROW_TIMESTAMP,
    ROW_HEADERS,
    ROW_KEY_BYTES
};

static const PathSet NO_PATHS;

static const PathSet *paths_of(const SourceReq *req)
{
    return req->open && req->paths ? req->paths : &NO_PATHS;
}

/* A request without `open` wants plain columns; the object as it stands is all that is known. */
static bool with_metadata(const SourceReq *req)
{
    return req->open;
}

Status kafka_rows_schema(const SourceReq *req, Schema **ret_schema, Err *err)
{
    return pathset_schema(paths_of(req), with_metadata(req), ret_schema, err);
}

Status kafka_rows_init(KafkaRows *rows, const SourceReq *req, const MessageCodec *codec, Str topic,
                       Budget *budget, Err *err)
{
    *rows = (KafkaRows){.req = req,
                        .topic = topic,
                        .budget = budget,
                        .key = buf_make(ROWS_TEXT_MAX),
                        .data = buf_make(ROWS_TEXT_MAX),
                        .headers = buf_make(ROWS_TEXT_MAX),
                        .next = -1};
    rows->offsets = mem_array(KAFKA_ROWS_MAX, (int64_t)sizeof *rows->offsets);
    if (!rows->offsets) return err_memory(err);
    TRY(reject_writer_init(&rows->rejects, NULL, 0, err));
    return codec->decoder_new(paths_of(req), with_metadata(req), budget, &rows->decoder, err);
}

void kafka_rows_done(KafkaRows *rows)
{
    message_decoder_free(rows->decoder);
    reject_writer_done(&rows->rejects);
    mem_free(rows->offsets);
    buf_done(&rows->key);
    buf_done(&rows->data);
    buf_done(&rows->headers);
    *rows = (KafkaRows){0};
}

static Str message_value(const rd_kafka_message_t *message)
{
    return str_make(message->payload, (int64_t)message->len);
}

static Str message_key(const rd_kafka_message_t *message)
{
    return str_make(message->key, (int64_t)message->key_len);
}

int64_t kafka_rows_time_us(const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(message, &type);
    bool known = type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && ms >= 0 && ms < INT64_MAX / 1000;
    return known ? ms * 1000 : -1;
}

static Status put_bytes_or_null(Buf *out, Str bytes, Err *err)
{
    return bytes.ptr ? message_put_bytes(bytes, out, err) : buf_append(out, STR("null"), err);
}

/* The headers as one object, in their order, repeated names too; false: the message has none. */
static Status put_headers(Buf *out, const rd_kafka_message_t *message, bool *ret_any, Err *err)
{
    rd_kafka_headers_t *headers = NULL;
    *ret_any = rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR && headers;
    if (!*ret_any) return OK;
    TRY(buf_append_char(out, '{', err));
    const char *name;
    const void *value;
    size_t size;
    for (size_t i = 0;; i++) {
        rd_kafka_resp_err_t code = rd_kafka_header_get_all(headers, i, &name, &value, &size);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) break;
        if (i > 0) TRY(buf_append_char(out, ',', err));
        TRY(json_put_text_lossy(out, str_from(name), err));
        TRY(buf_append_char(out, ':', err));
        TRY(put_bytes_or_null(out, str_make(value, (int64_t)size), err));
    }
    return buf_append_char(out, '}', err);
}

/* ---- rows ---- */

static Status add_headers(KafkaRows *rows, const rd_kafka_message_t *message, Err *err)
{
    bool any = false;
    buf_clear(&rows->headers);
    TRY(put_headers(&rows->headers, message, &any, err));
    Builder *builder = message_decoder_builder(rows->decoder, ROW_HEADERS);
    return any ? builder_text(builder, buf_str(&rows->headers), err) : builder_null(builder, err);
}

/* A key that is not UTF-8 can't be a text: it is there as bytes. */
static Status add_key(MessageDecoder *decoder, Str key, Err *err)
{
    bool text = str_is_utf8(key);
    Builder *full = message_decoder_builder(decoder, text ? ROW_KEY : ROW_KEY_BYTES);
    Builder *empty = message_decoder_builder(decoder, text ? ROW_KEY_BYTES : ROW_KEY);
    TRY(builder_null(empty, err));
    return key.ptr ? builder_text(full, key, err) : builder_null(full, err);
}

static Status add_metadata(KafkaRows *rows, const rd_kafka_message_t *message, Err *err)
{
    MessageDecoder *decoder = rows->decoder;
    TRY(builder_text(message_decoder_builder(decoder, ROW_TOPIC), rows->topic, err));
    TRY(builder_int64(message_decoder_builder(decoder, ROW_PARTITION), message->partition, err));
    TRY(builder_int64(message_decoder_builder(decoder, ROW_OFFSET), message->offset, err));
    TRY(add_key(decoder, message_key(message), err));
    Builder *timestamp = message_decoder_builder(decoder, ROW_TIMESTAMP);
    int64_t time_us = kafka_rows_time_us(message);
    if (time_us >= 0) TRY(builder_int64(timestamp, time_us, err));
    else TRY(builder_null(timestamp, err));
    return add_headers(rows, message, err);
}

/* ---- refused messages ---- */

/* {"topic":…,"partition":…,"offset":…,"key":…,"timestamp":ms,"headers":{…}} */
static Status put_place(KafkaRows *rows, const rd_kafka_message_t *message, Err *err)
{
    Buf *out = &rows->key;
    buf_clear(out);
    TRY(buf_append(out, STR("{\"topic\":"), err));
    TRY(json_put_text(out, rows->topic, err));
    TRY(buf_printf(out, err, ",\"partition\":%d,\"offset\":%lld,\"key\":", (int)message->partition,
                   (long long)message->offset));
    TRY(put_bytes_or_null(out, message_key(message), err));
    int64_t time_us = kafka_rows_time_us(message);
    if (time_us < 0) {
        TRY(buf_append(out, STR(",\"timestamp\":null,\"headers\":"), err));
    } else {
        TRY(buf_printf(out, err, ",\"timestamp\":%lld,\"headers\":", (long long)time_us / 1000));
    }
    bool any = false;
    TRY(put_headers(out, message, &any, err));
    if (!any) TRY(buf_append(out, STR("null"), err));
    return buf_append_char(out, '}', err);
}

static Status refuse(KafkaRows *rows, const rd_kafka_message_t *message, const char *reason,
                     Err *err)
{
    if (!rows->req->rejects) {
        (void)err_set(err, ERR_DATA, "topic %.*s, partition %d, offset %lld: %s",
                      STR_ARG(rows->topic), (int)message->partition, (long long)message->offset,
                      reason);
        return err_hint(err, "fix what sends such messages, or say where rejects go");
    }
    TRY(put_place(rows, message, err));
    buf_clear(&rows->data);
    if (message->payload) TRY(put_bytes_or_null(&rows->data, message_value(message), err));
    RejectRow row = {
        .stage = STR("read"),
        .key = buf_str(&rows->key),
        .reason = str_from(reason),
        .data = buf_str(&rows->data),
        .part = message->partition,
        .row = message->offset,
    };
    return reject_writer_row(&rows->rejects, &row, err);
}

static Status add_value(KafkaRows *rows, const rd_kafka_message_t *message, Err *err)
{
    if (!message->payload) return refuse(rows, message, "a tombstone: no value", err);
    if (message->len == 0) return refuse(rows, message, "the value is empty", err);
    bool taken = false;
    char reason[MESSAGE_REASON_MAX];
    TRY(message_decoder_add(rows->decoder, message_value(message), &taken, reason, err));
    if (!taken) return refuse(rows, message, reason, err);
    rows->offsets[message_decoder_rows(rows->decoder) - 1] = message->offset;
    return with_metadata(rows->req) ? add_metadata(rows, message, err) : OK;
}

Status kafka_rows_add(KafkaRows *rows, const rd_kafka_message_t *message, Err *err)
{
    if (rows->next < 0) rows->first = message->offset;
    TRY(add_value(rows, message, err));
    rows->next = message->offset + 1;
    rows->bytes += (int64_t)(message->len + message->key_len);
    return OK;
}

/* ---- batches ---- */

static void place_batch(const KafkaRows *rows, int32_t partition, int64_t epoch, Batch *batch)
{
    batch->span =
        (Span){.part = partition, .first = rows->first, .next = rows->next, .bytes = rows->bytes};
    batch->epoch = epoch;
    batch->seq = rows->seq;
}

Status kafka_rows_take(KafkaRows *rows, int32_t partition, int64_t epoch, SourceEvent *ret_event,
                       Err *err)
{
    SourceEvent event = {.kind = SOURCE_BATCH, .epoch = epoch};
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    if (message_decoder_rows(rows->decoder) > 0) {
        TRY(message_decoder_finish(rows->decoder, &batch, err));
        place_batch(rows, partition, epoch, batch);
        /* Offsets have gaps where messages were refused, compacted away, or mark a transaction's
         * end.
         */
        TRY(batch_keep_ordinals(batch, rows->offsets, rows->budget, err));
    }
    TRY(reject_writer_take(&rows->rejects, &event.rejects, err));
    if (event.rejects) place_batch(rows, partition, epoch, event.rejects);
    rows->next = -1;
    rows->bytes = 0;
    rows->seq++;
    event.batch = TAKE(batch);
    *ret_event = event;
    return OK;
}

Status kafka_rows_clear(KafkaRows *rows, Err *err)
{
    SourceEvent event = {0};
    TRY(kafka_rows_take(rows, 0, 0, &event, err));
    batch_unref(event.batch);
    batch_unref(event.rejects);
    return OK;
}
