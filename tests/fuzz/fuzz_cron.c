/* Fuzz target: schedules; the next tick is later, is a tick, and comes whatever happened between.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "service/schedule/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A day in winter, one before a change of the clock, a leap day, before 1970, far away. */
static const int64_t MOMENTS[] = {INT64_C(1767225600000000), INT64_C(1774742399999999),
                                  INT64_C(1709164800000001), -1, INT64_C(4102444800000000)};

static void follow(const Schedule *s, int64_t at_us)
{
    int64_t first_us = schedule_next(s, at_us), last_us = at_us;
    if (first_us <= at_us) abort();
    for (int64_t i = 0; i < 20; i++) {
        int64_t next_us = schedule_next(s, last_us);
        if (next_us == INT64_MAX) break;
        if (next_us <= last_us) abort();
        /* From anywhere between two ticks the next is the same. */
        if (schedule_next(s, next_us - 1) != next_us) abort();
        if (schedule_next(s, last_us + (next_us - last_us) / 2) != next_us) abort();
        last_us = next_us;
    }
    ScheduleMissed missed = schedule_missed(s, at_us, last_us);
    if (last_us > at_us && (missed.count == 0 || missed.last_us != last_us)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Schedule schedule = {0};
    Err err = {0};
    if (size > 200) return 0;
    if (schedule_parse(str_make((const char *)data, (int64_t)size), &schedule, &err) != OK) {
        if (err.kind == ERR_INTERNAL) abort();
        return 0;
    }
    for (int64_t i = 0; i < COUNT_OF(MOMENTS); i++) follow(&schedule, MOMENTS[i]);
    schedule_done(&schedule);
    return 0;
}
