/* Intervals made, evened out and compared with; moments put into bins. */
#include <math.h>

#include "engine/expr/kernel.h"

static Interval interval_at(const KernelCall *call, int32_t arg, int64_t row)
{
    return vector_interval(&call->args[arg])[row & call->args[arg].mask];
}

static void out_of_range(KernelCall *call, int64_t row)
{
    call_error(call, row, "22008", "interval out of range");
}

/* Years, months, weeks, days, hours, minutes, seconds; those that are left out are 0. */
static Status kernel_make_interval(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        __int128 part[6] = {0};
        for (int32_t i = 0; i < call->arg_count && i < 6; i++) part[i] = kernel_int64(call, i, row);
        double seconds = call->arg_count > 6 ? kernel_double(call, 6, row) : 0;
        __int128 months = part[0] * 12 + part[1], days = part[2] * 7 + part[3];
        double us = rint(seconds * 1e6) + (double)part[4] * 3.6e9 + (double)part[5] * 6e7;
        bool fits = months <= INT32_MAX && months >= INT32_MIN && days <= INT32_MAX &&
                    days >= INT32_MIN && fabs(us) < 9.2e18;
        if (!fits) {
            out_of_range(call, row);
            continue;
        }
        int64_t whole = (int64_t)(part[4] * 3600000000 + part[5] * 60000000);
        vector_interval(call->result)[row] =
            (Interval){(int32_t)months, (int32_t)days, whole + (int64_t)rint(seconds * 1e6)};
    }
    return OK;
}

static Status kernel_make_time(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t hour = kernel_int64(call, 0, row), minute = kernel_int64(call, 1, row);
        double second = kernel_double(call, 2, row);
        bool ok =
            hour >= 0 && hour <= 24 && minute >= 0 && minute < 60 && second >= 0 && second <= 60;
        int64_t us = ok ? hour * 3600000000 + minute * 60000000 + (int64_t)rint(second * 1e6) : 0;
        if (!ok || us > DATETIME_DAY_US) {
            call_error(call, row, "22008", "time field value out of range");
        } else {
            vector_int64(call->result)[row] = us;
        }
    }
    return OK;
}

/* ---- evened out: 24 hours are a day, 30 days a month ---- */

static bool move_days(Interval *i)
{
    int64_t days = i->days + i->us / DATETIME_DAY_US, us = i->us % DATETIME_DAY_US;
    if (days > 0 && us < 0) {
        us += DATETIME_DAY_US;
        days--;
    } else if (days < 0 && us > 0) {
        us -= DATETIME_DAY_US;
        days++;
    }
    if (days != (int32_t)days) return false;
    i->days = (int32_t)days;
    i->us = us;
    return true;
}

static bool move_months(Interval *i)
{
    int64_t months = i->months + (int64_t)(i->days / 30), days = i->days % 30;
    if (months > 0 && days < 0) {
        days += 30;
        months--;
    } else if (months < 0 && days > 0) {
        days -= 30;
        months++;
    }
    if (months != (int32_t)months) return false;
    i->months = (int32_t)months;
    i->days = (int32_t)days;
    return true;
}

/* Both, with one sign for all parts. */
static bool move_both(Interval *i)
{
    if (!move_days(i) || !move_months(i)) return false;
    if (i->months > 0 && (i->days < 0 || (i->days == 0 && i->us < 0))) {
        i->days += 30;
        i->months--;
    } else if (i->months < 0 && (i->days > 0 || (i->days == 0 && i->us > 0))) {
        i->days -= 30;
        i->months++;
    }
    if (i->days > 0 && i->us < 0) {
        i->us += DATETIME_DAY_US;
        i->days--;
    } else if (i->days < 0 && i->us > 0) {
        i->us -= DATETIME_DAY_US;
        i->days++;
    }
    return true;
}

static Status justify_loop(KernelCall *call, bool (*move)(Interval *))
{
    FOR_ACTIVE (call, row) {
        Interval interval = interval_at(call, 0, row);
        if (move(&interval)) vector_interval(call->result)[row] = interval;
        else out_of_range(call, row);
    }
    return OK;
}

static Status kernel_justify_hours(KernelCall *call, Err *err UNUSED)
{
    return justify_loop(call, move_days);
}
static Status kernel_justify_days(KernelCall *call, Err *err UNUSED)
{
    return justify_loop(call, move_months);
}
static Status kernel_justify_interval(KernelCall *call, Err *err UNUSED)
{
    return justify_loop(call, move_both);
}

/* ---- bins, periods, offsets ---- */

