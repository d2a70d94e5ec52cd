/* Parts that were taken over, and what a cycle moves of them. */
#include "connect/sink_parts.h"

#include "foundation/base/mem.h"
#include "foundation/base/number.h"

void sink_parts_done(SinkParts *parts)
{
    mem_free(parts->items);
    *parts = (SinkParts){0};
}

/* The first index whose part is not below `part`. */
static int32_t part_index(const SinkParts *parts, int32_t part)
{
    int32_t low = 0, high = parts->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (parts->items[middle].part < part) low = middle + 1;
        else high = middle;
    }
    return low;
}

SinkPart *sink_parts_find(const SinkParts *parts, int32_t part)
{
    int32_t at = part_index(parts, part);
    return at < parts->count && parts->items[at].part == part ? &parts->items[at] : NULL;
}

bool sink_parts_hold(const SinkParts *parts, int32_t part)
{
    const SinkPart *found = sink_parts_find(parts, part);
    return found && found->held;
}

Status sink_parts_put(SinkParts *parts, int32_t part, int64_t next, int64_t fence, Err *err)
{
    int32_t at = part_index(parts, part);
    if (at == parts->count || parts->items[at].part != part) {
        if (parts->count == parts->capacity) {
            int32_t capacity = parts->capacity ? parts->capacity * 2 : 8;
            SinkPart *items = mem_realloc(parts->items, (int64_t)capacity * (int64_t)sizeof *items);
            if (!items) return err_memory(err);
            parts->items = items;
            parts->capacity = capacity;
        }
        SinkPart *to = parts->items + at;
        memmove(to + 1, to, (size_t)(parts->count - at) * sizeof *to);
        parts->count++;
    }
    parts->items[at] =
        (SinkPart){.part = part, .next = next, .fence = fence, .moves = -1, .held = true};
    return OK;
}

bool sink_parts_move(SinkParts *parts, const Position *from, const Position *position)
{
    bool held = true;
    sink_parts_end(parts, false);
    for (int32_t i = 0; i < position->count; i++) {
        const PartPosition *at = &position->parts[i];
        SinkPart *part = sink_parts_find(parts, at->part);
        if (at->next == (part ? part->next : -1)) continue;
        if (part) part->held &= position_next(from, at->part) == part->next;
        held &= part && part->held;
        if (!part) continue;
        part->moves = at->next;
        parts->moving++;
    }
    return held;
}

void sink_parts_end(SinkParts *parts, bool committed)
{
    for (int32_t i = 0; i < parts->count && parts->moving > 0; i++) {
        SinkPart *part = &parts->items[i];
        if (part->moves < 0) continue;
        if (committed) part->next = part->moves;
        part->moves = -1;
        parts->moving--;
    }
}
