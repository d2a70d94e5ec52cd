/* Makes messages of rows, hands them to librdkafka and counts the ones that were not delivered. */
#include "connect/kafka/kafka_produce.h"

#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/codec/base64.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/json_writer.h"

enum { PRODUCE_TEXT_MAX = 1 << 30, POLL_EVERY = 512, FULL_WAIT_MS = 10, FLUSH_MS = 200 };
enum { MESSAGE_MS = 60000 };
#define DROP_NS INT64_C(5000000000)

void kafka_producer_init(KafkaProducer *producer, KafkaPlace *place)
{
    *producer = (KafkaProducer){.place = place,
                                .value = buf_make(PRODUCE_TEXT_MAX),
                                .key = buf_make(PRODUCE_TEXT_MAX),
                                .text = buf_make(PRODUCE_TEXT_MAX)};
    kafka_client_init(&producer->client, place, producer);
}

void kafka_producer_done(KafkaProducer *producer)
{
    for (int32_t i = 0; i < producer->topic_count; i++) {
        rd_kafka_topic_destroy(producer->topics[i]);
    }
    kafka_client_done(&producer->client);
    buf_done(&producer->value);
    buf_done(&producer->key);
    buf_done(&producer->text);
}

/* ---- start ---- */

static void on_delivery(rd_kafka_t *rk UNUSED, const rd_kafka_message_t *message, void *opaque)
{
    KafkaProducer *producer = ((KafkaClient *)opaque)->owner;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    if (producer->failed++ == 0) producer->failed_code = message->err;
}

Status kafka_producer_start(KafkaProducer *producer, const char *transactional_id,
                            int64_t transaction_ms, Err *err)
{
    char transaction[32], message[32];
    int64_t message_ms = transactional_id ? int64_min(transaction_ms, MESSAGE_MS) : MESSAGE_MS;
    (void)snprintf(transaction, sizeof transaction, "%lld", (long long)transaction_ms);
    (void)snprintf(message, sizeof message, "%lld", (long long)message_ms);
    const KafkaOption options[] = {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"linger.ms", "5"},
        {"batch.size", "1000000"},
        {"batch.num.messages", "10000"},
        {"queue.buffering.max.kbytes", "65536"},
        {"queue.buffering.max.messages", "200000"},
        {"compression.type", "lz4"},
        {"partitioner", "murmur2_random"},
        {"message.timeout.ms", message},
        {"socket.nagle.disable", "true"},
        {"transaction.timeout.ms", transaction},
        {"transactional.id", transactional_id},
    };
    int32_t count = (int32_t)COUNT_OF(options) - (transactional_id ? 0 : 2);
    rd_kafka_conf_t *conf = NULL;
    TRY(kafka_client_conf(&producer->client, options, count, &conf, err));
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    TRY(kafka_client_start(&producer->client, RD_KAFKA_PRODUCER, conf, err));
    return kafka_client_ping(&producer->client, KAFKA_REACH_MS, err);
}

Status kafka_producer_topic(KafkaProducer *producer, Str name, rd_kafka_topic_t **ret_topic,
                            Err *err)
{
    for (int32_t i = 0; i < producer->topic_count; i++) {
        if (!str_eq(str_from(rd_kafka_topic_name(producer->topics[i])), name)) continue;
        *ret_topic = producer->topics[i];
        return OK;
    }
    if (producer->topic_count == KAFKA_TOPICS_MAX) {
        return err_set(err, ERR_LIMIT, "%.*s: messages for more than %d topics",
                       STR_ARG(producer->place->location->text), KAFKA_TOPICS_MAX);
    }
    int32_t partitions = 0;
    TRY(kafka_place_topic(producer->place, name, &name, err));
    TRY(kafka_client_reach(&producer->client, name.ptr, KAFKA_REACH_MS, &partitions, err));
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer->client.rk, name.ptr, NULL);
    if (!topic) {
        rd_kafka_resp_err_t code = rd_kafka_last_error();
        return kafka_client_error(&producer->client, code, rd_kafka_err2str(code), name.ptr, err);
    }
    producer->topics[producer->topic_count++] = topic;
    *ret_topic = topic;
    return OK;
}

/* ---- what becomes of messages ---- */

static Status delivered(KafkaProducer *producer, Err *err)
{
    if (producer->failed == 0) return OK;
    char what[64];
    (void)snprintf(what, sizeof what, "%lld messages were not delivered",
                   (long long)producer->failed);
    return kafka_client_error(&producer->client, producer->failed_code,
                              rd_kafka_err2str(producer->failed_code), what, err);
}

static Status check_cancelled(const KafkaProducer *producer, Err *err)
{
    if (!atomic_load(&producer->cancelled)) return OK;
    return err_set(err, ERR_CANCELLED, "cancelled");
}

void kafka_producer_begin(KafkaProducer *producer)
{
    producer->failed = 0;
    atomic_store(&producer->cancelled, false);
}

Status kafka_producer_flush(KafkaProducer *producer, Err *err)
{
    while (rd_kafka_outq_len(producer->client.rk) > 0) {
        TRY(check_cancelled(producer, err));
        (void)rd_kafka_flush(producer->client.rk, FLUSH_MS);
    }
    return delivered(producer, err);
}