static Status kernel_date_bin(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Interval stride = interval_at(call, 0, row);
        int64_t at = kernel_int64(call, 1, row), origin = kernel_int64(call, 2, row), width = 0;
        bool infinite = at == DATETIME_INFINITY || at == DATETIME_NEG_INFINITY;
        bool fits = !__builtin_mul_overflow((int64_t)stride.days, DATETIME_DAY_US, &width) &&
                    !__builtin_add_overflow(width, stride.us, &width);
        if (stride.months) {
            call_error(call, row, "0A000",
                       "timestamps cannot be binned into intervals containing months or years");
        } else if (origin == DATETIME_INFINITY || origin == DATETIME_NEG_INFINITY) {
            call_error(call, row, "22008", "origin out of range");
        } else if (!fits || width <= 0) {
            call_error(call, row, "22008", "stride must be greater than zero");
        } else {
            __int128 past = (__int128)at - origin, rest = past % width;
            if (rest < 0) rest += width;
            vector_int64(call->result)[row] = infinite ? at : (int64_t)(at - rest);
        }
    }
    return OK;
}

/* AT TIME ZONE with an interval: so much east of Greenwich. */
static Status shift_loop(KernelCall *call, int64_t sign)
{
    FOR_ACTIVE (call, row) {
        Interval offset = interval_at(call, 0, row);
        int64_t at = kernel_int64(call, 1, row), moved = at;
        bool infinite = at == DATETIME_INFINITY || at == DATETIME_NEG_INFINITY;
        if (offset.months || offset.days) {
            call_error(call, row, "22023", "a time zone must not have months or days");
        } else if (!infinite && __builtin_add_overflow(at, sign * offset.us, &moved)) {
            call_error(call, row, "22008", "timestamp out of range");
        } else {
            vector_int64(call->result)[row] = moved;
        }
    }
    return OK;
}

static Status kernel_shift_to_local(KernelCall *call, Err *err UNUSED)
{
    return shift_loop(call, 1);
}
static Status kernel_shift_to_utc(KernelCall *call, Err *err UNUSED)
{
    return shift_loop(call, -1);
}

/* A period's ends in their order; one that is NULL counts as the later one. False: both are. */
static bool period_at(const KernelCall *call, int32_t arg, int64_t row, int64_t *begin,
                      int64_t *end, bool *has_end)
{
    bool first = kernel_valid(&call->args[arg], row),
         second = kernel_valid(&call->args[arg + 1], row);
    int64_t a = first ? kernel_int64(call, arg, row) : 0;
    int64_t b = second ? kernel_int64(call, arg + 1, row) : 0;
    *has_end = first && second;
    *begin = !first ? b : !second ? a : int64_min(a, b);
    *end = int64_max(a, b);
    return first || second;
}

/* SQL's OVERLAPS: periods without their ends; a period of one moment has that moment. */
static Status kernel_overlaps(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t begin[2], end[2];
        bool has_end[2];
        bool known = period_at(call, 0, row, &begin[0], &end[0], &has_end[0]);
        known = period_at(call, 2, row, &begin[1], &end[1], &has_end[1]) && known;
        if (!known) {
            call_null(call, row);
            continue;
        }
        int32_t later = begin[0] >= begin[1] ? 0 : 1, earlier = 1 - later;
        bool same = begin[0] == begin[1];
        uint8_t *out = &vector_bool(call->result)[row];
        if (same && has_end[0] && has_end[1]) *out = true;
        else if (!same && has_end[earlier]) *out = begin[later] < end[earlier];
        else call_null(call, row);
    }
    return OK;
}

static Status kernel_finite_date(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int32_t days = vector_date(&call->args[0])[row & call->args[0].mask];
        vector_bool(call->result)[row] = days != DATE_INFINITY && days != DATE_NEG_INFINITY;
    }
    return OK;
}

static Status kernel_finite_interval(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) vector_bool(call->result)[row] = true;
    return OK;
}

static Status clock_loop(KernelCall *call, int32_t clock, int32_t interval, int64_t sign)
{
    FOR_ACTIVE (call, row) {
        int64_t us = kernel_int64(call, clock, row) % DATETIME_DAY_US;
        us =
            (us + sign * (interval_at(call, interval, row).us % DATETIME_DAY_US)) % DATETIME_DAY_US;
        vector_int64(call->result)[row] = us < 0 ? us + DATETIME_DAY_US : us;
    }
    return OK;
}

static Status kernel_plus_clock(KernelCall *call, Err *err UNUSED)
{
    return clock_loop(call, 1, 0, 1);
}
static Status kernel_clock_minus(KernelCall *call, Err *err UNUSED)
{
    return clock_loop(call, 0, 1, -1);
}

static Status kernel_clock_plus_date(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t days = vector_date(&call->args[1])[row & call->args[1].mask];
        vector_int64(call->result)[row] = days * DATETIME_DAY_US + kernel_int64(call, 0, row);
    }
    return OK;
}

