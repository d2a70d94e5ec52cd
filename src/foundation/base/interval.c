/* Intervals: months, days and microseconds kept apart; PostgreSQL's and ISO 8601's text. */
#include <stdio.h>
#include <stdlib.h>

#include "foundation/base/datetime.h"

#define SECOND_US INT64_C(1000000)

typedef struct Unit {
    const char *name;
    int32_t months, days;
    int64_t us;
} Unit;

static const Unit UNITS[] = {
    {"us", 0, 0, 1},
    {"usec", 0, 0, 1},
    {"microsecond", 0, 0, 1},
    {"ms", 0, 0, 1000},
    {"msec", 0, 0, 1000},
    {"millisecond", 0, 0, 1000},
    {"s", 0, 0, SECOND_US},
    {"sec", 0, 0, SECOND_US},
    {"second", 0, 0, SECOND_US},
    {"m", 0, 0, 60 * SECOND_US},
    {"min", 0, 0, 60 * SECOND_US},
    {"minute", 0, 0, 60 * SECOND_US},
    {"h", 0, 0, 3600 * SECOND_US},
    {"hr", 0, 0, 3600 * SECOND_US},
    {"hour", 0, 0, 3600 * SECOND_US},
    {"d", 0, 1, 0},
    {"day", 0, 1, 0},
    {"w", 0, 7, 0},
    {"week", 0, 7, 0},
    {"mon", 1, 0, 0},
    {"month", 1, 0, 0},
    {"y", 12, 0, 0},
    {"yr", 12, 0, 0},
    {"year", 12, 0, 0},
    {"dec", 120, 0, 0},
    {"decade", 120, 0, 0},
    {"c", 1200, 0, 0},
    {"cent", 1200, 0, 0},
    {"century", 1200, 0, 0},
    {"centurie", 1200, 0, 0},
    {"mil", 12000, 0, 0},
    {"millennium", 12000, 0, 0},
    {"millennia", 12000, 0, 0},
};

static const Unit *unit_find(Str name)
{
    for (int32_t pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < COUNT_OF(UNITS); i++) {
            if (str_eq_nocase(name, str_from(UNITS[i].name))) return &UNITS[i];
        }
        if (name.len < 2 || (name.ptr[name.len - 1] | 32) != 's') return NULL;
        name.len--;
    }
    return NULL;
}

/* A number with its fraction as parts of 10^-6. */
typedef struct Quantity {
    int64_t whole;
    int64_t millionths; /* same sign */
} Quantity;

static bool add_us(Interval *sum, __int128 us)
{
    __int128 total = (__int128)sum->us + us;
    if (total > INT64_MAX || total < INT64_MIN) return false;
    sum->us = (int64_t)total;
    return true;
}

static bool add_days(Interval *sum, int64_t days)
{
    int64_t total = sum->days + days;
    sum->days = (int32_t)total;
    return total == sum->days;
}

/* Fractions go down: of a month into days (30), of a day into microseconds. */
static bool add_quantity(Interval *sum, Quantity q, const Unit *unit)
{
    if (unit->months) {
        __int128 months = (__int128)q.whole * unit->months;
        int64_t fraction = q.millionths * unit->months; /* of a month */
        months += sum->months + fraction / 1000000;
        fraction %= 1000000;
        if (months > INT32_MAX || months < INT32_MIN) return false;
        sum->months = (int32_t)months;
        int64_t days = fraction * 30;
        return add_days(sum, days / 1000000) && add_us(sum, (__int128)(days % 1000000) * 86400);
    }
    if (unit->days) {
        int64_t days;
        if (__builtin_mul_overflow(q.whole, (int64_t)unit->days, &days)) return false;
        if (days > INT32_MAX || days < INT32_MIN) return false;
        int64_t fraction = q.millionths * unit->days;
        if (!add_days(sum, days + fraction / 1000000)) return false;
        return add_us(sum, (__int128)(fraction % 1000000) * 86400);
    }
    __int128 us = (__int128)q.whole * unit->us;
    __int128 part = (__int128)q.millionths * unit->us;
    int32_t half = part < 0 ? -500000 : 500000;
    return add_us(sum, us + (part + half) / 1000000);
}

