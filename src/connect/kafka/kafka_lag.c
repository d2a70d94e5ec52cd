/* How far behind its partitions' ends a consumer is, in messages and in time. */
#include "connect/kafka/kafka_source.h"

#include "foundation/base/clock.h"

/* Where the broker's end is; -1: not known yet. Asks nobody. */
static int64_t part_end(const KafkaSource *self, int32_t partition, const KafkaPart *part)
{
    int64_t low = -1, high = -1;
    rd_kafka_resp_err_t code =
        rd_kafka_get_watermark_offsets(self->client.rk, self->topic.ptr, partition, &low, &high);
    bool known = code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0;
    return int64_max(known ? high : -1, part->end);
}

/* Behind the last message may stand marks of transactions, which are no messages; the broker's
 * saying that there is nothing more tells of them. */
static SourceLag part_lag(const KafkaSource *self, int32_t partition, const KafkaPart *part,
                          int64_t now_us)
{
    SourceLag lag = {.part = partition, .messages = -1, .us = -1};
    int64_t end = part_end(self, partition, part);
    if (end < 0) return lag;
    lag.messages = int64_max(end - int64_max(part->next, part->eof), 0);
    if (lag.messages == 0) lag.us = 0;
    else if (part->last_us > 0) lag.us = int64_max(now_us - part->last_us, 0);
    return lag;
}

static void add_lag(SourceStats *stats, const SourceLag *lag)
{
    if (lag->messages >= 0) stats->lag_messages = int64_max(stats->lag_messages, 0) + lag->messages;
    stats->lag_us = int64_max(stats->lag_us, lag->us);
    if (stats->part_count < SOURCE_LAG_PARTS) stats->parts[stats->part_count++] = *lag;
}

void kafka_source_stats(const Source *source, SourceStats *ret_stats)
{
    KafkaSource *self = (KafkaSource *)(uintptr_t)source;
    int64_t now_us = clock_now_us();
    ret_stats->rebalances = atomic_load(&self->rebalances);
    pthread_mutex_lock(&self->parts.mutex);
    for (int32_t i = 0; i < self->parts.count; i++) {
        const KafkaPart *part = kafka_parts_assigned(&self->parts, i);
        if (!part) continue;
        SourceLag lag = part_lag(self, i, part, now_us);
        add_lag(ret_stats, &lag);
    }
    pthread_mutex_unlock(&self->parts.mutex);
}
