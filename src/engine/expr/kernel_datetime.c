/* Arithmetic of dates, times and intervals; now(); making dates of parts; time zones. */
#include <math.h>

#include "engine/expr/kernel.h"
#include "engine/expr/number_value.h"
#include "foundation/codec/timezone.h"

static void out_of_range(KernelCall *call, int64_t row, const char *type)
{
    call_error(call, row, "22008", "%s out of range", type);
}

static int32_t date_at(const KernelCall *call, int32_t arg, int64_t row)
{
    return vector_date(&call->args[arg])[row & call->args[arg].mask];
}

static Interval interval_at(const KernelCall *call, int32_t arg, int64_t row)
{
    return vector_interval(&call->args[arg])[row & call->args[arg].mask];
}

static bool is_infinite(int64_t us)
{
    return us == DATETIME_INFINITY || us == DATETIME_NEG_INFINITY;
}

/* ---- now ---- */

static Status kernel_now(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) vector_int64(call->result)[row] = call->run->now_us;
    return OK;
}

static Status kernel_current_date(KernelCall *call, Err *err UNUSED)
{
    int64_t us = call->run->now_us;
    FOR_ACTIVE (call, row) {
        vector_date(call->result)[row] =
            (int32_t)(us / DATETIME_DAY_US - (us % DATETIME_DAY_US < 0));
    }
    return OK;
}

/* ---- + and - ---- */

static Status add_days(KernelCall *call, int64_t sign, int32_t date_arg, int32_t days_arg)
{
    FOR_ACTIVE (call, row) {
        int32_t date = date_at(call, date_arg, row);
        int64_t days = kernel_int64(call, days_arg, row), sum;
        bool finite = date != DATE_INFINITY && date != DATE_NEG_INFINITY;
        bool overflow = days == INT64_MIN || __builtin_add_overflow(date, sign * days, &sum) ||
                        sum < -2440588 || sum > 2145031948;
        if (!finite) vector_date(call->result)[row] = date;
        else if (overflow) out_of_range(call, row, "date");
        else vector_date(call->result)[row] = (int32_t)sum;
    }
    return OK;
}

static Status kernel_date_plus_days(KernelCall *call, Err *err UNUSED)
{
    return add_days(call, 1, 0, 1);
}
static Status kernel_days_plus_date(KernelCall *call, Err *err UNUSED)
{
    return add_days(call, 1, 1, 0);
}
static Status kernel_date_minus_days(KernelCall *call, Err *err UNUSED)
{
    return add_days(call, -1, 0, 1);
}

static Status kernel_date_minus_date(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_int64(call->result)[row] =
            (int64_t)date_at(call, 0, row) - (int64_t)date_at(call, 1, row);
    }
    return OK;
}

static Interval negated(Interval i)
{
    return (Interval){-i.months, -i.days, -i.us};
}

static Status add_interval(KernelCall *call, int32_t time_arg, bool minus)
{
    FOR_ACTIVE (call, row) {
        Interval interval = interval_at(call, 1 - time_arg, row);
        if (minus) interval = negated(interval);
        if (!datetime_add_interval(kernel_int64(call, time_arg, row), interval,
                                   &vector_int64(call->result)[row])) {
            out_of_range(call, row, "timestamp");
        }
    }
    return OK;
}

static Status kernel_time_plus_interval(KernelCall *call, Err *err UNUSED)
{
    return add_interval(call, 0, false);
}
static Status kernel_interval_plus_time(KernelCall *call, Err *err UNUSED)
{
    return add_interval(call, 1, false);
}
static Status kernel_time_minus_interval(KernelCall *call, Err *err UNUSED)
{
    return add_interval(call, 0, true);
}

/* PostgreSQL's difference: whole days and the rest. */
static Status kernel_time_minus_time(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t a = kernel_int64(call, 0, row), b = kernel_int64(call, 1, row), us;
        if (is_infinite(a) || is_infinite(b) || __builtin_sub_overflow(a, b, &us)) {
            call_error(call, row, "22008", "cannot subtract infinite timestamps");
            continue;
        }
        vector_interval(call->result)[row] =
            (Interval){.days = (int32_t)(us / DATETIME_DAY_US), .us = us % DATETIME_DAY_US};
    }
    return OK;
}

