/* Ticks of a schedule: the next one after a moment, through changes of the clock. */
#include "service/schedule/schedule.h"

#include "foundation/base/datetime.h"

#define MINUTE_US INT64_C(60000000)
#define HOUR_US (60 * MINUTE_US)
/* Leap days are at most 8 years apart (1896 to 1904, 2096 to 2104). */
enum { DAYS_MAX = 366 * 9, MISSED_MAX = 10000 };

static int64_t to_local(const Schedule *s, int64_t utc_us)
{
    return s->zone ? timezone_to_local(s->zone, utc_us) : utc_us;
}

static int64_t floor_to(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

static bool day_matches(const Schedule *s, const CivilTime *at)
{
    if (!(s->months >> at->month & 1)) return false;
    int64_t days = datetime_days_from_civil(at->year, at->month, at->day);
    int64_t weekday = (days % 7 + 11) % 7; /* 1970-01-01 was a Thursday */
    bool day = s->days >> at->day & 1;
    bool in_week = s->weekdays >> weekday & 1;
    if (s->any_day || s->any_weekday) return day && in_week;
    return day || in_week;
}

/* `*` in the hour field: every real minute whose clock time matches. */
static int64_t next_by_minute(const Schedule *s, int64_t after_us)
{
    int64_t at = floor_to(after_us, MINUTE_US) + MINUTE_US;
    int64_t end = at + DAYS_MAX * DATETIME_DAY_US;
    while (at < end) {
        int64_t local = to_local(s, at);
        CivilTime civil = datetime_civil(local);
        if (!day_matches(s, &civil) || !(s->hours >> civil.hour & 1)) {
            at += HOUR_US - (local - floor_to(local, HOUR_US));
        } else if (s->minutes >> civil.minute & 1) {
            return at;
        } else {
            at += MINUTE_US;
        }
    }
    return INT64_MAX;
}

/* The moment at which the clock jumped over `local`; `utc` is what it counts as. */
static int64_t gap_end(const Schedule *s, int64_t local, int64_t utc)
{
    int64_t offset = to_local(s, utc) - utc;
    int64_t low = utc - (to_local(s, utc) - local), high = utc;
    while (high - low > MINUTE_US) {
        int64_t middle = floor_to(low + (high - low) / 2, MINUTE_US);
        if (to_local(s, middle) - middle == offset) high = middle;
        else low = middle;
    }
    return to_local(s, low) - low == offset ? low : high;
}

/* A clock time as a moment: the first of two, the end of the gap for one that never is. */
static int64_t moment_of(const Schedule *s, int64_t local)
{
    if (!s->zone) return local;
    int64_t utc = timezone_to_utc(s->zone, local);
    if (to_local(s, utc) != local) return gap_end(s, local, utc);
    static const int64_t FOLDS[] = {HOUR_US, HOUR_US / 2, 2 * HOUR_US};
    for (int32_t i = 0; i < COUNT_OF(FOLDS); i++) {
        if (to_local(s, utc - FOLDS[i]) == local) return utc - FOLDS[i];
    }
    return utc;
}

/* The first tick of one day of the clock after a moment; INT64_MAX when it has none. */
static int64_t next_in_day(const Schedule *s, int64_t midnight, int64_t after_us)
{
    for (int64_t minute = 0; minute < 24 * 60; minute++) {
        if (!(s->hours >> (minute / 60) & 1)) {
            minute += 59 - minute % 60;
            continue;
        }
        if (!(s->minutes >> (minute % 60) & 1)) continue;
        int64_t at = moment_of(s, midnight + minute * MINUTE_US);
        if (at > after_us) return at;
    }
    return INT64_MAX;
}

static int64_t next_by_day(const Schedule *s, int64_t after_us)
{
    int64_t midnight = floor_to(to_local(s, after_us), DATETIME_DAY_US) - DATETIME_DAY_US;
    for (int32_t i = 0; i < DAYS_MAX; i++, midnight += DATETIME_DAY_US) {
        CivilTime civil = datetime_civil(midnight);
        if (!day_matches(s, &civil)) continue;
        int64_t at = next_in_day(s, midnight, after_us);
        if (at != INT64_MAX) return at;
    }
    return INT64_MAX;
}

int64_t schedule_next(const Schedule *s, int64_t after_us)
{
    if (s->every_us > 0) return floor_to(after_us, s->every_us) + s->every_us;
    return s->any_hour ? next_by_minute(s, after_us) : next_by_day(s, after_us);
}

ScheduleMissed schedule_missed(const Schedule *s, int64_t after_us, int64_t now_us)
{
    ScheduleMissed missed = {0, 0};
    int64_t at = schedule_next(s, after_us);
    while (at <= now_us && missed.count < MISSED_MAX) {
        missed.count++;
        missed.last_us = at;
        at = schedule_next(s, at);
    }
    /* The last one matters, however many there were. */
    int64_t behind = s->every_us > 0 ? s->every_us : 2 * DATETIME_DAY_US;
    while (at <= now_us) {
        missed.last_us = at;
        int64_t from = int64_max(at, now_us - behind);
        at = schedule_next(s, from);
    }
    return missed;
}
