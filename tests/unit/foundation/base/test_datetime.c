/* Calendar, times and intervals: against the C library, and as text both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "foundation/base/datetime.h"

#define DAY_US INT64_C(86400000000)

/* Every day of 1,200 years: consecutive, and as gmtime says. */
static void days_are_the_c_librarys(void **state)
{
    (void)state;
    for (int64_t day = -219000; day < 219000; day++) {
        int64_t year;
        int32_t month, date;
        datetime_civil_from_days(day, &year, &month, &date);
        assert_true(datetime_days_from_civil(year, month, date) == day);
        time_t seconds = (time_t)(day * 86400);
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(year == tm.tm_year + 1900 && month == tm.tm_mon + 1 && date == tm.tm_mday);
    }
}

static void dates_that_there_are(void **state)
{
    (void)state;
    assert_true(datetime_is_date(2024, 2, 29));
    assert_false(datetime_is_date(2023, 2, 29));
    assert_false(datetime_is_date(1900, 2, 29));
    assert_true(datetime_is_date(2000, 2, 29));
    assert_false(datetime_is_date(2024, 13, 1));
    assert_false(datetime_is_date(2024, 4, 31));
    assert_false(datetime_is_date(2024, 1, 0));
}

static void strict_forms(void **state)
{
    (void)state;
    int32_t days;
    int64_t us;
    bool zone;
    assert_true(datetime_parse_date(STR("1970-01-02"), &days) && days == 1);
    static const char *const BAD[] = {"",           "1970-1-2",    "1970-02-30", " 1970-01-02",
                                      "1970/01/02", "1970-01-02 ", "70-01-02",   "infinity"};
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_false(datetime_parse_date(str_from(BAD[i]), &days));
    }
    assert_true(datetime_parse_timestamp(STR("1970-01-01T00:00:01.5Z"), &us, &zone));
    assert_true(us == 1500000 && zone);
    assert_true(datetime_parse_timestamp(STR("1970-01-01 01:00:00+0100"), &us, &zone));
    assert_true(us == 0 && zone);
    assert_true(datetime_parse_timestamp(STR("1970-01-01 00:00:00"), &us, &zone) && !zone);
    assert_false(datetime_parse_timestamp(STR("1970-01-01 24:00:01"), &us, &zone));
    assert_false(datetime_parse_time(STR("12:60"), &us));
}

static void casts_as_postgresql(void **state)
{
    (void)state;
    int32_t days;
    int64_t us;
    bool zone;
    assert_true(datetime_cast_date(STR(" infinity "), &days) && days == INT32_MAX);
    assert_true(datetime_cast_date(STR("0044-03-15 BC"), &days));
    char text[DATETIME_TEXT_MAX + 1];
    text[datetime_format_date(days, text)] = 0;
    assert_string_equal(text, "0044-03-15 BC");
    assert_true(datetime_cast_timestamp(STR("2024-02-29"), &us, &zone));
    text[datetime_format_timestamp(us, ' ', false, text)] = 0;
    assert_string_equal(text, "2024-02-29 00:00:00");
    assert_true(datetime_cast_timestamp(STR("2024-12-31 24:00:00"), &us, &zone));
    text[datetime_format_timestamp(us, 'T', true, text)] = 0;
    assert_string_equal(text, "2025-01-01T00:00:00Z");
    assert_true(datetime_cast_timestamp(STR("epoch"), &us, &zone) && us == 0);
}

static void assert_interval(const char *from, const char *want)
{
    Interval interval;
    char text[INTERVAL_TEXT_MAX + 1];
    if (!interval_parse(str_from(from), &interval)) fail_msg("\"%s\" is no interval", from);
    text[interval_format(interval, text)] = 0;
    assert_string_equal(text, want);
}

static void intervals(void **state)
{
    (void)state;
    assert_interval("1 year 2 mons 3 days 04:05:06.7", "1 year 2 mons 3 days 04:05:06.7");
    assert_interval("P1Y2M3DT4H5M6.7S", "1 year 2 mons 3 days 04:05:06.7");
    assert_interval("2 hours ago", "-02:00:00");
    assert_interval("0", "00:00:00");
    assert_interval("-1 day", "-1 days");
    Interval bad;
    assert_false(interval_parse(STR(""), &bad));
    assert_false(interval_parse(STR("1 fortnight"), &bad));
    assert_false(interval_parse(STR("99999999999 years"), &bad));
}

/* A month from the 31st ends on the month's last day. */
static void months_are_clamped(void **state)
{
    (void)state;
    int64_t us, sum;
    bool zone;
    char text[DATETIME_TEXT_MAX + 1];
    assert_true(datetime_cast_timestamp(STR("2024-01-31 10:00"), &us, &zone));
    assert_true(datetime_add_interval(us, (Interval){.months = 1}, &sum));
    text[datetime_format_timestamp(sum, ' ', false, text)] = 0;
    assert_string_equal(text, "2024-02-29 10:00:00");
    assert_false(datetime_add_interval(us, (Interval){.months = INT32_MAX}, &sum));
    assert_true(interval_order((Interval){.months = 1}) == (__int128)30 * DAY_US);
}

/* Random microseconds return through their text. */
static void timestamps_return(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int i = 0; i < 100000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t us = (int64_t)(seed % UINT64_C(200000000000000000)) - INT64_C(60000000000000000);
        char text[DATETIME_TEXT_MAX];
        int64_t len = datetime_format_timestamp(us, i % 2 ? 'T' : ' ', i % 2, text), back;
        bool zone;
        if (!datetime_cast_timestamp(str_make(text, len), &back, &zone) || back != us) {
            fail_msg("%lld became \"%.*s\"", (long long)us, (int)len, text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_the_c_librarys),
        cmocka_unit_test(dates_that_there_are),
        cmocka_unit_test(strict_forms),
        cmocka_unit_test(casts_as_postgresql),
        cmocka_unit_test(intervals),
        cmocka_unit_test(months_are_clamped),
        cmocka_unit_test(timestamps_return),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
