/* A set of values by their hashes, for reference lists of any type. */
#include "work/quality/value_set.h"

#include "engine/expr/row_encode.h"
#include "foundation/base/mem.h"

enum { VALUE_SET_MIN = 1024 };

struct ValueSet {
    Hash128 *slots; /* {0,0} is free */
    int64_t capacity, count;
    Budget *budget;
};

Status value_set_new(Budget *budget, ValueSet **ret_set, Err *err)
{
    ValueSet *set = mem_zalloc((int64_t)sizeof *set);
    if (!set) return err_memory(err);
    set->budget = budget;
    *ret_set = set;
    return OK;
}

static void slots_free(ValueSet *set)
{
    if (set->budget) budget_release(set->budget, set->capacity * (int64_t)sizeof *set->slots);
    mem_free(set->slots);
}

void value_set_free(ValueSet *set)
{
    if (!set) return;
    slots_free(set);
    mem_free(set);
}

static int64_t slot_of(const ValueSet *set, Hash128 hash)
{
    int64_t slot = (int64_t)(hash.low & (uint64_t)(set->capacity - 1));
    while ((set->slots[slot].low | set->slots[slot].high) && !hash_128_eq(set->slots[slot], hash)) {
        slot = (slot + 1) & (set->capacity - 1);
    }
    return slot;
}

static Status grow(ValueSet *set, Err *err)
{
    ValueSet bigger = *set;
    bigger.capacity = int64_max(VALUE_SET_MIN, set->capacity * 2);
    int64_t bytes = bigger.capacity * (int64_t)sizeof *bigger.slots;
    if (set->budget && !budget_reserve(set->budget, bytes)) {
        (void)err_set(err, ERR_LIMIT, "the reference values don't fit into the memory budget");
        return err_hint(err, "raise `memory:`");
    }
    bigger.slots = mem_array(bigger.capacity, (int64_t)sizeof *bigger.slots);
    if (!bigger.slots) {
        if (set->budget) budget_release(set->budget, bytes);
        return err_memory(err);
    }
    for (int64_t i = 0; i < set->capacity; i++) {
        if (!(set->slots[i].low | set->slots[i].high)) continue;
        bigger.slots[slot_of(&bigger, set->slots[i])] = set->slots[i];
    }
    slots_free(set);
    *set = bigger;
    return OK;
}

static Status hash_value(Buf *text, const Column *column, int64_t row, Hash128 *ret, Err *err)
{
    buf_clear(text);
    TRY(encode_column(text, column, row, err));
    Hash128 hash = hash_128(buf_str(text));
    if (!(hash.low | hash.high)) hash.low = 1;
    *ret = hash;
    return OK;
}

Status value_set_add(ValueSet *set, const Column *column, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(INT64_C(1) << 32);
    for (int64_t row = 0; row < column->length; row++) {
        if (column_is_null(column, row)) continue;
        Hash128 hash;
        TRY(hash_value(&text, column, row, &hash, err));
        if ((set->count + 1) * 4 > set->capacity * 3) TRY(grow(set, err));
        int64_t slot = slot_of(set, hash);
        if (set->slots[slot].low | set->slots[slot].high) continue;
        set->slots[slot] = hash;
        set->count++;
    }
    return OK;
}

Status value_set_lacks(const ValueSet *set, const Column *column, uint64_t *bits, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(INT64_C(1) << 32);
    for (int64_t row = 0; row < column->length; row++) {
        if (column_is_null(column, row)) continue;
        Hash128 hash;
        TRY(hash_value(&text, column, row, &hash, err));
        int64_t slot = set->capacity ? slot_of(set, hash) : -1;
        if (slot >= 0 && (set->slots[slot].low | set->slots[slot].high)) continue;
        bit_set((uint8_t *)bits, row);
    }
    return OK;
}
