/* The breaker: shares, floods too small to count, what is forgotten, being let go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "foundation/base/clock.h"
#include "work/stream/stream_impl.h"

static Status check(Breaker *breaker, int64_t extracted, int64_t rejected, Err *err)
{
    SinkRun run = {.extracted = extracted, .rejected = rejected};
    return breaker_check(breaker, NULL, &run, err);
}

static const StreamConfig TENTH = {.breaker.max_rejects = 0.1, .breaker.window_us = 60000000};

static void test_share(void **state)
{
    (void)state;
    Breaker breaker;
    Err err = {0};
    breaker_init(&breaker, &TENTH, false);
    assert_int_equal(check(&breaker, 100, 10, &err), OK); /* exactly the share */
    breaker_add(&breaker, 100, 10);
    assert_int_equal(check(&breaker, 100, 0, &err), OK);
    assert_int_equal(check(&breaker, 100, 11, &err), FAIL);
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_non_null(strstr(err.message, "21 of the last 200"));
    assert_non_null(strstr(err.hint, "resume"));
    /* What was rolled back is not counted. */
    assert_int_equal(check(&breaker, 1000, 50, &err), OK);
}

static void test_few_are_no_flood(void **state)
{
    (void)state;
    Breaker breaker;
    Err err = {0};
    breaker_init(&breaker, &TENTH, false);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(check(&breaker, 1, 1, &err), OK);
        breaker_add(&breaker, 1, 1);
    }
    assert_int_equal(check(&breaker, 1, 1, &err), FAIL);
}

/* A cycle without failures passes, however many failed before: the share is not its doing. */
static void test_good_cycles_pass(void **state)
{
    (void)state;
    Breaker breaker;
    breaker_init(&breaker, &TENTH, false);
    breaker_add(&breaker, 100, 100);
    assert_int_equal(check(&breaker, 1, 0, NULL), OK);
}

static void test_old_ones_are_forgotten(void **state)
{
    (void)state;
    static const StreamConfig SHORT = {.breaker.max_rejects = 0.1, .breaker.window_us = 60000};
    Breaker breaker;
    breaker_init(&breaker, &SHORT, false);
    breaker_add(&breaker, 100, 100);
    assert_int_equal(check(&breaker, 1, 1, NULL), FAIL);
    int64_t until_ns = clock_mono_ns() + 130 * INT64_C(1000000);
    while (clock_mono_ns() < until_ns) (void)clock_now_us();
    assert_int_equal(check(&breaker, 1, 1, NULL), OK);
}

static void test_off(void **state)
{
    (void)state;
    static const StreamConfig NONE = {0};
    Breaker breaker;
    breaker_init(&breaker, &NONE, false);
    assert_int_equal(check(&breaker, 1000, 1000, NULL), OK);
    breaker_add(&breaker, 1000, 1000);
    breaker_init(&breaker, &TENTH, true); /* let go for a minute */
    assert_int_equal(check(&breaker, 1000, 1000, NULL), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_few_are_no_flood),
        cmocka_unit_test(test_good_cycles_pass),
        cmocka_unit_test(test_old_ones_are_forgotten),
        cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
