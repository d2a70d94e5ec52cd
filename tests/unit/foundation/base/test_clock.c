/* The wall clock is set: watches notice, moments move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "foundation/base/clock.h"

#define HOUR_US INT64_C(3600000000)
#define NOW INT64_C(1790000000000000)

static void watches(void **state)
{
    (void)state;
    ClockWatch watch = {0};
    clock_set_us(NOW);
    assert_true(clock_watch_step(&watch) == 0);
    assert_true(clock_watch_step(&watch) == 0);
    clock_set_us(NOW + 3 * HOUR_US);
    int64_t step_us = clock_watch_step(&watch);
    assert_true(step_us > 3 * HOUR_US - CLOCK_STEP_US && step_us <= 3 * HOUR_US);
    assert_true(clock_watch_step(&watch) == 0);
    /* Small ones add up. */
    int64_t in_all_us = 0;
    for (int64_t i = 1; i <= 4; i++) {
        clock_set_us(NOW + 3 * HOUR_US - i * 600000);
        in_all_us += clock_watch_step(&watch);
    }
    assert_true(in_all_us < -2 * CLOCK_STEP_US && in_all_us > -4 * CLOCK_STEP_US);
    clock_set_us(-1);
}

static void moments(void **state)
{
    (void)state;
    assert_true(clock_moment_move(0, HOUR_US, NOW) == 0);
    assert_true(clock_moment_move(INT64_MAX, HOUR_US, NOW) == INT64_MAX);
    /* An hour ahead and back again: ten minutes ago stays ten minutes ago. */
    int64_t at = clock_moment_move(NOW - HOUR_US / 6, HOUR_US, NOW + HOUR_US);
    assert_true(at == NOW + HOUR_US - HOUR_US / 6);
    assert_true(clock_moment_move(at, -HOUR_US, NOW) == NOW - HOUR_US / 6);
    /* A board that boots in 1970: what the store says of this year stays, and is never to come. */
    assert_true(clock_moment_move(NOW - HOUR_US, NOW, NOW + HOUR_US) == NOW - HOUR_US);
    assert_true(clock_moment_move(NOW, -HOUR_US, NOW - HOUR_US) == NOW - HOUR_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(watches), cmocka_unit_test(moments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