static bool read_quantity(const char **at, const char *end, Quantity *ret_quantity)
{
    const char *p = *at;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    Quantity q = {0};
    const char *first = p;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (q.whole > INT64_MAX / 20) return false;
        q.whole = q.whole * 10 + (*p - '0');
    }
    int64_t digits = p - first;
    if (p < end && *p == '.') {
        int64_t scale = 100000;
        for (p++; p < end && *p >= '0' && *p <= '9'; p++, scale /= 10, digits++) {
            q.millionths += (*p - '0') * scale;
        }
    }
    if (digits == 0) return false;
    if (negative) q = (Quantity){-q.whole, -q.millionths};
    *at = p;
    *ret_quantity = q;
    return true;
}

/* [-]HH:MM[:SS[.f]], the sign already read into `hours`' text. */
static bool read_clock(Str text, Interval *sum)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        text = str_slice(text, 1, text.len);
    __int128 us = 0;
    int64_t unit = 3600 * SECOND_US;
    Str part;
    int32_t parts = 0;
    while (str_next_part(&text, ':', &part)) {
        const char *at = part.ptr;
        Quantity q;
        if (part.len == 0 || part.ptr[0] == '-' || parts++ == 3) return false;
        if (!read_quantity(&at, part.ptr + part.len, &q) || at != part.ptr + part.len) return false;
        us += (__int128)q.whole * unit + q.millionths * (unit / SECOND_US);
        unit /= 60;
    }
    return parts >= 2 && add_us(sum, negative ? -us : us);
}

static bool next_word(Str *rest, Str *ret_word)
{
    *rest = str_trim(*rest);
    if (rest->len == 0) return false;
    int64_t len = 0;
    while (len < rest->len && rest->ptr[len] != ' ' && rest->ptr[len] != '\t') len++;
    *ret_word = str_slice(*rest, 0, len);
    *rest = str_slice(*rest, len, rest->len);
    return true;
}

/* SQL's years and months: [+-]Y-M. */
static bool read_years(Str word, Interval *sum)
{
    bool negative = word.len > 0 && word.ptr[0] == '-';
    if (negative || (word.len > 0 && word.ptr[0] == '+')) word = str_slice(word, 1, word.len);
    int64_t dash = str_find_char(word, '-');
    Str month = str_slice(word, dash + 1, word.len);
    const char *at = word.ptr;
    Quantity years, months;
    if (dash <= 0 || month.len == 0 || month.ptr[0] == '-' || month.ptr[0] == '+') return false;
    if (!read_quantity(&at, word.ptr + dash, &years) || at != word.ptr + dash) return false;
    at = month.ptr;
    if (!read_quantity(&at, month.ptr + month.len, &months) || at != month.ptr + month.len) {
        return false;
    }
    bool whole = years.millionths == 0 && months.millionths == 0 && months.whole < 12;
    __int128 total = (__int128)years.whole * 12 + months.whole;
    total = sum->months + (negative ? -total : total);
    if (!whole || total > INT32_MAX || total < INT32_MIN) return false;
    sum->months = (int32_t)total;
    return true;
}

/* Whether the next word is a clock: a number in front of it counts days. */
static bool clock_follows(Str text)
{
    Str word;
    return next_word(&text, &word) && str_find_char(word, ':') > 0;
}

static bool parse_words(Str text, Interval *ret_interval)
{
    Interval sum = {0};
    bool any = false;
    Str word;
    while (next_word(&text, &word)) {
        if (any && str_eq_nocase(word, STR("ago")) && str_trim(text).len == 0) {
            sum = (Interval){-sum.months, -sum.days, -sum.us};
            break;
        }
        any = true;
        if (str_find_char(word, ':') >= 0) {
            if (!read_clock(word, &sum)) return false;
            continue;
        }
        const char *at = word.ptr;
        const char *end = word.ptr + word.len;
        Quantity q;
        if (read_years(word, &sum)) continue;
        if (!read_quantity(&at, end, &q)) return false;
        Str name = str_make(at, end - at);
        if (name.len == 0 && clock_follows(text)) name = STR("day");
        if (name.len == 0 && !next_word(&text, &name)) name = STR("second");
        const Unit *unit = unit_find(name);
        if (!unit || !add_quantity(&sum, q, unit)) return false;
    }
    if (any) *ret_interval = sum;
    return any;
}

