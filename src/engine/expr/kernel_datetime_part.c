/* Parts of dates and times: extract, date_trunc, age. */
#include <math.h>
#include <stdio.h>

#include "engine/expr/kernel.h"
#include "engine/expr/number_value.h"
#include "foundation/codec/timezone.h"

typedef enum TimeField {
    FIELD_MICROSECONDS,
    FIELD_MILLISECONDS,
    FIELD_SECOND,
    FIELD_MINUTE,
    FIELD_HOUR,
    FIELD_DAY,
    FIELD_WEEK,
    FIELD_MONTH,
    FIELD_QUARTER,
    FIELD_YEAR,
    FIELD_DECADE,
    FIELD_CENTURY,
    FIELD_MILLENNIUM,
    FIELD_DOW,
    FIELD_ISODOW,
    FIELD_DOY,
    FIELD_ISOYEAR,
    FIELD_EPOCH,
    FIELD_JULIAN,
    FIELD_TIMEZONE,
    FIELD_TIMEZONE_HOUR,
    FIELD_TIMEZONE_MINUTE,
    FIELD_UNKNOWN
} TimeField;

static const char *const FIELD_NAMES[] = {
    "microseconds",   "milliseconds", "second",  "minute", "hour",    "day",        "week",
    "month",          "quarter",      "year",    "decade", "century", "millennium", "dow",
    "isodow",         "doy",          "isoyear", "epoch",  "julian",  "timezone",   "timezone_hour",
    "timezone_minute"};

/* Other names of some. */
static const struct {
    const char *name;
    TimeField field;
} FIELD_ALIASES[] = {
    {"us", FIELD_MICROSECONDS},
    {"usec", FIELD_MICROSECONDS},
    {"microsecond", FIELD_MICROSECONDS},
    {"ms", FIELD_MILLISECONDS},
    {"msec", FIELD_MILLISECONDS},
    {"millisecond", FIELD_MILLISECONDS},
    {"s", FIELD_SECOND},
    {"sec", FIELD_SECOND},
    {"m", FIELD_MINUTE},
    {"min", FIELD_MINUTE},
    {"h", FIELD_HOUR},
    {"hr", FIELD_HOUR},
    {"d", FIELD_DAY},
    {"w", FIELD_WEEK},
    {"mon", FIELD_MONTH},
    {"qtr", FIELD_QUARTER},
    {"y", FIELD_YEAR},
    {"yr", FIELD_YEAR},
    {"dec", FIELD_DECADE},
    {"c", FIELD_CENTURY},
    {"cent", FIELD_CENTURY},
    {"centuries", FIELD_CENTURY},
    {"mil", FIELD_MILLENNIUM},
    {"millennia", FIELD_MILLENNIUM},
    {"timezone_h", FIELD_TIMEZONE_HOUR},
    {"timezone_m", FIELD_TIMEZONE_MINUTE},
};

