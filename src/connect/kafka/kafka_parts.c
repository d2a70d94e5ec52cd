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

bool kafka_parts_reached(KafkaParts *parts)
{
    pthread_mutex_lock(&parts->mutex);
    bool reached = parts->ever;
    for (int32_t i = 0; i < parts->count && reached; i++) {
        const KafkaPart *part = &parts->items[i];
        if (part->assigned) reached = part->reached || part->next >= part->end;
    }
    pthread_mutex_unlock(&parts->mutex);
    return reached;
}
