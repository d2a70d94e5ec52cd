/* The producer: connected with batches and messages that its topics take, and what was delivered.
 */
#include <stdio.h>

#include "connect/kafka/kafka_produce.h"
#include "foundation/base/clock.h"
#include "foundation/base/number.h"

enum { PRODUCE_TEXT_MAX = 1 << 30, FLUSH_MS = 200, MESSAGE_MS = 60000 };
/* Kafka's default for topics; below the largest batch that it takes, so that any batch fits. */
enum { MESSAGE_BYTES = 1048588, BATCH_BYTES = 1000000, MESSAGE_BYTES_MAX = 1000000000 };
#define ANSWERS_NS INT64_C(1000000000)
#define DROP_NS INT64_C(5000000000)

void kafka_producer_init(KafkaProducer *producer, KafkaPlace *place)
{
    *producer = (KafkaProducer){.place = place,
                                .message_bytes = MESSAGE_BYTES,
                                .batch_bytes = BATCH_BYTES,
                                .value = buf_make(PRODUCE_TEXT_MAX),
                                .key = buf_make(PRODUCE_TEXT_MAX),
                                .text = buf_make(PRODUCE_TEXT_MAX)};
    kafka_refusals_init(&producer->refusals);
    kafka_client_init(&producer->client, place, producer);
}

static void drop_handles(KafkaProducer *producer)
{
    for (int32_t i = 0; i < producer->topic_count; i++) {
        if (producer->topics[i].handle) rd_kafka_topic_destroy(producer->topics[i].handle);
        producer->topics[i].handle = NULL;
    }
}

bool kafka_producer_done(KafkaProducer *producer)
{
    drop_handles(producer);
    if (!kafka_client_done(&producer->client)) return false;
    kafka_refusals_done(&producer->refusals);
    buf_done(&producer->value);
    buf_done(&producer->key);
    buf_done(&producer->text);
    return true;
}

/* ---- start ---- */

static bool was_purged(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

static void on_delivery(rd_kafka_t *rk UNUSED, const rd_kafka_message_t *message, void *opaque)
{
    KafkaProducer *producer = ((KafkaClient *)opaque)->owner;
    rd_kafka_resp_err_t code = message->err;
    bool own = kafka_refusal_is_of_message(code);
    int64_t number = (int64_t)(intptr_t)message->_private;
    bool stays = code == RD_KAFKA_RESP_ERR_NO_ERROR && producer->keeps_delivered;
    Err ignored = {0}; /* without room for it the refusal counts as a failure */
    if (stays) IGNORE(kafka_refusals_delivered(&producer->refusals, number, &ignored));
    Status status = kafka_refusals_answer(&producer->refusals, number,
                                          own ? code : RD_KAFKA_RESP_ERR_NO_ERROR, &ignored);
    if (own && producer->transactional_id) producer->doomed = true;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || was_purged(code) || (own && status == OK)) return;
    if (producer->failures.count++ > 0) return;
    producer->failures.code = code;
    (void)snprintf(producer->failures.topic, sizeof producer->failures.topic, "%s",
                   rd_kafka_topic_name(message->rkt));
}

static Status set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, Err *err)
{
    char text[32], why[256];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    if (rd_kafka_conf_set(conf, name, text, why, sizeof why) == RD_KAFKA_CONF_OK) return OK;
    return err_set(err, ERR_CONFIG, "librdkafka: %s", why);
}

