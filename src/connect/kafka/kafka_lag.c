/* How far behind its partitions' ends a consumer is, in messages and in time. */
#include "connect/kafka/kafka_source.h"

#include "foundation/base/clock.h"

/* The end as the last fetch saw it; asks nobody. */
static void look_at_end(const KafkaSource *self, int32_t partition, KafkaPart *part)
{
    int64_t low = -1, high = -1;
    rd_kafka_resp_err_t code =
        rd_kafka_get_watermark_offsets(self->client.rk, self->topic.ptr, partition, &low, &high);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) part->high = int64_max(part->high, high);
}

static void add_lag(SourceStats *stats, const SourceLag *lag)
{
    stats->lag_messages += lag->messages;
    if (lag->us < 0 || stats->lag_us < 0) stats->lag_us = -1;
    else stats->lag_us = int64_max(stats->lag_us, lag->us);
    if (stats->part_count < SOURCE_LAG_PARTS) stats->parts[stats->part_count++] = *lag;
}

void kafka_lag_stats(KafkaSource *self, SourceStats *ret_stats)
{
    int64_t now_us = clock_now_us();
    ret_stats->rebalances = atomic_load(&self->rebalances);
    pthread_mutex_lock(&self->parts.mutex);
    if (self->parts.ever) ret_stats->lag_messages = ret_stats->lag_us = 0;
    for (int32_t i = 0; i < self->parts.count; i++) {
        KafkaPart *part = kafka_parts_assigned(&self->parts, i);
        if (!part) continue;
        look_at_end(self, i, part);
        SourceLag lag = {
            .part = i, .read = part->read, .settled = part->settled, .end = part->high};
        lag.messages = kafka_part_lag(part, now_us, &lag.us);
        add_lag(ret_stats, &lag);
    }
    pthread_mutex_unlock(&self->parts.mutex);
}