static TimeField field_of(Str name)
{
    for (int32_t i = 0; i < FIELD_UNKNOWN; i++) {
        Str one = str_from(FIELD_NAMES[i]);
        if (str_eq_nocase(name, one)) return (TimeField)i;
        bool plural = name.len == one.len + 1 && (name.ptr[one.len] | 32) == 's';
        if (plural && str_starts_nocase(name, one)) return (TimeField)i;
    }
    for (int64_t i = 0; i < COUNT_OF(FIELD_ALIASES); i++) {
        Str one = str_from(FIELD_ALIASES[i].name);
        bool plural = name.len == one.len + 1 && one.len > 1 && (name.ptr[one.len] | 32) == 's';
        if (str_eq_nocase(name, one) || (plural && str_starts_nocase(name, one))) {
            return FIELD_ALIASES[i].field;
        }
    }
    return FIELD_UNKNOWN;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_of(int64_t us)
{
    return floor_div(us, DATETIME_DAY_US);
}

/* Sunday 0 … Saturday 6. */
static int64_t weekday(int64_t days)
{
    return ((days + 4) % 7 + 7) % 7;
}

/* ISO 8601 week and its year: the week with the year's first Thursday is week 1. */
static void iso_week(int64_t days, int64_t *ret_year, int64_t *ret_week)
{
    int64_t thursday = days - (weekday(days) + 6) % 7 + 3;
    int32_t month, day;
    datetime_civil_from_days(thursday, ret_year, &month, &day);
    *ret_week = (thursday - datetime_days_from_civil(*ret_year, 1, 1)) / 7 + 1;
}

static Decimal micro(int64_t us, int32_t scale)
{
    return (Decimal){us, scale};
}

/* PostgreSQL counts years without 0: 1 BC is -1. */
static int64_t shown_year(int64_t year)
{
    return year <= 0 ? year - 1 : year;
}

static int64_t century_of(int64_t year, int64_t size)
{
    return year > 0 ? (year + size - 1) / size : -((size - year) / size);
}

/* The Julian day with the part of the day that has passed. */
static Decimal julian_day(int64_t us)
{
    Decimal part = {0}, sum = {0};
    int64_t days = days_of(us);
    (void)decimal_div(decimal_from_int64(us - days * DATETIME_DAY_US),
                      decimal_from_int64(DATETIME_DAY_US), &part);
    (void)decimal_add(decimal_from_int64(days + 2440588), part, &sum);
    return sum;
}

static Decimal timestamp_field(int64_t us, TimeField field)
{
    CivilTime c = datetime_civil(us);
    int64_t days = days_of(us), year, week;
    int64_t in_minute = c.second * INT64_C(1000000) + c.us;
    iso_week(days, &year, &week);
    switch (field) {
    case FIELD_MICROSECONDS:
        return micro(in_minute, 0);
    case FIELD_MILLISECONDS:
        return micro(in_minute, 3);
    case FIELD_SECOND:
        return micro(in_minute, 6);
    case FIELD_MINUTE:
        return micro(c.minute, 0);
    case FIELD_HOUR:
        return micro(c.hour, 0);
    case FIELD_DAY:
        return micro(c.day, 0);
    case FIELD_WEEK:
        return micro(week, 0);
    case FIELD_MONTH:
        return micro(c.month, 0);
    case FIELD_QUARTER:
        return micro((c.month - 1) / 3 + 1, 0);
    case FIELD_YEAR:
        return micro(shown_year(c.year), 0);
    case FIELD_DECADE:
        return micro(floor_div(c.year, 10), 0);
    case FIELD_CENTURY:
        return micro(century_of(c.year, 100), 0);
    case FIELD_MILLENNIUM:
        return micro(century_of(c.year, 1000), 0);
    case FIELD_DOW:
        return micro(weekday(days), 0);
    case FIELD_ISODOW:
        return micro((weekday(days) + 6) % 7 + 1, 0);
    case FIELD_DOY:
        return micro(days - datetime_days_from_civil(c.year, 1, 1) + 1, 0);
    case FIELD_ISOYEAR:
        return micro(shown_year(year), 0);
    case FIELD_EPOCH:
        return micro(us, 6);
    case FIELD_JULIAN:
        return julian_day(us);
    case FIELD_TIMEZONE:
    case FIELD_TIMEZONE_HOUR:
    case FIELD_TIMEZONE_MINUTE:
    case FIELD_UNKNOWN:
        break;
    }
    return micro(0, 0);
}

/* extract gives numeric, date_part double precision. */
static void put_field(KernelCall *call, int64_t row, Decimal value)
{
    if (call->result->type == TYPE_NUMERIC) number_put(call->result, row, value);
    else vector_double(call->result)[row] = decimal_to_double(value);
}

static void put_infinite(KernelCall *call, int64_t row, int64_t us, TimeField field)
{
    bool grows = field >= FIELD_YEAR && field <= FIELD_MILLENNIUM;
    bool whole = field == FIELD_EPOCH || field == FIELD_ISOYEAR || field == FIELD_JULIAN;
    if (!grows && !whole) call_null(call, row);
    else {
        double value = us > 0 ? (double)INFINITY : -(double)INFINITY;
        if (call->result->type == TYPE_DOUBLE) vector_double(call->result)[row] = value;
        else number_put_double(call->result, row, value);
    }
}

static bool known_field(KernelCall *call, int64_t row, TimeField *ret_field)
{
    *ret_field = field_of(kernel_text(call, 0, row));
    if (*ret_field != FIELD_UNKNOWN) return true;
    call_error(call, row, "22023", "unit \"%.*s\" not recognized",
               STR_ARG(str_slice(kernel_text(call, 0, row), 0, 60)));
    return false;
}

static Status kernel_extract_timestamp(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        TimeField field;
        int64_t us = kernel_int64(call, 1, row);
        if (!known_field(call, row, &field)) continue;
        bool zone = field >= FIELD_TIMEZONE;
        if (zone && call->args[1].type != TYPE_TIMESTAMPTZ) {
            call_error(call, row, "0A000", "unit \"%s\" not supported for type timestamp",
                       FIELD_NAMES[field]);
        } else if (us == DATETIME_INFINITY || us == DATETIME_NEG_INFINITY) {
            put_infinite(call, row, us, field);
        } else put_field(call, row, timestamp_field(us, field));
    }
    return OK;
}