void kafka_producer_drop(KafkaProducer *producer)
{
    rd_kafka_t *rk = producer->client.rk;
    if (!rk) return;
    (void)rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE);
    int64_t deadline_ns = clock_mono_ns() + DROP_NS;
    while (rd_kafka_outq_len(rk) > 0 && clock_mono_ns() < deadline_ns) {
        (void)rd_kafka_flush(rk, FLUSH_MS);
    }
    producer->failed = 0;
}

/* ---- headers ---- */

static Status decode_text(KafkaProducer *producer, const JsonSlot *slot, Str *ret_text, Err *err)
{
    buf_clear(&producer->text);
    TRY(buf_reserve(&producer->text, slot->text.len + 1, err));
    producer->text.len = json_decode(slot->text, producer->text.data);
    *ret_text = buf_str(&producer->text);
    return OK;
}

/* Texts as they are, {"@base64": …} as its bytes, anything else as JSON. */
static Status header_value(KafkaProducer *producer, const JsonSlot *slot, Str *ret_value, Err *err)
{
    *ret_value = slot->text;
    if (slot->kind == JSON_STRING) return decode_text(producer, slot, ret_value, err);
    if (slot->kind != JSON_OBJECT) return OK;
    JsonSlot inner = json_get_key(slot, STR("@base64"));
    if (inner.kind != JSON_STRING) return OK;
    Str text;
    TRY(decode_text(producer, &inner, &text, err));
    CLEANUP(buf_done) Buf bytes = buf_make(PRODUCE_TEXT_MAX);
    TRY(buf_reserve(&bytes, text.len / 4 * 3 + 3, err));
    int64_t len = 0;
    if (!base64_decode(text, (uint8_t *)bytes.data, &len)) return OK;
    buf_clear(&producer->text);
    TRY(buf_append(&producer->text, str_make(bytes.data, len), err));
    *ret_value = buf_str(&producer->text);
    return OK;
}

static Status add_header(KafkaProducer *producer, rd_kafka_headers_t *headers, const JsonSlot *key,
                         const JsonSlot *slot, Err *err)
{
    Str name, value = STR_NULL;
    TRY(decode_text(producer, key, &name, err));
    CLEANUP(buf_done) Buf kept = buf_make(PRODUCE_TEXT_MAX);
    TRY(buf_append(&kept, name, err));
    if (slot->kind != JSON_NULL) TRY(header_value(producer, slot, &value, err));
    bool null = slot->kind == JSON_NULL;
    rd_kafka_resp_err_t code = rd_kafka_header_add(headers, kept.data ? kept.data : "", kept.len,
                                                   null ? NULL : value.ptr, null ? 0 : value.len);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? OK : err_memory(err);
}

static Status make_headers(KafkaProducer *producer, Str json, rd_kafka_headers_t **ret_headers,
                           Err *err)
{
    JsonSlot object, key, slot;
    if (!json_scan(json, &object, NULL) || object.kind != JSON_OBJECT) {
        return err_set(err, ERR_DATA, "the headers of a message are not a JSON object");
    }
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    if (!headers) return err_memory(err);
    JsonIter iter = json_iter(&object);
    while (json_iter_next(&iter, &key, &slot)) {
        if (add_header(producer, headers, &key, &slot, err) == OK) continue;
        rd_kafka_headers_destroy(headers);
        return FAIL;
    }
    *ret_headers = headers;
    return OK;
}

/* ---- rows as messages ---- */

/* A member of an open row's object, as plain text. */
static Status put_member(Str object, Str name, Buf *out, bool *ret_null, Err *err)
{
    JsonStep step = {name, 0, false};
    JsonPath path = {&step, 1};
    JsonSlot member = json_get_path(object, &path);
    *ret_null = member.kind == JSON_MISSING || member.kind == JSON_NULL;
    if (*ret_null) return OK;
    if (member.kind != JSON_STRING) return buf_append(out, member.text, err);
    TRY(buf_reserve(out, member.text.len + 1, err));
    out->len += json_decode(member.text, out->data + out->len);
    return OK;
}

static Status put_key_part(const Batch *batch, int64_t row, Str name, Buf *out, bool *ret_null,
                           Err *err)
{
    int32_t column = schema_find(batch->schema, name);
    if (column < 0) {
        return put_member(column_text(&batch->columns[0], row), name, out, ret_null, err);
    }
    *ret_null = column_is_null(&batch->columns[column], row);
    return *ret_null ? OK : json_write_plain(&batch->columns[column], row, out, err);
}

