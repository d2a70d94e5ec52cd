/* A tree of memory budgets: reserve before allocating; refused means spill or stop draining. */
#ifndef NEURON_BUDGET_H
#define NEURON_BUDGET_H

#include "foundation/base/err.h"

/* A reservation counts against the budget and all its ancestors. Thread-safe (atomic). */
typedef struct Budget {
    const char *name;
    struct Budget *parent; /* outlives this one; NULL at the root */
    int64_t max_bytes;
    _Atomic int64_t used_bytes;
    _Atomic int64_t peak_bytes;
} Budget;

void budget_init(Budget *budget, const char *name, Budget *parent, int64_t max_bytes);
/* False, and nothing reserved, when it or an ancestor would pass its maximum. */
MUST_USE bool budget_reserve(Budget *budget, int64_t bytes);
/* Reserve even past the maximum (the one batch that must pass so that work goes on). */
void budget_force(Budget *budget, int64_t bytes);
void budget_release(Budget *budget, int64_t bytes);
int64_t budget_used(const Budget *budget);

#endif