static Status kernel_clock_plus_interval(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t us = kernel_int64(call, 0, row) % DATETIME_DAY_US;
        us = (us + interval_at(call, 1, row).us % DATETIME_DAY_US) % DATETIME_DAY_US;
        vector_int64(call->result)[row] = us < 0 ? us + DATETIME_DAY_US : us;
    }
    return OK;
}

static Status kernel_clock_minus_clock(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_interval(call->result)[row] =
            (Interval){.us = kernel_int64(call, 0, row) - kernel_int64(call, 1, row)};
    }
    return OK;
}

static Status kernel_date_plus_clock(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_int64(call->result)[row] =
            (int64_t)date_at(call, 0, row) * DATETIME_DAY_US + kernel_int64(call, 1, row);
    }
    return OK;
}

static Status sum_intervals(KernelCall *call, bool minus)
{
    FOR_ACTIVE (call, row) {
        Interval b = interval_at(call, 1, row);
        if (!interval_add(interval_at(call, 0, row), minus ? negated(b) : b,
                          &vector_interval(call->result)[row])) {
            out_of_range(call, row, "interval");
        }
    }
    return OK;
}

static Status kernel_interval_plus(KernelCall *call, Err *err UNUSED)
{
    return sum_intervals(call, false);
}
static Status kernel_interval_minus(KernelCall *call, Err *err UNUSED)
{
    return sum_intervals(call, true);
}

static Status kernel_interval_negate(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) vector_interval(call->result)[row] = negated(interval_at(call, 0, row));
    return OK;
}

/* Rounded to millionths, as PostgreSQL does between the steps. */
static double millionths(double value)
{
    return rint(value * 1e6) / 1e6;
}

static double scaled(double value, double factor, bool divide)
{
    return divide ? value / factor : value * factor;
}

/* Fractions of months go to days (30 each), fractions of days to microseconds. */
static bool interval_scaled(Interval in, double factor, bool divide, Interval *ret_interval)
{
    double months = scaled(in.months, factor, divide), days = scaled(in.days, factor, divide);
    if (!(fabs(months) < 2147483648.0) || !(fabs(days) < 2147483648.0)) return false;
    double month_days = millionths((months - trunc(months)) * 30);
    double seconds = millionths((days - trunc(days) + month_days - trunc(month_days)) * 86400);
    double whole_days = trunc(days) + trunc(month_days);
    if (fabs(seconds) >= 86400) {
        whole_days += trunc(seconds / 86400);
        seconds -= trunc(seconds / 86400) * 86400;
    }
    double us = rint(scaled((double)in.us, factor, divide) + seconds * 1e6);
    if (!(fabs(us) < 9.2e18) || !(fabs(whole_days) < 2147483648.0)) return false;
    *ret_interval = (Interval){(int32_t)months, (int32_t)whole_days, (int64_t)us};
    return true;
}

static Status scale_interval(KernelCall *call, int32_t interval_arg, bool divide)
{
    FOR_ACTIVE (call, row) {
        double factor = kernel_double(call, 1 - interval_arg, row);
        if (divide && factor == 0) {
            call_error(call, row, "22012", "division by zero");
        } else if (!interval_scaled(interval_at(call, interval_arg, row), factor, divide,
                                    &vector_interval(call->result)[row])) {
            out_of_range(call, row, "interval");
        }
    }
    return OK;
}

static Status kernel_interval_times(KernelCall *call, Err *err UNUSED)
{
    return scale_interval(call, 0, false);
}
static Status kernel_times_interval(KernelCall *call, Err *err UNUSED)
{
    return scale_interval(call, 1, false);
}
static Status kernel_interval_over(KernelCall *call, Err *err UNUSED)
{
    return scale_interval(call, 0, true);
}

/* ---- made of parts ---- */