static Status kernel_extract_date(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        TimeField field;
        int32_t days = vector_date(&call->args[1])[row & call->args[1].mask];
        if (!known_field(call, row, &field)) continue;
        bool infinite = days == DATE_INFINITY || days == DATE_NEG_INFINITY;
        Decimal value = infinite ? micro(0, 0) : timestamp_field(days * DATETIME_DAY_US, field);
        if (infinite) put_infinite(call, row, days, field);
        else if (field <= FIELD_HOUR || field >= FIELD_TIMEZONE) {
            call_error(call, row, "0A000", "unit \"%s\" not supported for type date",
                       FIELD_NAMES[field]);
        } else {
            if (field == FIELD_JULIAN) value = decimal_from_int64(days + INT64_C(2440588));
            if (field == FIELD_EPOCH) value = (Decimal){value.value / 1000000, 0};
            put_field(call, row, value);
        }
    }
    return OK;
}

static Status kernel_extract_time(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        TimeField field;
        if (!known_field(call, row, &field)) continue;
        if (field > FIELD_HOUR && field != FIELD_EPOCH) {
            call_error(call, row, "0A000", "unit \"%s\" not supported for type time",
                       FIELD_NAMES[field]);
        } else {
            put_field(call, row, timestamp_field(kernel_int64(call, 1, row), field));
        }
    }
    return OK;
}

static Decimal interval_field(Interval i, TimeField field)
{
    int64_t us = i.us;
    switch (field) {
    case FIELD_MICROSECONDS:
        return micro(us % 60000000, 0);
    case FIELD_MILLISECONDS:
        return micro(us % 60000000, 3);
    case FIELD_SECOND:
        return micro(us % 60000000, 6);
    case FIELD_MINUTE:
        return micro(us / 60000000 % 60, 0);
    case FIELD_HOUR:
        return micro(us / 3600000000, 0);
    case FIELD_DAY:
        return micro(i.days, 0);
    case FIELD_MONTH:
        return micro(i.months % 12, 0);
    case FIELD_QUARTER:
        return micro(i.months % 12 / 3 + 1, 0);
    case FIELD_YEAR:
        return micro(i.months / 12, 0);
    case FIELD_DECADE:
        return micro(i.months / 120, 0);
    case FIELD_CENTURY:
        return micro(i.months / 1200, 0);
    case FIELD_MILLENNIUM:
        return micro(i.months / 12000, 0);
    case FIELD_EPOCH: {
        /* A year is 365.25 days, a month 30. */
        Int128 days = (Int128)(i.months % 12) * 30 + i.days;
        Int128 total = (Int128)(i.months / 12) * 31557600 + days * 86400;
        return (Decimal){total * 1000000 + us, 6};
    }
    case FIELD_WEEK:
    case FIELD_DOW:
    case FIELD_ISODOW:
    case FIELD_DOY:
    case FIELD_ISOYEAR:
    case FIELD_JULIAN:
    case FIELD_TIMEZONE:
    case FIELD_TIMEZONE_HOUR:
    case FIELD_TIMEZONE_MINUTE:
    case FIELD_UNKNOWN:
        break;
    }
    return micro(0, 0);
}

