/* Keeps librdkafka's fetcher awake where the version at hand lets it sleep. */
#include "connect/kafka/kafka_source.h"
#include "foundation/base/clock.h"

#define PUMP_NS INT64_C(50000000)
enum { VERSION_WITH_BACKOFF = 0x020200ff, PUMP_ASK_MS = 1000 };

/* One assigned partition after the other, so that each leader is asked in turn; -1: none. */
static int32_t next_part(KafkaSource *self, int32_t after)
{
    int32_t found = -1;
    pthread_mutex_lock(&self->parts.mutex);
    for (int32_t i = 1; i <= self->parts.count && found < 0; i++) {
        int32_t at = (after + i) % self->parts.count;
        if (kafka_parts_assigned(&self->parts, at)) found = at;
    }
    pthread_mutex_unlock(&self->parts.mutex);
    return found;
}

static bool pump_wait(KafkaPump *pump)
{
    pthread_mutex_lock(&pump->mutex);
    if (!pump->stop) (void)thread_cond_wait(&pump->cond, &pump->mutex, clock_mono_ns() + PUMP_NS);
    bool go_on = !pump->stop;
    pthread_mutex_unlock(&pump->mutex);
    return go_on;
}

static void pump_run(void *arg)
{
    KafkaSource *self = arg;
    int64_t seen = 0;
    int32_t part = -1;
    while (pump_wait(&self->pump)) {
        int64_t messages = atomic_load(&self->pump.messages);
        bool busy = messages != seen;
        seen = messages;
        part = busy ? next_part(self, part) : part;
        if (!busy || part < 0) continue;
        int64_t low, high;
        /* The answer doesn't matter, the question does. */
        (void)rd_kafka_query_watermark_offsets(self->client.rk, self->topic.ptr, part, &low, &high,
                                               PUMP_ASK_MS);
    }
}

Status kafka_pump_start(KafkaSource *self, Err *err)
{
    if (rd_kafka_version() >= VERSION_WITH_BACKOFF) return OK;
    return thread_start(&self->pump.thread, "kafka-pump", pump_run, self, err);
}

void kafka_pump_stop(KafkaSource *self)
{
    pthread_mutex_lock(&self->pump.mutex);
    self->pump.stop = true;
    pthread_cond_broadcast(&self->pump.cond);
    pthread_mutex_unlock(&self->pump.mutex);
    thread_join(&self->pump.thread);
}
