/* Totals of a day: time up, quantiles, what is kept comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "foundation/base/datetime.h"
#include "service/federate/federate_day.h"

#define SECOND INT64_C(1000000)

static void test_time_of_the_day(void **state)
{
    (void)state;
    Day day = {.day = 100};
    int64_t midnight = 100 * DATETIME_DAY_US;
    day_up(&day, midnight - 50 * SECOND, midnight + 10 * SECOND);
    assert_int_equal(day.up_us, 10 * SECOND);
    day_up(&day, midnight + 20 * SECOND, midnight + 25 * SECOND);
    assert_int_equal(day.up_us, 15 * SECOND);
    day_up(&day, midnight - 50 * SECOND, midnight - 10 * SECOND);
    day_up(&day, midnight + 30 * SECOND, midnight + 20 * SECOND); /* a clock that was set */
    assert_int_equal(day.up_us, 15 * SECOND);
    day_up(&day, midnight, midnight + 9 * DATETIME_DAY_US);
    assert_int_equal(day.up_us, DATETIME_DAY_US);
}

static void test_quantiles(void **state)
{
    (void)state;
    Day day = {0};
    assert_true(day_quantile_ms(&day, 0.95) == 0 && day_mean_ms(&day) == 0);
    day_count(&day, 90, 90, 0.010);
    day_count(&day, 9, 9, 1);
    day_count(&day, 1, 0, 60);
    day_count(&day, 0, 0, 1e9);
    const struct {
        double q, ms;
    } WANTED[] = {{0.5, 10}, {0.95, 1000}, {0.99, 1000}, {1, 60000}};
    for (int i = 0; i < COUNT_OF(WANTED); i++) {
        double ms = day_quantile_ms(&day, WANTED[i].q);
        assert_true(ms > WANTED[i].ms * 0.87 && ms < WANTED[i].ms * 1.13);
    }
    assert_true(day_error_rate(&day) == 1);
    Day quick = {0};
    day_count(&quick, 5, 5, 0.0001);
    assert_true(day_quantile_ms(&quick, 0.99) <= 1);
    day_count(&quick, 100, 100, 1e300);
    assert_true(day_quantile_ms(&quick, 0.99) > 1e6);
}

static void test_kept(void **state)
{
    (void)state;
    Day day = {.day = 20000, .rows = 7, .dropped = 3}, again;
    day_count(&day, 5, 4, 0.25);
    day_up(&day, 20000 * DATETIME_DAY_US, 20000 * DATETIME_DAY_US + SECOND);
    day_sample(&day, 10, 20, 30);
    Buf out = buf_make(1 << 16);
    JsonWriter w = json_writer_make(&out, NULL);
    json_object_begin(&w);
    day_write(&day, &w);
    json_object_end(&w);
    assert_int_equal(json_writer_end(&w), OK);
    Arena arena = arena_make(1 << 20);
    JsonValue *root = NULL;
    assert_int_equal(json_parse(buf_str(&out), &arena, &root, NULL), OK);
    day_read(&again, root);
    assert_memory_equal(&day, &again, sizeof day);
    day_read(&again, NULL);
    assert_int_equal(again.day, 0);
    buf_clear(&out);
    w = json_writer_make(&out, NULL);
    json_object_begin(&w);
    day_show(&day, &w);
    json_object_end(&w);
    assert_int_equal(json_writer_end(&w), OK);
    assert_true(str_starts(buf_str(&out), STR("{\"date\":\"2024-10-04\",\"count\":5,\"good\":4")));
    arena_done(&arena);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_time_of_the_day),
                                       cmocka_unit_test(test_quantiles),
                                       cmocka_unit_test(test_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
