/* What a topic takes, by its configuration. */
#include "connect/kafka/kafka_limits.h"

#include <stdio.h>
#include <stdlib.h>

#include "foundation/base/clock.h"
#include "foundation/codec/compress.h"

/* A batch's head, and what a record has beside its key, value and headers at most. */
enum { BATCH_HEAD_BYTES = 61, RECORD_BYTES = 26, COMPRESSED_MAX = 1 << 30 };

/* ---- asking ---- */

static void take_entry(const char *name, const char *value, KafkaLimits *limits)
{
    if (strcmp(name, "max.message.bytes") == 0) {
        limits->max_bytes = strtoll(value, NULL, 10);
        limits->known = limits->max_bytes > 0;
    }
    if (strcmp(name, "cleanup.policy") == 0) limits->keyed = strstr(value, "compact") != NULL;
    bool before = strcmp(name, "message.timestamp.before.max.ms") == 0;
    if (before) limits->before_ms = strtoll(value, NULL, 10);
    bool after = strcmp(name, "message.timestamp.after.max.ms") == 0;
    if (after) limits->after_ms = strtoll(value, NULL, 10);
}

/* A topic that keeps the broker's time takes a message of any. */
static void take_config(const rd_kafka_ConfigResource_t *resource, KafkaLimits *limits)
{
    size_t count = 0;
    bool own_time = false;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (!value) continue;
        take_entry(name, value, limits);
        bool type = strcmp(name, "message.timestamp.type") == 0;
        own_time |= type && strcmp(value, "LogAppendTime") == 0;
    }
    if (own_time) limits->before_ms = limits->after_ms = -1;
}

static void take_event(rd_kafka_event_t *event, KafkaLimits *limits)
{
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    size_t count = 0;
    if (!result || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(result, &count);
    if (count != 1) return;
    if (rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    take_config(resources[0], limits);
}

static void ask(KafkaClient *client, rd_kafka_ConfigResource_t *resource, KafkaLimits *limits)
{
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
    char text[512];
    bool ready = options && queue &&
                 rd_kafka_AdminOptions_set_request_timeout(
                     options, KAFKA_LIMITS_MS, text, sizeof text) == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (ready) {
        rd_kafka_DescribeConfigs(client->rk, &resource, 1, options, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_LIMITS_MS + 1000);
        if (event) take_event(event, limits);
        if (event) rd_kafka_event_destroy(event);
    }
    if (queue) rd_kafka_queue_destroy(queue);
    if (options) rd_kafka_AdminOptions_destroy(options);
}

void kafka_limits_ask(KafkaClient *client, const char *topic, KafkaLimits *ret_limits)
{
    *ret_limits = (KafkaLimits){.before_ms = -1, .after_ms = -1};
    if (client->place->embedded) return; /* it doesn't know the question */
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    if (!resource) return;
    ask(client, resource, ret_limits);
    rd_kafka_ConfigResource_destroy(resource);
}

/* ---- comparing ---- */

int64_t kafka_message_bytes(const Message *message, int64_t header_bytes)
{
    return BATCH_HEAD_BYTES + RECORD_BYTES + message->key.len + message->value.len + header_bytes;
}

/* zstd makes a batch smaller than the other codecs do: what is too large even so is not tried. */
static Status compresses(const Message *message, int64_t max_bytes, bool *ret_fits, Err *err)
{
    CLEANUP(compressor_free_p) Compressor *compressor = NULL;
    CLEANUP(buf_done) Buf out = buf_make(COMPRESSED_MAX);
    TRY(compressor_new(STR("zst"), &compressor, err));
    TRY(compressor_write(compressor, message->key, false, &out, err));
    TRY(compressor_write(compressor, message->value, true, &out, err));
    *ret_fits = out.len <= max_bytes;
    return OK;
}

static bool time_fits(const KafkaLimits *limits, const Message *message)
{
    if (!message->has_timestamp) return true;
    int64_t ahead_ms = message->timestamp_us / 1000 - clock_now_us() / 1000;
    if (limits->after_ms >= 0 && ahead_ms > limits->after_ms) return false;
    return limits->before_ms < 0 || -ahead_ms <= limits->before_ms;
}

Status kafka_limits_check(const KafkaLimits *limits, const Message *message, int64_t bytes,
                          const char **ret_sqlstate, char ret_reason[KAFKA_REASON_MAX], Err *err)
{
    bool fits = true;
    *ret_sqlstate = NULL;
    if (!limits->known) return OK;
    if (bytes > limits->max_bytes) TRY(compresses(message, limits->max_bytes, &fits, err));
    if (!fits) {
        *ret_sqlstate = KAFKA_TOO_LARGE;
        (void)snprintf(
            ret_reason, KAFKA_REASON_MAX,
            "a message of %lld bytes is too large for the topic's max.message.bytes (%lld)",
            (long long)bytes, (long long)limits->max_bytes);
    } else if (limits->keyed && !message->key.ptr) {
        *ret_sqlstate = KAFKA_NO_KEY;
        (void)snprintf(ret_reason, KAFKA_REASON_MAX,
                       "a compacted topic takes no message without a key");
    } else if (!time_fits(limits, message)) {
        *ret_sqlstate = KAFKA_BAD_TIME;
        (void)snprintf(ret_reason, KAFKA_REASON_MAX,
                       "the message's time is further from now than the topic's "
                       "message.timestamp.before.max.ms and after.max.ms allow");
    }
    return OK;
}
