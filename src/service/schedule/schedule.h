/* When things run: `@hourly`, five cron fields with CRON_TZ=, `every 15m`; the ticks of a time. */
#ifndef NEURON_SCHEDULE_H
#define NEURON_SCHEDULE_H

#include "foundation/codec/timezone.h"

/* Minutes, hours … as bits. Immutable after schedule_parse; many threads. */
typedef struct Schedule {
    int64_t every_us; /* > 0: `every`; else cron */
    uint64_t minutes;
    uint32_t hours, days, months, weekdays;
    bool any_hour;             /* the hour field begins with `*` */
    bool any_day, any_weekday; /* … which decides how the two combine */
    Timezone *zone;            /* NULL: UTC */
} Schedule;

/* Text forms: `every 15m` (aligned to the epoch; 1s to 3660d), `@every 15m`, @yearly @annually
 * @monthly @weekly @daily @midnight @hourly, `minute hour day month weekday` with * a a-b a/n a-b/n
 * lists, names (jan, mon), weekday 7 = 0; `CRON_TZ=Europe/Berlin` or `TZ=` before it (default UTC).
 * Days: where day and weekday are both limited, either counts (as cron). ERR_CONFIG says what is
 * wrong; a date that never comes (31 April) is an error too. */
MUST_USE Status schedule_parse(Str text, Schedule *ret_schedule, Err *err);
void schedule_done(Schedule *schedule);

/* The first tick after a moment (µs since the epoch, UTC); INT64_MAX when none comes.
 * Clock changes: a fixed time that the clock skips runs once, at the moment of the change; one that
 * comes twice runs the first time only. With `*` in the hour field every real minute counts. */
int64_t schedule_next(const Schedule *schedule, int64_t after_us);

/* The ticks in (after, now]: how many (counted up to 10000), the last one. */
typedef struct ScheduleMissed {
    int64_t count, last_us;
} ScheduleMissed;
ScheduleMissed schedule_missed(const Schedule *schedule, int64_t after_us, int64_t now_us);

#endif
