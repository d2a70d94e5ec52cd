/* The last revoked epoch of each part. */
#include "work/flow/flow_dropped.h"

void dropped_add(DroppedEpochs *dropped, const int32_t *parts, int32_t count, int64_t epoch)
{
    pthread_mutex_lock(&dropped->mutex);
    for (int32_t i = 0; i < count; i++) {
        int32_t at = 0;
        while (at < dropped->count && dropped->items[at].part != parts[i]) at++;
        if (at == FLOW_REVOKED_MAX) continue;
        if (at == dropped->count) dropped->count++;
        dropped->items[at] = (DroppedEpoch){parts[i], epoch};
    }
    pthread_mutex_unlock(&dropped->mutex);
}

bool dropped_has(DroppedEpochs *dropped, const FlowItem *item, int64_t generation)
{
    if (item->kind != ITEM_ROWS) return false;
    if (item->generation < generation) return true;
    bool stale = false;
    pthread_mutex_lock(&dropped->mutex);
    for (int32_t i = 0; i < dropped->count && item->has_span; i++) {
        const DroppedEpoch *at = &dropped->items[i];
        stale |= at->part == item->span.part && item->epoch <= at->epoch;
    }
    pthread_mutex_unlock(&dropped->mutex);
    return stale;
}
