/* Schedules: fields, nicknames, leap days, changes of the clock, missed ticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "foundation/base/datetime.h"
#include "service/schedule/schedule.h"

static int64_t moment(const char *text)
{
    int64_t us = 0;
    bool zone = false;
    if (!datetime_parse_timestamp(str_from(text), &us, &zone) || !zone) fail_msg("%s", text);
    return us;
}

static void check_next(const char *schedule, const char *after, const char *const *ticks)
{
    Schedule s;
    Err err = {0};
    if (schedule_parse(str_from(schedule), &s, &err) != OK) fail_msg("%s", err.message);
    int64_t at = moment(after);
    for (; *ticks; ticks++) {
        at = schedule_next(&s, at);
        char text[DATETIME_TEXT_MAX + 1];
        text[datetime_format_timestamp(at, 'T', true, text)] = 0;
        if (at != moment(*ticks)) fail_msg("%s: %s, wanted %s", schedule, text, *ticks);
    }
    schedule_done(&s);
}
#define CHECK_NEXT(schedule, after, ...)                                                           \
    check_next((schedule), (after), (const char *const[]){__VA_ARGS__, NULL})

static void test_plain(void **state)
{
    (void)state;
    CHECK_NEXT("@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z");
    CHECK_NEXT("every 15m", "2026-01-01T00:07:01Z", "2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z");
    CHECK_NEXT("*/20 9-10 * * mon-fri", "2026-01-02T10:39:00Z", "2026-01-02T10:40:00Z",
               "2026-01-05T09:00:00Z", "2026-01-05T09:20:00Z");
    CHECK_NEXT("30 4 1,15 * 5", "2026-01-01T05:00:00Z", "2026-01-02T04:30:00Z",
               "2026-01-09T04:30:00Z", "2026-01-15T04:30:00Z");
    CHECK_NEXT("0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z");
    CHECK_NEXT("@yearly", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    CHECK_NEXT("0 12 31 * *", "2026-01-31T12:00:00Z", "2026-03-31T12:00:00Z");
    CHECK_NEXT("5/20 0 * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z",
               "2026-01-01T00:25:00Z", "2026-01-01T00:45:00Z", "2026-01-02T00:05:00Z");
}

static void test_leap_day(void **state)
{
    (void)state;
    CHECK_NEXT("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z",
               "2032-02-29T00:00:00Z");
    CHECK_NEXT("0 0 29 feb *", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z");
    CHECK_NEXT("0 * 29 2 *", "2096-02-29T22:30:00Z", "2096-02-29T23:00:00Z",
               "2104-02-29T00:00:00Z");
}

/* Berlin 2026: 29 March 02:00 -> 03:00 (01:00Z); 25 October 03:00 -> 02:00 (01:00Z). */
static void test_clock_changes(void **state)
{
    (void)state;
    CHECK_NEXT("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-27T12:00:00Z", "2026-03-28T01:30:00Z",
               "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
    CHECK_NEXT("CRON_TZ=Europe/Berlin 0,30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z",
               "2026-03-30T00:00:00Z");
    CHECK_NEXT("CRON_TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z",
               "2026-10-26T01:30:00Z");
    CHECK_NEXT("CRON_TZ=Europe/Berlin 30 * * * *", "2026-10-24T23:40:00Z", "2026-10-25T00:30:00Z",
               "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z");
    CHECK_NEXT("TZ=Europe/Berlin 30 * * * *", "2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z",
               "2026-03-29T01:30:00Z");
    /* Half an hour of change; and a day that never was. */
    CHECK_NEXT("CRON_TZ=Australia/Lord_Howe 15 2 * * *", "2026-10-03T12:00:00Z",
               "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z");
    CHECK_NEXT("CRON_TZ=Pacific/Apia 0 12 * * *", "2011-12-29T12:00:00Z", "2011-12-29T22:00:00Z",
               "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z");
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "a * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "1,,2 * * * *",
        "@often",
        "every 0s",
        "every now",
        "0 0 31 4 *",
        "CRON_TZ=No/Where 0 0 * * *",
        "-1 * * * *",
        "1- * * * *",
        "every 10ms",
    };
    for (int64_t i = 0; i < COUNT_OF(bad); i++) {
        Schedule s;
        Err err = {0};
        if (schedule_parse(str_from(bad[i]), &s, &err) == OK) fail_msg("\"%s\" was taken", bad[i]);
        if (err.kind != ERR_CONFIG) fail_msg("\"%s\" %s", bad[i], err.message);
    }
}

static void test_missed(void **state)
{
    (void)state;
    Schedule s;
    Err err = {0};
    assert_int_equal(schedule_parse(STR("0 */6 * * *"), &s, &err), OK);
    ScheduleMissed m =
        schedule_missed(&s, moment("2026-01-01T00:00:00Z"), moment("2026-01-02T06:00:00Z"));
    assert_int_equal(m.count, 5);
    assert_int_equal(m.last_us, moment("2026-01-02T06:00:00Z"));
    m = schedule_missed(&s, moment("2026-01-01T00:00:00Z"), moment("2026-01-01T05:59:59Z"));
    assert_int_equal(m.count, 0);
    m = schedule_missed(&s, moment("1990-01-01T00:00:00Z"), moment("2026-01-01T07:00:00Z"));
    assert_int_equal(m.count, 10000);
    assert_int_equal(m.last_us, moment("2026-01-01T06:00:00Z"));
    schedule_done(&s);
}

/* A whole year of each zone: ticks ascend, and a daily one comes 365 times. */
static void test_year(void **state)
{
    (void)state;
    static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Africa/Casablanca",
                                        "Australia/Lord_Howe"};
    for (int64_t i = 0; i < COUNT_OF(zones); i++) {
        char text[80];
        Schedule s;
        Err err = {0};
        (void)snprintf(text, sizeof text, "CRON_TZ=%s 30 2 * * *", zones[i]);
        assert_int_equal(schedule_parse(str_from(text), &s, &err), OK);
        int64_t count = 0, at = moment("2026-01-01T12:00:00Z"), last = at;
        while ((at = schedule_next(&s, at)) <= moment("2027-01-01T12:00:00Z")) {
            assert_true(at > last);
            last = at;
            count++;
        }
        assert_int_equal(count, 365);
        schedule_done(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),         cmocka_unit_test(test_leap_day),
        cmocka_unit_test(test_clock_changes), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_missed),        cmocka_unit_test(test_year),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
