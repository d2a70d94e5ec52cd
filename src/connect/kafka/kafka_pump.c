/* Keeps librdkafka's fetcher awake where the version at hand lets it sleep, and the lag true. */
#include "connect/kafka/kafka_source.h"
#include "foundation/base/clock.h"

#define PUMP_NS INT64_C(50000000)
#define LAG_NS INT64_C(1000000000)
enum { VERSION_WITH_BACKOFF = 0x020200ff, PUMP_ASK_MS = 1000 };

/* One assigned partition after the other, so that each leader is asked in turn; -1: none.
 * `after`: only those of which more is known than was read. */
static int32_t next_part(KafkaSource *self, int32_t after, bool behind)
{
    int32_t found = -1;
    pthread_mutex_lock(&self->parts.mutex);
    for (int32_t i = 1; i <= self->parts.count && found < 0; i++) {
        int32_t at = (after + i) % self->parts.count;
        const KafkaPart *part = kafka_parts_assigned(&self->parts, at);
        if (part && (!behind || part->read < part->high)) found = at;
    }
    pthread_mutex_unlock(&self->parts.mutex);
    return found;
}

static bool pump_wait(KafkaPump *pump, bool dozes)
{
    pthread_mutex_lock(&pump->mutex);
    atomic_store(&pump->dozing, dozes);
    int64_t until_ns = clock_mono_ns() + (dozes ? LAG_NS : PUMP_NS);
    if (!pump->stop) (void)thread_cond_wait(&pump->cond, &pump->mutex, until_ns);
    atomic_store(&pump->dozing, false);
    bool go_on = !pump->stop;
    pthread_mutex_unlock(&pump->mutex);
    return go_on;
}

static void ask_end(KafkaSource *self, int32_t number)
{
    int64_t low = 0, high = 0;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(self->client.rk, self->topic.ptr,
                                                                number, &low, &high, PUMP_ASK_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    pthread_mutex_lock(&self->parts.mutex);
    KafkaPart *part = kafka_parts_assigned(&self->parts, number);
    if (part) part->high = int64_max(part->high, high);
    pthread_mutex_unlock(&self->parts.mutex);
}

static void pump_run(void *arg)
{
    KafkaSource *self = arg;
    bool sleepy = rd_kafka_version() < VERSION_WITH_BACKOFF;
    int64_t seen = 0, asked_ns = 0;
    int32_t part = -1;
    bool busy = false;
    while (pump_wait(&self->pump, !sleepy || !busy)) {
        int64_t messages = atomic_load(&self->pump.messages);
        busy = messages != seen;
        seen = messages;
        bool due = sleepy && busy;
        /* Where the sink is slow nothing is fetched, and nobody would see the lag grow. */
        if (!due && clock_mono_ns() - asked_ns < LAG_NS) continue;
        int32_t next = next_part(self, part, !due);
        if (next < 0) continue;
        part = next;
        asked_ns = clock_mono_ns();
        ask_end(self, part);
    }
}

Status kafka_pump_start(KafkaSource *self, Err *err)
{
    return thread_start(&self->pump.thread, "kafka-pump", pump_run, self, err);
}

void kafka_pump_note(KafkaSource *self, int64_t messages)
{
    KafkaPump *pump = &self->pump;
    if (messages == 0) return;
    atomic_fetch_add(&pump->messages, messages);
    if (!atomic_load(&pump->dozing)) return;
    pthread_mutex_lock(&pump->mutex);
    pthread_cond_broadcast(&pump->cond);
    pthread_mutex_unlock(&pump->mutex);
}

void kafka_pump_stop(KafkaSource *self)
{
    pthread_mutex_lock(&self->pump.mutex);
    self->pump.stop = true;
    pthread_cond_broadcast(&self->pump.cond);
    pthread_mutex_unlock(&self->pump.mutex);
    thread_join(&self->pump.thread);
}