static Status connect_producer(KafkaProducer *producer, Err *err)
{
    char transaction[32], message[32];
    const char *id = producer->transactional_id;
    int64_t message_ms = id ? int64_min(producer->transaction_ms, MESSAGE_MS) : MESSAGE_MS;
    (void)snprintf(transaction, sizeof transaction, "%lld", (long long)producer->transaction_ms);
    (void)snprintf(message, sizeof message, "%lld", (long long)message_ms);
    const KafkaOption options[] = {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"linger.ms", "5"},
        {"batch.num.messages", "10000"},
        {"queue.buffering.max.kbytes", "65536"},
        {"queue.buffering.max.messages", "200000"},
        {"compression.type", "lz4"},
        {"partitioner", "murmur2_random"},
        {"message.timeout.ms", message},
        {"socket.nagle.disable", "true"},
        {"transaction.timeout.ms", transaction},
        {"transactional.id", id},
    };
    int32_t count = (int32_t)COUNT_OF(options) - (id ? 0 : 2);
    rd_kafka_conf_t *conf = NULL;
    TRY(kafka_client_conf(&producer->client, options, count, &conf, err));
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    Status status = set_number(conf, "message.max.bytes", producer->message_bytes, err);
    if (status == OK) status = set_number(conf, "batch.size", producer->batch_bytes, err);
    if (status != OK) {
        rd_kafka_conf_destroy(conf);
        return FAIL;
    }
    TRY(kafka_client_start(&producer->client, RD_KAFKA_PRODUCER, conf, err));
    return kafka_client_ping(&producer->client, KAFKA_REACH_MS, err);
}

static void disconnect(KafkaProducer *producer)
{
    drop_handles(producer);
    kafka_client_free_handle(&producer->client);
}

/* What the topics take, as far as they are there and say so. True: it is not what we began with. */
static Status fit_topics(KafkaProducer *producer, const Str *topics, int32_t count, bool *ret_other,
                         Err *err)
{
    int64_t message_bytes = producer->message_bytes, batch_bytes = producer->batch_bytes;
    for (int32_t i = 0; i < count; i++) {
        Str name;
        KafkaLimits limits;
        if (topics[i].len == 0) continue;
        TRY(kafka_place_topic(producer->place, topics[i], &name, err));
        kafka_limits_ask(&producer->client, name.ptr, &limits);
        if (!limits.known) continue;
        if (!producer->bytes_set) message_bytes = int64_max(message_bytes, limits.max_bytes);
        batch_bytes = int64_min(batch_bytes, limits.max_bytes);
    }
    *ret_other = message_bytes != producer->message_bytes || batch_bytes != producer->batch_bytes;
    producer->message_bytes = int64_min(message_bytes, MESSAGE_BYTES_MAX);
    producer->batch_bytes = int64_max(batch_bytes, 1);
    return OK;
}

/* The user's own numbers are where ours begin. */
static void take_options(KafkaProducer *producer)
{
    const Location *location = producer->place->location;
    int64_t value = 0;
    Str message = location_option(location, STR("rdkafka.message.max.bytes"));
    Str batch = location_option(location, STR("rdkafka.batch.size"));
    producer->bytes_set = number_parse_int64(message, &value) == NUMBER_OK && value > 0;
    if (producer->bytes_set) producer->message_bytes = value;
    bool size = number_parse_int64(batch, &value) == NUMBER_OK && value > 0;
    if (size) producer->batch_bytes = value;
}

Status kafka_producer_start(KafkaProducer *producer, const char *transactional_id,
                            int64_t transaction_ms, const Str *topics, int32_t topic_count,
                            Err *err)
{
    bool other = false;
    producer->transactional_id = transactional_id;
    producer->transaction_ms = transaction_ms;
    take_options(producer);
    TRY(connect_producer(producer, err));
    TRY(fit_topics(producer, topics, topic_count, &other, err));
    return other ? kafka_producer_restart(producer, producer->batch_bytes, err) : OK;
}

static Status open_topic(KafkaProducer *producer, KafkaTopic *topic, Err *err)
{
    topic->handle = rd_kafka_topic_new(producer->client.rk, topic->name.ptr, NULL);
    if (topic->handle) return OK;
    rd_kafka_resp_err_t code = rd_kafka_last_error();
    return kafka_client_error(&producer->client, code, rd_kafka_err2str(code), topic->name.ptr,
                              err);
}

