/* Trends against values computed by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>

#include "work/quality/quality_trend.h"

#define DAY INT64_C(86400000000)

static Trend trend_of(const TrendPoint *points, int64_t count)
{
    Err err = {0};
    Trend trend;
    assert_int_equal(trend_find(points, count, &trend, &err), OK);
    return trend;
}

static Trend trend_of_values(const double *values, int64_t count)
{
    TrendPoint points[64];
    for (int64_t i = 0; i < count; i++) points[i] = (TrendPoint){0, i * DAY, values[i]};
    return trend_of(points, count);
}

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void test_rising(void **state UNUSED)
{
    /* All 21 pairs rise: S = 21, variance 7·6·19/18, z = 20/√variance. */
    Trend t = trend_of_values((double[]){1, 2, 3, 4, 5, 6, 7}, 7);
    assert_int_equal(t.kind, TREND_IMPROVING);
    assert_true(near(t.slope, 1) && near(t.z, 20 / sqrt(7.0 * 6 * 19 / 18)));
}

static void test_falling_in_any_order(void **state UNUSED)
{
    TrendPoint points[8];
    for (int i = 0; i < 8; i++) points[i] = (TrendPoint){0, (7 - i) * DAY, 50 + 3.0 * i};
    Trend t = trend_of(points, 8);
    assert_int_equal(t.kind, TREND_DECLINING);
    assert_true(near(t.slope, -3));
}

static void test_ties(void **state UNUSED)
{
    /* S = 8 of 10 pairs; two ties of two: variance (5·4·15 - 2·(2·1·9))/18. */
    Trend t = trend_of_values((double[]){1, 1, 2, 2, 3}, 5);
    assert_int_equal(t.kind, TREND_STABLE);
    assert_true(near(t.z, 7 / sqrt((300.0 - 36) / 18)));
    assert_true(near(t.slope, 0.5));
}

static void test_noise_is_stable_though_last_is_above_first(void **state UNUSED)
{
    Trend t = trend_of_values((double[]){90, 99, 91, 97, 92, 95, 91, 96, 93, 94}, 10);
    assert_int_equal(t.kind, TREND_STABLE);
}

static void test_nothing_and_one(void **state UNUSED)
{
    Trend t = trend_of(NULL, 0);
    assert_true(t.kind == TREND_STABLE && t.slope == 0 && t.z == 0);
    t = trend_of_values((double[]){5}, 1);
    assert_true(t.kind == TREND_STABLE && t.slope == 0);
    t = trend_of_values((double[]){5, 5, 5, 5}, 4);
    assert_true(t.kind == TREND_STABLE && t.slope == 0 && t.z == 0);
}

static void test_series_are_not_mixed(void **state UNUSED)
{
    /* One dataset at 100, one at 50, checked in turns: no trend, whatever stands last. */
    TrendPoint points[20];
    for (int i = 0; i < 20; i++) points[i] = (TrendPoint){i % 2, i * DAY, i % 2 ? 50 : 100};
    assert_int_equal(trend_of(points, 20).kind, TREND_STABLE);
    for (int i = 0; i < 20; i++) points[i].value += i;
    assert_int_equal(trend_of(points, 20).kind, TREND_IMPROVING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rising),
        cmocka_unit_test(test_falling_in_any_order),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_noise_is_stable_though_last_is_above_first),
        cmocka_unit_test(test_nothing_and_one),
        cmocka_unit_test(test_series_are_not_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
