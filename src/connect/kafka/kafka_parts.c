/* The table of partitions. */
#include "connect/kafka/kafka_parts.h"

#include "foundation/base/mem.h"

void kafka_parts_init(KafkaParts *parts)
{
    *parts = (KafkaParts){0};
    pthread_mutex_init(&parts->mutex, NULL);
}

void kafka_parts_done(KafkaParts *parts)
{
    mem_free(parts->items);
    pthread_mutex_destroy(&parts->mutex);
}

Status kafka_parts_at(KafkaParts *parts, int32_t partition, KafkaPart **ret_part, Err *err)
{
    if (partition < 0 || partition >= KAFKA_PARTS_MAX) {
        return err_set(err, ERR_LIMIT, "partition %d: a topic may have %d partitions here",
                       (int)partition, KAFKA_PARTS_MAX);
    }
    if (partition >= parts->count) {
        int32_t count = partition + 1;
        KafkaPart *items = mem_realloc(parts->items, count * (int64_t)sizeof *items);
        if (!items) return err_memory(err);
        for (int32_t i = parts->count; i < count; i++) {
            items[i] = (KafkaPart){.end = -1, .committed = -1};
        }
        parts->items = items;
        parts->count = count;
    }
    *ret_part = &parts->items[partition];
    return OK;
}

KafkaPart *kafka_parts_assigned(KafkaParts *parts, int32_t partition)
{
    if (partition < 0 || partition >= parts->count) return NULL;
    KafkaPart *part = &parts->items[partition];
    return part->assigned ? part : NULL;
}

void kafka_part_begin(KafkaPart *part, int64_t start, int64_t committed, int64_t high,
                      int64_t epoch)
{
    if (part->end < 0) part->end = high;
    part->assigned = true;
    part->fenced = false;
    part->flowing = false;
    part->reached = start >= part->end;
    part->beyond = start > high;
    part->epoch = epoch;
    part->start = part->next = part->read = part->settled = start;
    part->committed = committed;
    part->high = high;
    part->time_us = part->level_us = 0;
}

void kafka_part_read(KafkaPart *part, int64_t offset, int64_t time_us)
{
    part->next = part->read = offset + 1;
    part->beyond = false;
    if (time_us > 0) part->time_us = time_us;
}

void kafka_part_level(KafkaPart *part, int64_t offset, int64_t now_us)
{
    part->flowing = true;
    part->beyond = false;
    part->read = int64_max(part->read, offset);
    part->level_us = now_us;
    if (offset >= part->end) part->reached = true;
}

int64_t kafka_part_lag(const KafkaPart *part, int64_t now_us, int64_t *ret_lag_us)
{
    int64_t done = int64_max(part->settled, part->start);
    if (done >= part->next) done = int64_max(done, part->read);
    int64_t lag = int64_max(part->high - done, 0);
    /* What waits came after the partition was level, and after what was read before it. */
    int64_t since_us = int64_max(part->time_us, part->level_us);
    *ret_lag_us = lag == 0 ? 0 : since_us > 0 ? int64_max(now_us - since_us, 0) : -1;
    return lag;
}

bool kafka_parts_any_fenced(KafkaParts *parts)
{
    bool any = false;
    pthread_mutex_lock(&parts->mutex);
    for (int32_t i = 0; i < parts->count; i++) any |= parts->items[i].fenced;
    pthread_mutex_unlock(&parts->mutex);
    return any;
}

bool kafka_parts_reached(KafkaParts *parts)
{
    pthread_mutex_lock(&parts->mutex);
    bool reached = parts->ever;
    for (int32_t i = 0; i < parts->count && reached; i++) {
        const KafkaPart *part = &parts->items[i];
        if (!part->assigned) continue;
        reached = !part->beyond && (part->reached || part->next >= part->end);
    }
    pthread_mutex_unlock(&parts->mutex);
    return reached;
}
