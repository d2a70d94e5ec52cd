/* Makes messages of rows and hands them to librdkafka, but for those that are known to be refused.
 */
#include "connect/kafka/kafka_produce.h"

#include <stdio.h>

#include "engine/format/json_write.h"
#include "foundation/codec/base64.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/json_writer.h"

enum { PRODUCE_TEXT_MAX = 1 << 30, POLL_EVERY = 512, FULL_WAIT_MS = 10 };

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
    TRY(message_encoder_row(port->encoder, batch, row, &producer->value, err));
    *ret_message = (Message){.value = buf_str(&producer->value)};
    return row_key(producer, port, batch, row, &ret_message->key, err);
}

/* ---- handing over ---- */

static int64_t floor_ms(int64_t us)
{
    return us / 1000 - (us % 1000 < 0);
}

/* One message on its way. */
typedef struct Sending {
    KafkaProducer *producer;
    KafkaTopic *topic;
    Message message;
    rd_kafka_headers_t *headers; /* NULL: none; librdkafka's own once it has the message */
    int64_t header_bytes;
    int64_t bytes; /* of a batch of it alone */
    KafkaOrigin of;
    int64_t number; /* among those that are not answered yet */
} Sending;

static rd_kafka_resp_err_t send_once(const Sending *s)
{
    const Message *message = &s->message;
    rd_kafka_vu_t fields[7];
    size_t count = 0;
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = s->topic->handle};
    fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY};
    fields[count++] =
        (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(intptr_t)s->number};
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
    if (s->headers) {
        fields[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = s->headers};
    }
    rd_kafka_error_t *error = rd_kafka_produceva(s->producer->client.rk, fields, count);
    if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

/* Waits while librdkafka's queue is full: what is in it is delivered or fails in bounded time. What
 * does not fit into an empty one never will. */