static Status kernel_extract_interval(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        TimeField field;
        if (!known_field(call, row, &field)) continue;
        bool none = field == FIELD_WEEK || (field >= FIELD_DOW && field != FIELD_EPOCH);
        if (none) {
            call_error(call, row, "0A000", "unit \"%s\" not supported for type interval",
                       FIELD_NAMES[field]);
            continue;
        }
        Interval i = vector_interval(&call->args[1])[row & call->args[1].mask];
        put_field(call, row, interval_field(i, field));
    }
    return OK;
}

/* ---- date_trunc ---- */

static int64_t year_start(int64_t year)
{
    return datetime_days_from_civil(year, 1, 1) * DATETIME_DAY_US;
}

static int64_t truncate(int64_t us, TimeField field)
{
    CivilTime c = datetime_civil(us);
    int64_t days = days_of(us);
    switch (field) {
    case FIELD_MICROSECONDS:
        return us;
    case FIELD_MILLISECONDS:
        return floor_div(us, 1000) * 1000;
    case FIELD_SECOND:
        return floor_div(us, 1000000) * 1000000;
    case FIELD_MINUTE:
        return floor_div(us, 60000000) * 60000000;
    case FIELD_HOUR:
        return floor_div(us, 3600000000) * 3600000000;
    case FIELD_DAY:
        return days * DATETIME_DAY_US;
    case FIELD_WEEK:
        return (days - (weekday(days) + 6) % 7) * DATETIME_DAY_US;
    case FIELD_MONTH:
        return datetime_days_from_civil(c.year, c.month, 1) * DATETIME_DAY_US;
    case FIELD_QUARTER:
        return datetime_days_from_civil(c.year, (c.month - 1) / 3 * 3 + 1, 1) * DATETIME_DAY_US;
    case FIELD_YEAR:
        return year_start(c.year);
    case FIELD_DECADE:
        return year_start(floor_div(c.year, 10) * 10);
    case FIELD_CENTURY:
        return year_start(floor_div(c.year - 1, 100) * 100 + 1);
    case FIELD_MILLENNIUM:
        return year_start(floor_div(c.year - 1, 1000) * 1000 + 1);
    case FIELD_DOW:
    case FIELD_ISODOW:
    case FIELD_DOY:
    case FIELD_ISOYEAR:
    case FIELD_EPOCH:
    case FIELD_JULIAN:
    case FIELD_TIMEZONE:
    case FIELD_TIMEZONE_HOUR:
    case FIELD_TIMEZONE_MINUTE:
    case FIELD_UNKNOWN:
        break;
    }
    return us;
}

/* Cut by the clock of a zone. */
static Status kernel_date_trunc_zone(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        TimeField field;
        Timezone *zone = NULL;
        Err failed = {0};
        int64_t us = kernel_int64(call, 1, row);
        if (!known_field(call, row, &field)) continue;
        if (field >= FIELD_DOW) {
            call_error(call, row, "0A000", "unit \"%s\" not supported for date_trunc",
                       FIELD_NAMES[field]);
        } else if (us == DATETIME_INFINITY || us == DATETIME_NEG_INFINITY) {
            vector_int64(call->result)[row] = us;
        } else if (timezone_load(kernel_text(call, 2, row), &zone, &failed) != OK) {
            call_error(call, row, "22023", "%s", failed.message);
        } else {
            int64_t local = truncate(timezone_to_local(zone, us), field);
            vector_int64(call->result)[row] = field <= FIELD_HOUR
                                                  ? us - (timezone_to_local(zone, us) - local)
                                                  : timezone_to_utc(zone, local);
            timezone_free(zone);
        }
    }
    return OK;
}

