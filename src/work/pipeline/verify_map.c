/* Keys of differing ranges with their rows' hashes: an open-addressing map. */
#include "work/pipeline/verify_map.h"

#include "foundation/base/mem.h"

enum { CAPACITY_FIRST = 1024 };

static bool is_free(const VerifyEntry *entry)
{
    return entry->key.low == 0 && entry->key.high == 0;
}

static VerifyEntry *slot_of(VerifyEntry *entries, int64_t capacity, Hash128 key)
{
    int64_t at = (int64_t)(key.low & (uint64_t)(capacity - 1));
    while (!is_free(&entries[at]) && !hash_128_eq(entries[at].key, key)) {
        at = (at + 1) & (capacity - 1);
    }
    return &entries[at];
}

void verify_map_done(VerifyMap *map)
{
    if (map->budget && map->capacity) {
        budget_release(map->budget, map->capacity * (int64_t)sizeof *map->entries);
    }
    mem_free(map->entries);
    *map = (VerifyMap){0};
}

static Status grow(VerifyMap *map, Err *err)
{
    int64_t capacity = map->capacity ? map->capacity * 2 : CAPACITY_FIRST;
    int64_t bytes = capacity * (int64_t)sizeof *map->entries;
    if (map->budget && !budget_reserve(map->budget, bytes)) {
        (void)err_set(err, ERR_LIMIT, "the differences don't fit into `memory`");
        return err_hint(err, "raise `memory:`, or load everything again: --full-refresh");
    }
    VerifyEntry *entries = mem_zalloc(bytes);
    if (!entries) {
        if (map->budget) budget_release(map->budget, bytes);
        return err_memory(err);
    }
    for (int64_t i = 0; i < map->capacity; i++) {
        if (is_free(&map->entries[i])) continue;
        *slot_of(entries, capacity, map->entries[i].key) = map->entries[i];
    }
    if (map->budget && map->capacity) {
        budget_release(map->budget, map->capacity * (int64_t)sizeof *map->entries);
    }
    mem_free(map->entries);
    map->entries = entries;
    map->capacity = capacity;
    return OK;
}

Status verify_map_put(VerifyMap *map, Hash128 key, VerifyEntry **ret_entry, Err *err)
{
    if ((map->count + 1) * 4 > map->capacity * 3) TRY(grow(map, err));
    VerifyEntry *entry = slot_of(map->entries, map->capacity, key);
    if (is_free(entry)) {
        *entry = (VerifyEntry){.key = key};
        map->count++;
    }
    *ret_entry = entry;
    return OK;
}

VerifyEntry *verify_map_find(const VerifyMap *map, Hash128 key)
{
    if (map->capacity == 0) return NULL;
    VerifyEntry *entry = slot_of(map->entries, map->capacity, key);
    return is_free(entry) ? NULL : entry;
}
