/* A tree of memory budgets: reserve before allocating; refused means spill or stop draining. */
#include "foundation/base/budget.h"

#include <stdatomic.h>

void budget_init(Budget *budget, const char *name, Budget *parent, int64_t max_bytes)
{
    budget->name = name;
    budget->parent = parent;
    budget->max_bytes = max_bytes;
    atomic_init(&budget->used_bytes, 0);
    atomic_init(&budget->peak_bytes, 0);
}

static void note_peak(Budget *budget, int64_t used)
{
    int64_t peak = atomic_load(&budget->peak_bytes);
    while (used > peak && !atomic_compare_exchange_weak(&budget->peak_bytes, &peak, used)) {
    }
}

static bool reserve_one(Budget *budget, int64_t bytes)
{
    int64_t used = atomic_load(&budget->used_bytes);
    do {
        if (bytes > budget->max_bytes - used) return false;
    } while (!atomic_compare_exchange_weak(&budget->used_bytes, &used, used + bytes));
    note_peak(budget, used + bytes);
    return true;
}

bool budget_reserve(Budget *budget, int64_t bytes)
{
    assert(bytes >= 0);
    for (Budget *at = budget; at; at = at->parent) {
        if (reserve_one(at, bytes)) continue;
        for (Budget *undo = budget; undo != at; undo = undo->parent) {
            atomic_fetch_sub(&undo->used_bytes, bytes);
        }
        return false;
    }
    return true;
}

void budget_force(Budget *budget, int64_t bytes)
{
    for (Budget *at = budget; at; at = at->parent) {
        note_peak(at, atomic_fetch_add(&at->used_bytes, bytes) + bytes);
    }
}

void budget_release(Budget *budget, int64_t bytes)
{
    for (Budget *at = budget; at; at = at->parent) {
        int64_t before = atomic_fetch_sub(&at->used_bytes, bytes);
        assert(before >= bytes);
        (void)before;
    }
}

int64_t budget_used(const Budget *budget)
{
    return atomic_load(&budget->used_bytes);
}
