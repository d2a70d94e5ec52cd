/* Dates, times, timestamps and intervals: the proleptic Gregorian calendar, ISO 8601 text. */
#ifndef NEURON_DATETIME_H
#define NEURON_DATETIME_H

#include "foundation/base/err.h"

/* Units everywhere: dates are days since 1970-01-01 (int32 range), times microseconds since
 * midnight (0 … 86,400,000,000, 24:00:00 included), timestamps microseconds since 1970-01-01
 * 00:00:00, timestamps with zone the same in UTC. INT64_MIN/MAX (INT32_MIN/MAX for dates) are
 * -infinity and infinity. Years 4714 BC to 294276 (PostgreSQL's range for timestamps). */

typedef struct Interval {
    int32_t months;
    int32_t days;
    int64_t us;
} Interval;

typedef struct CivilTime {
    int64_t year; /* astronomical: 0 is 1 BC */
    int32_t month, day, hour, minute, second, us;
} CivilTime;

enum { DATETIME_TEXT_MAX = 64, INTERVAL_TEXT_MAX = 96 };
#define DATETIME_DAY_US INT64_C(86400000000)
#define DATETIME_INFINITY INT64_MAX
#define DATETIME_NEG_INFINITY INT64_MIN
#define DATE_INFINITY INT32_MAX
#define DATE_NEG_INFINITY INT32_MIN

int64_t datetime_days_from_civil(int64_t year, int32_t month, int32_t day);
void datetime_civil_from_days(int64_t days, int64_t *ret_year, int32_t *ret_month,
                              int32_t *ret_day);
/* Microseconds since the epoch to broken-down time and back (no check of ranges in the latter). */
CivilTime datetime_civil(int64_t us);
int64_t datetime_from_civil(const CivilTime *civil);
bool datetime_is_date(int64_t year, int32_t month, int32_t day);

/* Strict forms, used for type inference and exact reading. All fail (false) on anything else.
 * date: YYYY-MM-DD. time: HH:MM[:SS[.f{1,6}]]. timestamp: date, 'T' or one space, time.
 * `*ret_has_zone`: Z or ±HH[:MM[:SS]] (also ±HHMM) followed; the result is then UTC. */
bool datetime_parse_date(Str text, int32_t *ret_days);
bool datetime_parse_time(Str text, int64_t *ret_us);
bool datetime_parse_timestamp(Str text, int64_t *ret_us, bool *ret_has_zone);
/* Casts from text as PostgreSQL does for ISO input: white space around, 'infinity', '-infinity',
 * 'epoch', years with more than 4 digits, a BC suffix, a date alone as a timestamp, 24:00:00,
 * more than six digits of fraction (rounded). Other texts than ISO 8601: codec/datetime_text. */
bool datetime_cast_date(Str text, int32_t *ret_days);
bool datetime_cast_time(Str text, int64_t *ret_us);
bool datetime_cast_timestamp(Str text, int64_t *ret_us, bool *ret_has_zone);

/* Write at most DATETIME_TEXT_MAX bytes, return how many. Fractions without trailing zeros.
 * date: 2024-02-29. time: 13:45:00.5. timestamp: 2024-02-29T13:45:00.5 (sep 'T' or ' ').
 * timestamptz: the same with `zone` true, Z after it. BC years: year and " BC" as PostgreSQL. */
int64_t datetime_format_date(int32_t days, char *ret_text);
int64_t datetime_format_time(int64_t us, char *ret_text);
int64_t datetime_format_timestamp(int64_t us, char sep, bool zone, char *ret_text);

/* PostgreSQL's verbose, traditional input ('1 year 2 mons -3 days 04:05:06.7', '2 hours ago',
 * '90m' is not read) and ISO 8601 ('P1Y2M3DT4H5M6.7S'); output in the form of IntervalStyle
 * postgres: '1 year 2 mons 3 days 04:05:06.7', zero is '00:00:00'. */
bool interval_parse(Str text, Interval *ret_interval);
int64_t interval_format(Interval interval, char *ret_text);
/* Field-wise; false on overflow. */
bool interval_add(Interval a, Interval b, Interval *ret_sum);
/* timestamp + interval: months (day clamped to the month's last), then days, then us. */
bool datetime_add_interval(int64_t us, Interval interval, int64_t *ret_us);
/* Months as 30 days, days as 24 hours: PostgreSQL's order of intervals, as one number. */
__int128 interval_order(Interval interval);

#endif