static Status kernel_date_trunc_interval(KernelCall *call, Err *err UNUSED)
{
    static const int64_t UNITS[] = {1, 1000, 1000000, 60000000, 3600000000};
    static const int32_t MONTHS[] = {1, 3, 12, 120, 1200, 12000};
    FOR_ACTIVE (call, row) {
        TimeField field;
        if (!known_field(call, row, &field)) continue;
        Interval i = vector_interval(&call->args[1])[row & call->args[1].mask];
        if (field >= FIELD_DOW || field == FIELD_WEEK) {
            call_error(call, row, "0A000", "unit \"%s\" not supported for type interval",
                       FIELD_NAMES[field]);
            continue;
        }
        if (field <= FIELD_HOUR) i.us -= i.us % UNITS[field];
        else i.us = 0;
        if (field > FIELD_DAY) {
            i.days = 0;
            i.months -= i.months % MONTHS[field - FIELD_MONTH];
        }
        vector_interval(call->result)[row] = i;
    }
    return OK;
}

static Status kernel_date_trunc(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        TimeField field;
        int64_t us = kernel_int64(call, 1, row);
        if (!known_field(call, row, &field)) continue;
        bool infinite = us == DATETIME_INFINITY || us == DATETIME_NEG_INFINITY;
        if (field >= FIELD_DOW) {
            call_error(call, row, "0A000", "unit \"%s\" not supported for date_trunc",
                       FIELD_NAMES[field]);
        } else {
            vector_int64(call->result)[row] = infinite ? us : truncate(us, field);
        }
    }
    return OK;
}

/* ---- age ---- */

/* Years, months, days and time between two moments, field by field. */
static Interval age_between(int64_t a, int64_t b)
{
    bool negative = a < b;
    CivilTime x = datetime_civil(negative ? b : a), y = datetime_civil(negative ? a : b);
    int64_t us = (datetime_from_civil(&x) - days_of(datetime_from_civil(&x)) * DATETIME_DAY_US) -
                 (datetime_from_civil(&y) - days_of(datetime_from_civil(&y)) * DATETIME_DAY_US);
    int64_t days = x.day - y.day;
    int64_t months = (x.year - y.year) * 12 + x.month - y.month;
    if (us < 0) {
        us += DATETIME_DAY_US;
        days--;
    }
    if (days < 0) {
        int64_t next = y.month == 12 ? datetime_days_from_civil(y.year + 1, 1, 1)
                                     : datetime_days_from_civil(y.year, y.month + 1, 1);
        days += next - datetime_days_from_civil(y.year, y.month, 1);
        months--;
    }
    Interval out = {(int32_t)months, (int32_t)days, us};
    return negative ? (Interval){-out.months, -out.days, -out.us} : out;
}

static Status kernel_age(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_interval(call->result)[row] =
            age_between(kernel_int64(call, 0, row), kernel_int64(call, 1, row));
    }
    return OK;
}