static Status send_when_room(const Sending *s, rd_kafka_resp_err_t *ret_code, Err *err)
{
    KafkaProducer *producer = s->producer;
    rd_kafka_t *rk = producer->client.rk;
    for (;;) {
        bool empty = rd_kafka_outq_len(rk) == 0;
        *ret_code = send_once(s);
        if (*ret_code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return OK;
        if (empty) *ret_code = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
        if (empty || producer->doomed) return OK;
        (void)rd_kafka_poll(rk, FULL_WAIT_MS);
        TRY(kafka_producer_check(producer, err));
    }
}

/* A transaction that came to its end by an error takes no message more; the commit says why. */
static Status hand_over(Sending *s, bool *ret_too_large, Err *err)
{
    KafkaProducer *producer = s->producer;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    TRY(kafka_refusals_sent(&producer->refusals, &s->of, s->bytes, &s->number, err));
    Status status = send_when_room(s, &code, err);
    if (status == OK && code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        s->headers = NULL;
        return OK;
    }
    IGNORE(kafka_refusals_answer(&producer->refusals, s->number, RD_KAFKA_RESP_ERR_NO_ERROR, NULL));
    TRY(status);
    *ret_too_large = code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    if (producer->transactional_id && code == RD_KAFKA_RESP_ERR__STATE) producer->doomed = true;
    if (producer->doomed || *ret_too_large) return OK;
    return kafka_client_error(&producer->client, code, rd_kafka_err2str(code),
                              rd_kafka_topic_name(s->topic->handle), err);
}

static Status refuse_row(const Sending *s, int64_t row, const char *sqlstate, const char *text,
                         RejectList *refused, Err *err)
{
    char reason[KAFKA_REASON_MAX + 300];
    (void)snprintf(reason, sizeof reason, "topic %.*s: %s", STR_ARG(s->topic->name), text);
    Reject reject = {.row = row, .kind = ERR_DATA, .position = -1, .reason = str_from(reason)};
    (void)snprintf(reject.sqlstate, sizeof reject.sqlstate, "%s", sqlstate);
    if (refused) return reject_list_add(refused, &reject, err);
    (void)err_set(err, ERR_DATA, "the message of partition %d, offset %lld: %s", (int)s->of.part,
                  (long long)s->of.ordinal, reason);
    return err_hint(err,
                    "let the topic take it, change the message, or name a place for such ones");
}

const char *kafka_refusal_state(rd_kafka_resp_err_t code, bool has_key)
{
    if (code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP) return KAFKA_BAD_TIME;
    if (code == RD_KAFKA_RESP_ERR_INVALID_RECORD && !has_key) return KAFKA_NO_KEY;
    if (code == RD_KAFKA_RESP_ERR_INVALID_RECORD) return "22000";
    return KAFKA_TOO_LARGE;
}

/* What is known against it before it is sent; *ret_refused then. */
static Status check_known(const Sending *s, int64_t row, RejectList *refused, bool *ret_refused,
                          Err *err)
{
    KafkaRefusals *refusals = &s->producer->refusals;
    const char *sqlstate = NULL;
    char text[KAFKA_REASON_MAX];
    rd_kafka_resp_err_t code;
    *ret_refused = true;
    if (kafka_refusals_known(refusals, &s->of, &code)) {
        return refuse_row(s, row, kafka_refusal_state(code, s->message.key.ptr),
                          rd_kafka_err2str(code), refused, err);
    }
    TRY(kafka_limits_check(&s->topic->limits, &s->message, s->bytes, &sqlstate, text, err));
    if (!sqlstate && kafka_refusals_hopeless(refusals, s->bytes)) {
        sqlstate = KAFKA_TOO_LARGE;
        (void)snprintf(text, sizeof text, "a message of %lld bytes: smaller ones were too large",
                       (long long)s->bytes);
    }
    if (sqlstate) return refuse_row(s, row, sqlstate, text, refused, err);
    *ret_refused = false;
    return OK;
}

/* A suspect's group is sent by itself. */
static Status change_group(KafkaProducer *producer, const KafkaOrigin *of, Err *err)
{
    int64_t group = kafka_refusals_group(&producer->refusals, of);
    if (group == producer->group) return OK;
    producer->group = group;
    return kafka_producer_flush(producer, err);
}

static Status send_row(Sending *s, int64_t row, RejectList *refused, Err *err)
{
    KafkaProducer *producer = s->producer;
    bool known = false, too_large = false;
    s->bytes = kafka_message_bytes(&s->message, s->header_bytes);
    TRY(check_known(s, row, refused, &known, err));
    if (known || kafka_refusals_is_there(&producer->refusals, &s->of)) return OK;
    TRY(change_group(producer, &s->of, err));
    if (!producer->doomed) TRY(hand_over(s, &too_large, err));
    if (!too_large) return OK;
    char text[KAFKA_REASON_MAX];
    (void)snprintf(text, sizeof text,
                   "a message of %lld bytes is larger than rdkafka.message.max.bytes (%lld) or "
                   "rdkafka.queue.buffering.max.kbytes",
                   (long long)s->bytes, (long long)producer->message_bytes);
    return refuse_row(s, row, KAFKA_TOO_LARGE, text, refused, err);
}

/* The topic that the message itself names: where there is none, or it may not be written, that
 * costs the message. */
static Status find_topic(Sending *s, int64_t row, RejectList *refused, bool *ret_refused, Err *err)
{
    Err why = {0};
    *ret_refused = false;
    if (!s->message.topic.ptr) return OK;
    if (kafka_producer_topic(s->producer, s->message.topic, &s->topic, &why) == OK) return OK;
    *ret_refused = why.kind == ERR_MISSING || why.kind == ERR_PERMISSION ||
                   why.kind == ERR_CONFIG || why.kind == ERR_LIMIT;
    if (*ret_refused) return refuse_row(s, row, "42P01", why.message, refused, err);
    *err = why;
    return FAIL;
}

static Status write_row(KafkaProducer *producer, const KafkaPort *port, const Batch *batch,
                        int64_t row, RejectList *refused, Err *err)
{
    Sending s = {.producer = producer,
                 .topic = port->topic,
                 .of = {port->number, batch->span.part, batch_ordinal(batch, row)}};
    bool known = false;
    TRY(make_message(producer, port, batch, row, &s.message, err));
    TRY(find_topic(&s, row, refused, &known, err));
    if (known) return OK;
    s.header_bytes = s.message.headers.len;
    if (s.message.headers.ptr) TRY(make_headers(producer, s.message.headers, &s.headers, err));
    Status status = send_row(&s, row, refused, err);
    if (s.headers) rd_kafka_headers_destroy(s.headers);
    return status;
}

Status kafka_producer_write(KafkaProducer *producer, const KafkaPort *port, const Batch *batch,
                            RejectList *refused, Err *err)
{
    for (int64_t row = 0; row < batch->rows && !producer->doomed; row++) {
        TRY(write_row(producer, port, batch, row, refused, err));
        if (++producer->since_poll < POLL_EVERY) continue;
        producer->since_poll = 0;
        (void)rd_kafka_poll(producer->client.rk, 0);
    }
    return kafka_producer_check(producer, err);
}