static Status kernel_local_time(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t rest = call->run->now_us % DATETIME_DAY_US;
        vector_int64(call->result)[row] = rest < 0 ? rest + DATETIME_DAY_US : rest;
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define D "date and time"
#define OP "operator"

static const Function FUNCTIONS[] = {
    {"make_interval", "[bigint, bigint, bigint, bigint, bigint, bigint, double] -> interval",
     kernel_make_interval, FALLIBLE, D,
     "Of years, months, weeks, days, hours, mins, secs; also by name: days => 10.",
     "make_interval(days => 10, hours => 2) = \"10 days 02:00:00\"", 0, 0, 0},
    {"make_time", "bigint, bigint, double -> time", kernel_make_time, FALLIBLE, D,
     "Of hour, minute, seconds.", "make_time(8, 15, 23.5) = \"08:15:23.5\"", 0, 0, 0},
    {"justify_hours", "interval -> interval", kernel_justify_hours, FALLIBLE, D,
     "24 hours become a day.", "justify_hours(interval '50 hours') = \"2 days 02:00:00\"", 0, 0, 0},
    {"justify_days", "interval -> interval", kernel_justify_days, FALLIBLE, D,
     "30 days become a month.", "justify_days(interval '65 days') = \"2 mons 5 days\"", 0, 0, 0},
    {"justify_interval", "interval -> interval", kernel_justify_interval, FALLIBLE, D,
     "Both, with one sign.", "justify_interval(interval '1 mon -1 hour') = \"29 days 23:00:00\"", 0,
     0, 0},
    {"date_bin", "interval, timestamp, timestamp -> timestamp", kernel_date_bin, FALLIBLE, D,
     "The start of the interval that it is in, counted from the third.",
     "date_bin('15 minutes', timestamp '2024-01-01 10:37', timestamp '2024-01-01') = "
     "\"2024-01-01T10:30:00\"",
     0, 0, 0},
    {"date_bin", "interval, timestamptz, timestamptz -> timestamptz", kernel_date_bin, FALLIBLE, D,
     "The same.",
     "date_bin('1 hour', timestamptz '2024-01-01 10:37Z', timestamptz '2024-01-01Z') = "
     "\"2024-01-01T10:00:00Z\"",
     0, 0, 0},
    {"timezone", "interval, timestamptz -> timestamp", kernel_shift_to_local, FALLIBLE, D,
     "AT TIME ZONE of an offset.",
     "timestamptz '2024-01-01 00:00Z' AT TIME ZONE interval '2 hours' = \"2024-01-01T02:00:00\"", 0,
     0, 0},
    {"timezone", "interval, timestamp -> timestamptz", kernel_shift_to_utc, FALLIBLE, D,
     "AT TIME ZONE of an offset.",
     "timestamp '2024-01-01 02:00' AT TIME ZONE interval '2 hours' = \"2024-01-01T00:00:00Z\"", 0,
     0, 0},
    {"overlaps", "timestamptz, timestamptz, timestamptz, timestamptz -> boolean", kernel_overlaps,
     0, D, "(begin, end) OVERLAPS (begin, end); an end may be an interval.",
     "(date '2024-01-01', date '2024-01-10') OVERLAPS (date '2024-01-05', date '2024-02-01') = "
     "true",
     0, 0, 0},
    {"overlaps", "time, time, time, time -> boolean", kernel_overlaps, 0, D, "The same of times.",
     "(time '01:00', time '02:00') OVERLAPS (time '02:00', time '03:00') = false", 0, 0, 0},
    {"isfinite", "date -> boolean", kernel_finite_date, STRICT, D, "Not infinity.",
     "isfinite(date 'infinity') = false", 0, 0, 0},
    {"isfinite", "interval -> boolean", kernel_finite_interval, STRICT, D, "All are.",
     "isfinite(interval '1 day') = true", 0, 0, 0},
    {"+", "interval, time -> time", kernel_plus_clock, STRICT, OP, "Later, around midnight.",
     "interval '2 hours' + time '23:00' = \"01:00:00\"", 0, 0, 0},
    {"-", "time, interval -> time", kernel_clock_minus, STRICT, OP, "Earlier, around midnight.",
     "time '01:00' - interval '2 hours' = \"23:00:00\"", 0, 0, 0},
    {"+", "time, date -> timestamp", kernel_clock_plus_date, STRICT, OP, "That day at that time.",
     "time '03:00' + date '2024-01-01' = \"2024-01-01T03:00:00\"", 0, 0, 0},
    {"localtime", " -> time", kernel_local_time, FUNCTION_STRICT | FUNCTION_RUN, D,
     "The time of now() (UTC).", "localtime >= time '00:00' = true", 0, 0, 0},
};
const FunctionTable INTERVAL_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