Status kafka_producer_restart(KafkaProducer *producer, int64_t batch_bytes, Err *err)
{
    disconnect(producer);
    kafka_refusals_unanswered(&producer->refusals);
    producer->batch_bytes = batch_bytes;
    TRY(connect_producer(producer, err));
    for (int32_t i = 0; i < producer->topic_count; i++) {
        KafkaTopic *topic = &producer->topics[i];
        TRY(open_topic(producer, topic, err));
        kafka_limits_ask(&producer->client, topic->name.ptr, &topic->limits);
    }
    return OK;
}

Status kafka_producer_topic(KafkaProducer *producer, Str name, KafkaTopic **ret_topic, Err *err)
{
    for (int32_t i = 0; i < producer->topic_count; i++) {
        if (!str_eq(producer->topics[i].name, name)) continue;
        *ret_topic = &producer->topics[i];
        return OK;
    }
    if (producer->topic_count == KAFKA_TOPICS_MAX) {
        return err_set(err, ERR_LIMIT, "%.*s: messages for more than %d topics",
                       STR_ARG(producer->place->location->text), KAFKA_TOPICS_MAX);
    }
    int32_t partitions = 0;
    KafkaTopic topic = {0};
    TRY(kafka_place_topic(producer->place, name, &topic.name, err));
    TRY(kafka_client_reach(&producer->client, topic.name.ptr, KAFKA_REACH_MS, &partitions, err));
    kafka_limits_ask(&producer->client, topic.name.ptr, &topic.limits);
    TRY(open_topic(producer, &topic, err));
    *ret_topic = &producer->topics[producer->topic_count++];
    **ret_topic = topic;
    return OK;
}

/* ---- what becomes of messages ---- */

static Status delivered(KafkaProducer *producer, Err *err)
{
    if (producer->failures.count == 0) return OK;
    char what[320];
    (void)snprintf(what, sizeof what, "topic %s: %lld messages were not delivered",
                   producer->failures.topic, (long long)producer->failures.count);
    return kafka_client_error(&producer->client, producer->failures.code,
                              rd_kafka_err2str(producer->failures.code), what, err);
}

Status kafka_producer_refused(KafkaProducer *producer, Err *err)
{
    if (producer->refusals.failed_count == 0) return OK;
    const KafkaSent *first = &producer->refusals.failed[0];
    char what[128];
    (void)snprintf(what, sizeof what, "the message of partition %d, offset %lld",
                   (int)first->of.part, (long long)first->of.ordinal);
    return kafka_client_error(&producer->client, first->code, rd_kafka_err2str(first->code), what,
                              err);
}

Status kafka_producer_check(KafkaProducer *producer, Err *err)
{
    if (atomic_load(&producer->cancelled)) return err_set(err, ERR_CANCELLED, "cancelled");
    return delivered(producer, err);
}

void kafka_producer_begin(KafkaProducer *producer)
{
    producer->failures.count = 0;
    producer->doomed = false;
    producer->group = 0;
    kafka_refusals_begin(&producer->refusals);
    atomic_store(&producer->cancelled, false);
}

Status kafka_producer_flush(KafkaProducer *producer, Err *err)
{
    while (rd_kafka_outq_len(producer->client.rk) > 0) {
        if (atomic_load(&producer->cancelled)) return err_set(err, ERR_CANCELLED, "cancelled");
        (void)rd_kafka_flush(producer->client.rk, FLUSH_MS);
    }
    return kafka_producer_check(producer, err);
}

void kafka_producer_answers(KafkaProducer *producer)
{
    int64_t deadline_ns = clock_mono_ns() + ANSWERS_NS;
    while (producer->refusals.failed_count == 0 && clock_mono_ns() < deadline_ns) {
        (void)rd_kafka_poll(producer->client.rk, 10);
    }
}

bool kafka_producer_drop(KafkaProducer *producer)
{
    rd_kafka_t *rk = producer->client.rk;
    if (!rk) return true;
    (void)rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE);
    int64_t deadline_ns = clock_mono_ns() + DROP_NS;
    while (rd_kafka_outq_len(rk) > 0 && clock_mono_ns() < deadline_ns) {
        (void)rd_kafka_flush(rk, FLUSH_MS);
    }
    producer->failures.count = 0;
    return rd_kafka_outq_len(rk) == 0;
}
