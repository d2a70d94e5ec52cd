/* How far the state store's clock is ahead of this machine's. */
#include "service/daemon/store_clock.h"

#include "foundation/base/clock.h"
#include "foundation/obs/log.h"

#define ANSWER_NS INT64_C(1000000000)

int64_t store_clock_now(const StoreClock *clock)
{
    return clock_now_us() + atomic_load(&clock->offset_us);
}

/* An answer that took long says little. */
void store_clock_ask(StoreClock *clock, StateStore *store)
{
    int64_t offset_us = 0, begun_ns = clock_mono_ns();
    Err err = {0};
    if (state_store_offset(store, &offset_us, &err) != OK) {
        LOG_ERR(LOG_WARN, "scheduler", "the state store's clock can't be asked", &err);
    } else if (clock_mono_ns() - begun_ns < ANSWER_NS) {
        atomic_store(&clock->offset_us, offset_us);
    }
}

void store_clock_step(StoreClock *clock, int64_t step_us)
{
    atomic_fetch_sub(&clock->offset_us, step_us);
}