static Status kernel_age_now(KernelCall *call, Err *err UNUSED)
{
    int64_t today = days_of(call->run->now_us) * DATETIME_DAY_US;
    FOR_ACTIVE (call, row) {
        vector_interval(call->result)[row] = age_between(today, kernel_int64(call, 0, row));
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define D "date and time"
#define RUN (FUNCTION_STRICT | FUNCTION_RUN)

static const Function FUNCTIONS[] = {
    {"extract", "text, timestamp -> numeric", kernel_extract_timestamp, FALLIBLE, D,
     "extract(field FROM x): year, month, day, hour, dow, doy, week, epoch…",
     "extract(year FROM timestamp '2024-02-29 13:45') = 2024", 0, 0, 0},
    {"extract", "text, timestamptz -> numeric", kernel_extract_timestamp, FALLIBLE, D,
     "The same, in UTC.", "extract(hour FROM timestamptz '2024-02-29 13:45Z') = 13", 0, 0, 0},
    {"extract", "text, date -> numeric", kernel_extract_date, FALLIBLE, D, "The same of a date.",
     "extract(doy FROM date '2024-02-29') = 60", 0, 0, 0},
    {"extract", "text, time -> numeric", kernel_extract_time, FALLIBLE, D, "The same of a time.",
     "extract(second FROM time '01:02:03.5') = 3.500000", 0, 0, 0},
    {"extract", "text, interval -> numeric", kernel_extract_interval, FALLIBLE, D,
     "The same of an interval.", "extract(hour FROM interval '1 day 2 hours') = 2", 0, 0, 0},
    {"date_part", "text, timestamp -> double", kernel_extract_timestamp, FALLIBLE, D,
     "extract as a function.", "date_part('month', timestamp '2024-02-29 00:00') = 2", 0, 0,
     "extract"},
    {"date_part", "text, timestamptz -> double", kernel_extract_timestamp, FALLIBLE, D,
     "extract as a function.", "date_part('day', timestamptz '2024-02-29Z') = 29", 0, 0, "extract"},
    {"date_part", "text, date -> double", kernel_extract_date, FALLIBLE, D,
     "extract as a function.", "date_part('year', date '2024-02-29') = 2024", 0, 0, "extract"},
    {"date_part", "text, time -> double", kernel_extract_time, FALLIBLE, D,
     "extract as a function.", "date_part('hour', time '05:00') = 5", 0, 0, "extract"},
    {"date_part", "text, interval -> double", kernel_extract_interval, FALLIBLE, D,
     "extract as a function.", "date_part('day', interval '3 days') = 3", 0, 0, "extract"},
    {"date_trunc", "text, timestamp -> timestamp", kernel_date_trunc, FALLIBLE, D,
     "Cut to the start of the hour, day, week, month…",
     "date_trunc('month', timestamp '2024-02-29 13:45') = \"2024-02-01T00:00:00\"", 0, 0, 0},
    {"date_trunc", "text, timestamptz -> timestamptz", kernel_date_trunc, FALLIBLE, D,
     "The same, in UTC.",
     "date_trunc('day', timestamptz '2024-02-29 13:45Z') = \"2024-02-29T00:00:00Z\"", 0, 0, 0},
    {"date_trunc", "text, timestamptz, text -> timestamptz", kernel_date_trunc_zone, FALLIBLE, D,
     "The same by the clock of a zone.",
     "date_trunc('day', timestamptz '2024-01-01 23:30Z', 'Europe/Berlin') = "
     "\"2024-01-01T23:00:00Z\"",
     0, 0, 0},
    {"date_trunc", "text, interval -> interval", kernel_date_trunc_interval, FALLIBLE, D,
     "The same of an interval.", "date_trunc('hour', interval '1 day 02:30') = \"1 day 02:00:00\"",
     0, 0, 0},
    {"age", "timestamp, timestamp -> interval", kernel_age, STRICT, D,
     "Years, months, days and time between.",
     "age(timestamp '2024-03-01 00:00', timestamp '2023-01-15 00:00') = \"1 year 1 mon 17 days\"",
     0, 0, 0},
    {"age", "timestamptz, timestamptz -> interval", kernel_age, STRICT, D, "The same, in UTC.",
     "age(timestamptz '2024-01-02Z', timestamptz '2024-01-01Z') = \"1 day\"", 0, 0, 0},
    {"age", "timestamptz -> interval", kernel_age_now, RUN, D, "From then to the run's day.",
     "age(timestamptz '2020-01-01Z') > interval '1 year' = true", 0, 0, 0},
    {"age", "timestamp -> interval", kernel_age_now, RUN, D, "From then to the run's day.",
     "age(timestamp '2020-01-01 00:00') > interval '1 year' = true", 0, 0, 0},
};
const FunctionTable DATETIME_PART_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