static Status kernel_make_date(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t y = kernel_int64(call, 0, row), m = kernel_int64(call, 1, row);
        int64_t d = kernel_int64(call, 2, row);
        bool plausible =
            y > -4714 && y < 5874898 && m >= 1 && m <= 12 && d >= 1 && d <= 31 && y != 0;
        if (y < 0) y++;
        if (!plausible || !datetime_is_date(y, (int32_t)m, (int32_t)d)) {
            call_error(call, row, "22008", "date field value out of range: %lld-%02lld-%02lld",
                       (long long)y, (long long)m, (long long)d);
            continue;
        }
        vector_date(call->result)[row] =
            (int32_t)datetime_days_from_civil(y, (int32_t)m, (int32_t)d);
    }
    return OK;
}

static Status kernel_make_timestamp(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t part[5];
        for (int32_t i = 0; i < 5; i++) part[i] = kernel_int64(call, i, row);
        double seconds = kernel_double(call, 5, row);
        bool ok = part[0] > 0 && part[0] < 294277 && part[1] >= 1 && part[1] <= 12 &&
                  part[2] >= 1 && part[2] <= 31 && part[3] >= 0 && part[3] <= 23 && part[4] >= 0 &&
                  part[4] <= 59 && seconds >= 0 && seconds < 60;
        if (!ok || !datetime_is_date(part[0], (int32_t)part[1], (int32_t)part[2])) {
            call_error(call, row, "22008", "date/time field value out of range");
            continue;
        }
        CivilTime civil = {.year = part[0],
                           .month = (int32_t)part[1],
                           .day = (int32_t)part[2],
                           .hour = (int32_t)part[3],
                           .minute = (int32_t)part[4]};
        vector_int64(call->result)[row] =
            datetime_from_civil(&civil) + (int64_t)rint(seconds * 1e6);
    }
    return OK;
}

static Status kernel_to_timestamp(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        double us = rint(kernel_double(call, 0, row) * 1e6);
        if (!(fabs(us) < 9.2e18)) out_of_range(call, row, "timestamp");
        else vector_int64(call->result)[row] = (int64_t)us;
    }
    return OK;
}

/* ---- zones ---- */

static void zone_prepare_release(void *state)
{
    timezone_free(state);
}

static Status zone_prepare(const Vector *const *constants, int32_t count UNUSED, void **ret_state,
                           Err *err)
{
    if (!constants[0]) return OK;
    return timezone_load(vector_text(constants[0])[0], (Timezone **)ret_state, err);
}

/* The call site's zone, or the row's own (freed by the caller when it isn't the state). */
static Timezone *row_zone(KernelCall *call, int64_t row)
{
    if (call->state) return call->state;
    Err err = {0};
    Timezone *zone = NULL;
    if (timezone_load(kernel_text(call, 0, row), &zone, &err) == OK) return zone;
    call_error(call, row, "22023", "%s", err.message);
    return NULL;
}

static Status convert_zone(KernelCall *call, bool to_utc)
{
    FOR_ACTIVE (call, row) {
        Timezone *zone = row_zone(call, row);
        int64_t us = kernel_int64(call, 1, row);
        if (!zone) continue;
        vector_int64(call->result)[row] = is_infinite(us) ? us
                                          : to_utc        ? timezone_to_utc(zone, us)
                                                          : timezone_to_local(zone, us);
        if (zone != call->state) timezone_free(zone);
    }
    return OK;
}

static Status kernel_zone_to_local(KernelCall *call, Err *err UNUSED)
{
    return convert_zone(call, false);
}
static Status kernel_zone_to_utc(KernelCall *call, Err *err UNUSED)
{
    return convert_zone(call, true);
}

static Status kernel_make_in_zone(KernelCall *call, Err *err)
{
    TRY(kernel_make_timestamp(call, err));
    FOR_ACTIVE (call, row) {
        Err failed = {0};
        Timezone *zone = NULL;
        int64_t *us = &vector_int64(call->result)[row];
        if (!kernel_valid(call->result, row)) continue;
        if (timezone_load(kernel_text(call, 6, row), &zone, &failed) != OK) {
            call_error(call, row, "22023", "%s", failed.message);
            continue;
        }
        *us = timezone_to_utc(zone, *us);
        timezone_free(zone);
    }
    return OK;
}