static const Unit *iso_unit(char c, bool time)
{
    switch (c) {
    case 'Y':
        return time ? NULL : unit_find(STR("year"));
    case 'M':
        return time ? unit_find(STR("minute")) : unit_find(STR("month"));
    case 'W':
        return time ? NULL : unit_find(STR("week"));
    case 'D':
        return time ? NULL : unit_find(STR("day"));
    case 'H':
        return time ? unit_find(STR("hour")) : NULL;
    case 'S':
        return time ? unit_find(STR("second")) : NULL;
    default:
        return NULL;
    }
}

/* P1Y2M3DT4H5M6.7S; text is what follows the P. */
static bool parse_iso(Str text, Interval *ret_interval)
{
    Interval sum = {0};
    bool time = false, any = false;
    const char *at = text.ptr;
    const char *end = at + text.len;
    while (at < end) {
        if (*at == 'T' && !time) {
            time = true;
            at++;
            continue;
        }
        Quantity q;
        if (!read_quantity(&at, end, &q) || at == end) return false;
        const Unit *unit = iso_unit(*at++, time);
        if (!unit || !add_quantity(&sum, q, unit)) return false;
        any = true;
    }
    if (any) *ret_interval = sum;
    return any;
}

bool interval_parse(Str text, Interval *ret_interval)
{
    text = str_trim(text);
    if (text.len > 1 && text.ptr[0] == 'P') {
        return parse_iso(str_slice(text, 1, text.len), ret_interval);
    }
    if (text.len > 0 && text.ptr[0] == '@') text = str_slice(text, 1, text.len);
    return parse_words(text, ret_interval);
}

/* PostgreSQL writes a plus in front of a positive part that follows a negative one. */
static int64_t put_part(char *to, int64_t len, int64_t value, const char *unit, bool *negative)
{
    if (value == 0) return len;
    bool one = value == 1;
    len += snprintf(to + len, (size_t)(INTERVAL_TEXT_MAX - len), "%s%s%lld %s%s", len ? " " : "",
                    *negative && value > 0 ? "+" : "", (long long)value, unit, one ? "" : "s");
    *negative = value < 0;
    return len;
}

int64_t interval_format(Interval interval, char *ret_text)
{
    bool negative = false;
    int64_t len = put_part(ret_text, 0, interval.months / 12, "year", &negative);
    len = put_part(ret_text, len, interval.months % 12, "mon", &negative);
    len = put_part(ret_text, len, interval.days, "day", &negative);
    if (interval.us == 0 && len > 0) return len;
    uint64_t us = interval.us < 0 ? 0 - (uint64_t)interval.us : (uint64_t)interval.us;
    const char *sign = interval.us < 0 ? "-" : negative ? "+" : "";
    len += snprintf(ret_text + len, (size_t)(INTERVAL_TEXT_MAX - len), "%s%s%02llu:%02llu:%02llu",
                    len ? " " : "", sign, (unsigned long long)(us / 3600000000u),
                    (unsigned long long)(us / 60000000u % 60),
                    (unsigned long long)(us / 1000000u % 60));
    if (us % 1000000 == 0) return len;
    len += snprintf(ret_text + len, (size_t)(INTERVAL_TEXT_MAX - len), ".%06llu",
                    (unsigned long long)(us % 1000000));
    while (ret_text[len - 1] == '0') len--;
    return len;
}

bool interval_add(Interval a, Interval b, Interval *ret_sum)
{
    Interval sum;
    if (__builtin_add_overflow(a.months, b.months, &sum.months)) return false;
    if (__builtin_add_overflow(a.days, b.days, &sum.days)) return false;
    if (__builtin_add_overflow(a.us, b.us, &sum.us)) return false;
    *ret_sum = sum;
    return true;
}

__int128 interval_order(Interval interval)
{
    return ((__int128)interval.months * 30 + interval.days) * DATETIME_DAY_US + interval.us;
}
