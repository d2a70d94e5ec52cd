/* An open-addressing set of 128-bit hashes, charged to a budget. */
#include "work/step/dedupe_set.h"

#include "foundation/base/mem.h"

enum { DEDUPE_SET_MIN = 4096 };

void dedupe_set_init(DedupeSet *set, bool with_rows, Budget *budget)
{
    *set = (DedupeSet){.with_rows = with_rows, .budget = budget};
}

static int64_t slots_bytes(const DedupeSet *set, int64_t capacity)
{
    return capacity * (int64_t)(sizeof(Hash128) + (set->with_rows ? sizeof(int64_t) : 0));
}

void dedupe_set_done(DedupeSet *set)
{
    if (set->budget) budget_release(set->budget, slots_bytes(set, set->capacity));
    mem_free(set->slots);
    mem_free(set->rows);
    dedupe_set_init(set, set->with_rows, set->budget);
}

void dedupe_set_clear(DedupeSet *set)
{
    if (set->slots) memset(set->slots, 0, (size_t)set->capacity * sizeof *set->slots);
    set->count = 0;
}

/* {0,0} marks a free slot, so that one hash stands in for another: 2^-128 either way. */
static Hash128 hash_of(Hash128 hash)
{
    if (hash.low == 0 && hash.high == 0) hash.low = 1;
    return hash;
}

/* The slot that holds the hash, or the free one where it belongs. */
static int64_t slot_find(const DedupeSet *set, Hash128 hash)
{
    int64_t mask = set->capacity - 1;
    int64_t slot = (int64_t)(hash.low & (uint64_t)mask);
    while (set->slots[slot].low | set->slots[slot].high) {
        if (hash_128_eq(set->slots[slot], hash)) return slot;
        slot = (slot + 1) & mask;
    }
    return slot;
}

static Status grow(DedupeSet *set, int64_t capacity, Err *err)
{
    DedupeSet bigger = *set;
    bigger.capacity = capacity;
    bigger.slots = mem_array(capacity, (int64_t)sizeof *bigger.slots);
    bigger.rows = set->with_rows ? mem_array(capacity, (int64_t)sizeof *bigger.rows) : NULL;
    if (!bigger.slots || (set->with_rows && !bigger.rows)) {
        mem_free(bigger.slots);
        mem_free(bigger.rows);
        return err_memory(err);
    }
    for (int64_t i = 0; i < set->capacity; i++) {
        if (!(set->slots[i].low | set->slots[i].high)) continue;
        int64_t slot = slot_find(&bigger, set->slots[i]);
        bigger.slots[slot] = set->slots[i];
        if (set->with_rows) bigger.rows[slot] = set->rows[i];
    }
    mem_free(set->slots);
    mem_free(set->rows);
    *set = bigger;
    return OK;
}

Status dedupe_set_reserve(DedupeSet *set, int64_t more, bool *ret_fits, Err *err)
{
    int64_t capacity = int64_max(set->capacity, DEDUPE_SET_MIN);
    while ((set->count + more) * 4 > capacity * 3) capacity *= 2;
    *ret_fits = true;
    if (capacity == set->capacity) return OK;
    /* The old and the new slots live side by side for a moment. */
    if (set->budget && !budget_reserve(set->budget, slots_bytes(set, capacity))) {
        *ret_fits = false;
        return OK;
    }
    int64_t old = slots_bytes(set, set->capacity);
    Status status = grow(set, capacity, err);
    if (set->budget) {
        budget_release(set->budget, status == OK ? old : slots_bytes(set, capacity));
    }
    return status;
}

bool dedupe_set_add(DedupeSet *set, Hash128 hash)
{
    hash = hash_of(hash);
    int64_t slot = slot_find(set, hash);
    if (set->slots[slot].low | set->slots[slot].high) return false;
    set->slots[slot] = hash;
    set->count++;
    return true;
}

void dedupe_set_put(DedupeSet *set, Hash128 hash, int64_t row)
{
    hash = hash_of(hash);
    int64_t slot = slot_find(set, hash);
    if (!(set->slots[slot].low | set->slots[slot].high)) set->count++;
    set->slots[slot] = hash;
    set->rows[slot] = row;
}

bool dedupe_set_has(const DedupeSet *set, Hash128 hash)
{
    if (set->count == 0) return false;
    hash = hash_of(hash);
    int64_t slot = slot_find(set, hash);
    return (set->slots[slot].low | set->slots[slot].high) != 0;
}