static Status kernel_is_finite(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_bool(call->result)[row] = !is_infinite(kernel_int64(call, 0, row));
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define D "date and time"
#define O "operator"

static const Function FUNCTIONS[] = {
    {"now", " -> timestamptz", kernel_now, FUNCTION_STRICT | FUNCTION_RUN, D,
     "The time of the run or micro-batch: one value for all its rows.",
     "now() > '2020-01-01' = true", 0, 0, 0},
    {"transaction_timestamp", " -> timestamptz", kernel_now, FUNCTION_STRICT | FUNCTION_RUN, D,
     "The same as now().", "transaction_timestamp() = now() = true", 0, 0, "now"},
    {"statement_timestamp", " -> timestamptz", kernel_now, FUNCTION_STRICT | FUNCTION_RUN, D,
     "The same as now().", "statement_timestamp() = now() = true", 0, 0, "now"},
    {"make_timestamptz", "bigint, bigint, bigint, bigint, bigint, double -> timestamptz",
     kernel_make_timestamp, FALLIBLE, D, "The same in UTC.",
     "make_timestamptz(2024, 1, 2, 3, 4, 5.5) = \"2024-01-02T03:04:05.5Z\"", 0, 0, 0},
    {"make_timestamptz", "bigint, bigint, bigint, bigint, bigint, double, text -> timestamptz",
     kernel_make_in_zone, FALLIBLE, D, "The same by the clock of a zone.",
     "make_timestamptz(2024, 1, 2, 3, 4, 5, 'Europe/Berlin') = \"2024-01-02T02:04:05Z\"", 0, 0, 0},
    {"localtimestamp", " -> timestamp", kernel_now, FUNCTION_STRICT | FUNCTION_RUN, D,
     "now() without a zone (UTC).", "localtimestamp > '2020-01-01' = true", 0, 0, 0},
    {"current_date", " -> date", kernel_current_date, FUNCTION_STRICT | FUNCTION_RUN, D,
     "The day of now().", "current_date > '2020-01-01' = true", 0, 0, 0},
    {"+", "date, bigint -> date", kernel_date_plus_days, FALLIBLE, O, "Days later.",
     "date '2024-02-28' + 2 = \"2024-03-01\"", 0, 0, 0},
    {"+", "bigint, date -> date", kernel_days_plus_date, FALLIBLE, O, "Days later.",
     "1 + date '2024-02-28' = \"2024-02-29\"", 0, 0, 0},
    {"-", "date, bigint -> date", kernel_date_minus_days, FALLIBLE, O, "Days earlier.",
     "date '2024-03-01' - 1 = \"2024-02-29\"", 0, 0, 0},
    {"-", "date, date -> bigint", kernel_date_minus_date, STRICT, O, "Days between.",
     "date '2024-03-01' - date '2024-02-01' = 29", 0, 0, 0},
    {"+", "timestamp, interval -> timestamp", kernel_time_plus_interval, FALLIBLE, O, "Later.",
     "timestamp '2024-01-31 00:00' + interval '1 month' = \"2024-02-29T00:00:00\"", 0, 0, 0},
    {"+", "timestamptz, interval -> timestamptz", kernel_time_plus_interval, FALLIBLE, O, "Later.",
     "timestamptz '2024-01-01 00:00Z' + interval '90 minutes' = \"2024-01-01T01:30:00Z\"", 0, 0, 0},
    {"+", "interval, timestamp -> timestamp", kernel_interval_plus_time, FALLIBLE, O, "Later.",
     "interval '1 day' + timestamp '2024-01-01 00:00' = \"2024-01-02T00:00:00\"", 0, 0, 0},
    {"+", "interval, timestamptz -> timestamptz", kernel_interval_plus_time, FALLIBLE, O, "Later.",
     "interval '1 day' + timestamptz '2024-01-01 00:00Z' = \"2024-01-02T00:00:00Z\"", 0, 0, 0},
    {"-", "timestamp, interval -> timestamp", kernel_time_minus_interval, FALLIBLE, O, "Earlier.",
     "timestamp '2024-03-31 00:00' - interval '1 month' = \"2024-02-29T00:00:00\"", 0, 0, 0},
    {"-", "timestamptz, interval -> timestamptz", kernel_time_minus_interval, FALLIBLE, O,
     "Earlier.", "timestamptz '2024-01-01 00:00Z' - interval '1 s' = \"2023-12-31T23:59:59Z\"", 0,
     0, 0},
    {"-", "timestamp, timestamp -> interval", kernel_time_minus_time, FALLIBLE, O, "Time between.",
     "timestamp '2024-01-02 01:00' - timestamp '2024-01-01 00:00' = \"1 day 01:00:00\"", 0, 0, 0},
    {"-", "timestamptz, timestamptz -> interval", kernel_time_minus_time, FALLIBLE, O,
     "Time between.", "timestamptz '2024-01-02Z' - timestamptz '2024-01-01Z' = \"1 day\"", 0, 0, 0},
    {"+", "time, interval -> time", kernel_clock_plus_interval, STRICT, O,
     "Later, around midnight.", "time '23:00' + interval '2 hours' = \"01:00:00\"", 0, 0, 0},
    {"-", "time, time -> interval", kernel_clock_minus_clock, STRICT, O, "Time between.",
     "time '05:00' - time '03:00' = \"02:00:00\"", 0, 0, 0},
    {"+", "date, time -> timestamp", kernel_date_plus_clock, STRICT, O, "That day at that time.",
     "date '2024-01-01' + time '03:00' = \"2024-01-01T03:00:00\"", 0, 0, 0},
    {"+", "interval, interval -> interval", kernel_interval_plus, FALLIBLE, O, "Sum.",
     "interval '1 day' + interval '1 hour' = \"1 day 01:00:00\"", 0, 0, 0},
    {"-", "interval, interval -> interval", kernel_interval_minus, FALLIBLE, O, "Difference.",
     "interval '1 day' - interval '1 hour' = \"1 day -01:00:00\"", 0, 0, 0},
    {"negate", "interval -> interval", kernel_interval_negate, STRICT, O, "Minus sign.",
     "-(interval '1 day') = \"-1 days\"", 0, 0, 0},
    {"*", "interval, double -> interval", kernel_interval_times, FALLIBLE, O, "Multiple.",
     "interval '1 hour' * 3 = \"03:00:00\"", 0, 0, 0},
    {"*", "double, interval -> interval", kernel_times_interval, FALLIBLE, O, "Multiple.",
     "2 * interval '1 day' = \"2 days\"", 0, 0, 0},
    {"/", "interval, double -> interval", kernel_interval_over, FALLIBLE, O, "Part.",
     "interval '1 hour' / 2 = \"00:30:00\"", 0, 0, 0},
    {"make_date", "bigint, bigint, bigint -> date", kernel_make_date, FALLIBLE, D,
     "Of year, month, day.", "make_date(2024, 2, 29) = \"2024-02-29\"", 0, 0, 0},
    {"make_timestamp", "bigint, bigint, bigint, bigint, bigint, double -> timestamp",
     kernel_make_timestamp, FALLIBLE, D, "Of year, month, day, hour, minute, seconds.",
     "make_timestamp(2024, 1, 2, 3, 4, 5.5) = \"2024-01-02T03:04:05.5\"", 0, 0, 0},
    {"to_timestamp", "double -> timestamptz", kernel_to_timestamp, FALLIBLE, D,
     "Of seconds since 1970.", "to_timestamp(0) = \"1970-01-01T00:00:00Z\"", 0, 0, 0},
    {"timezone", "text, timestamptz -> timestamp", kernel_zone_to_local, FALLIBLE, D,
     "AT TIME ZONE: the clock's time in a zone.",
     "timestamptz '2024-07-01 12:00Z' AT TIME ZONE 'Europe/Berlin' = \"2024-07-01T14:00:00\"",
     zone_prepare, zone_prepare_release, 0},
    {"timezone", "text, timestamp -> timestamptz", kernel_zone_to_utc, FALLIBLE, D,
     "AT TIME ZONE: the moment of a clock's time in a zone.",
     "timestamp '2024-07-01 14:00' AT TIME ZONE 'Europe/Berlin' = \"2024-07-01T12:00:00Z\"",
     zone_prepare, zone_prepare_release, 0},
    {"isfinite", "timestamptz -> boolean", kernel_is_finite, STRICT, D, "Not infinity.",
     "isfinite(timestamptz 'infinity') = false", 0, 0, 0},
};
const FunctionTable DATETIME_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