/* One column: its text, NULL: no key. Several: a JSON array of their texts. */
static Status row_key(KafkaProducer *producer, const KafkaPort *port, const Batch *batch,
                      int64_t row, Str *ret_key, Err *err)
{
    Buf *out = &producer->key;
    bool null = false;
    buf_clear(out);
    *ret_key = STR_NULL;
    if (port->key_count == 0) return OK;
    TRY(buf_reserve(out, 1, err));
    if (port->key_count == 1) {
        TRY(put_key_part(batch, row, port->key[0], out, &null, err));
        if (!null) *ret_key = buf_str(out);
        return OK;
    }
    for (int32_t i = 0; i < port->key_count; i++) {
        buf_clear(&producer->text);
        TRY(put_key_part(batch, row, port->key[i], &producer->text, &null, err));
        TRY(buf_append_char(out, i ? ',' : '[', err));
        if (null) TRY(buf_append(out, STR("null"), err));
        else TRY(json_put_text(out, buf_str(&producer->text), err));
    }
    TRY(buf_append_char(out, ']', err));
    *ret_key = buf_str(out);
    return OK;
}

static Status make_message(KafkaProducer *producer, const KafkaPort *port, const Batch *batch,
                           int64_t row, Message *ret_message, Err *err)
{
    if (port->messages) {
        *ret_message = message_at(batch, row);
        return OK;
    }
    buf_clear(&producer->value);
    TRY(json_encoder_row(port->encoder, batch, row, &producer->value, err));
    *ret_message = (Message){.value = buf_str(&producer->value)};
    return row_key(producer, port, batch, row, &ret_message->key, err);
}

/* ---- handing over ---- */

static int64_t floor_ms(int64_t us)
{
    return us / 1000 - (us % 1000 < 0);
}

static rd_kafka_resp_err_t send_once(rd_kafka_t *rk, rd_kafka_topic_t *topic,
                                     const Message *message, rd_kafka_headers_t *headers)
{
    rd_kafka_vu_t fields[6];
    size_t count = 0;
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY};
    fields[count++] = (rd_kafka_vu_t){
        .vtype = RD_KAFKA_VTYPE_VALUE,
        .u.mem = {(void *)(uintptr_t)message->value.ptr, (size_t)message->value.len}};
    if (message->key.ptr) {
        fields[count++] = (rd_kafka_vu_t){
            .vtype = RD_KAFKA_VTYPE_KEY,
            .u.mem = {(void *)(uintptr_t)message->key.ptr, (size_t)message->key.len}};
    }
    if (message->has_timestamp) {
        fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TIMESTAMP,
                                          .u.i64 = floor_ms(message->timestamp_us)};
    }
    if (headers) {
        fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
    }
    rd_kafka_error_t *error = rd_kafka_produceva(rk, fields, count);
    if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

/* Waits while librdkafka's queue is full: what is in it is delivered or fails in bounded time. */
static Status hand_over(KafkaProducer *producer, rd_kafka_topic_t *topic, const Message *message,
                        rd_kafka_headers_t *headers, bool *ret_too_large, Err *err)
{
    rd_kafka_t *rk = producer->client.rk;
    rd_kafka_resp_err_t code = send_once(rk, topic, message, headers);
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        (void)rd_kafka_poll(rk, FULL_WAIT_MS);
        if (check_cancelled(producer, err) != OK || delivered(producer, err) != OK) break;
        code = send_once(rk, topic, message, headers);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return OK;
    if (headers) rd_kafka_headers_destroy(headers);
    *ret_too_large = code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    if (*ret_too_large) return OK;
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return FAIL;
    return kafka_client_error(&producer->client, code, rd_kafka_err2str(code),
                              rd_kafka_topic_name(topic), err);
}

static Status refuse_row(int64_t row, const Message *message, RejectList *refused, Err *err)
{
    char reason[128];
    (void)snprintf(reason, sizeof reason,
                   "a message of %lld bytes is larger than rdkafka.message.max.bytes",
                   (long long)(message->value.len + message->key.len));
    Reject reject = {.row = row, .kind = ERR_DATA, .position = -1, .reason = str_from(reason)};
    if (refused) return reject_list_add(refused, &reject, err);
    return err_set(err, ERR_DATA, "%s", reason);
}

static Status write_row(KafkaProducer *producer, const KafkaPort *port, const Batch *batch,
                        int64_t row, RejectList *refused, Err *err)
{
    Message message;
    rd_kafka_topic_t *topic = port->topic;
    rd_kafka_headers_t *headers = NULL;
    bool too_large = false;
    TRY(make_message(producer, port, batch, row, &message, err));
    if (message.topic.ptr) TRY(kafka_producer_topic(producer, message.topic, &topic, err));
    if (message.headers.ptr) TRY(make_headers(producer, message.headers, &headers, err));
    TRY(hand_over(producer, topic, &message, headers, &too_large, err));
    return too_large ? refuse_row(row, &message, refused, err) : OK;
}

Status kafka_producer_write(KafkaProducer *producer, const KafkaPort *port, const Batch *batch,
                            RejectList *refused, Err *err)
{
    for (int64_t row = 0; row < batch->rows; row++) {
        TRY(write_row(producer, port, batch, row, refused, err));
        if (++producer->since_poll < POLL_EVERY) continue;
        producer->since_poll = 0;
        (void)rd_kafka_poll(producer->client.rk, 0);
    }
    TRY(check_cancelled(producer, err));
    return delivered(producer, err);
}
