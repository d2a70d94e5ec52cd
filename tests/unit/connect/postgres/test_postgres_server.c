/* Tests of connect/postgres/postgres_server.h: is the server still the one that a watermark is of?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "connect/postgres/postgres_server.h"

enum { SECOND = 1000000, HOUR = 3600 };

/* A primary at second 1000 of all clocks, its log at 500. */
static PostgresSeen seen(void)
{
    PostgresSeen one = {.server = {.system = "771",
                                   .timeline = 1,
                                   .database = 5,
                                   .clock_us = 1000 * INT64_C(1000000),
                                   .lsn = 500},
                        .boot = "machine"};
    one.asked = (PostgresOwnClocks){1000 * INT64_C(1000000), 1000 * INT64_C(1000000)};
    one.answered = one.asked;
    return one;
}

/* The same server so many seconds later by every clock. */
static PostgresSeen later(int64_t seconds)
{
    PostgresSeen one = seen();
    one.server.clock_us += seconds * SECOND;
    one.server.lsn += seconds;
    one.asked.wall_us += seconds * SECOND;
    one.asked.up_us += seconds * SECOND;
    one.answered = one.asked;
    return one;
}

static PostgresChange change(const PostgresSeen *before, const PostgresSeen *now)
{
    int64_t low_us = 0;
    return postgres_server_change(before, now, true, &low_us);
}

static void test_time_passes(void **state)
{
    (void)state;
    PostgresSeen before = seen();
    static const int64_t seconds[] = {0, 1, HOUR, 1000 * HOUR};
    for (int64_t i = 0; i < COUNT_OF(seconds); i++) {
        PostgresSeen now = later(seconds[i]);
        assert_int_equal(change(&before, &now), POSTGRES_SAME);
        now.server.clock_us -= 400000; /* an answer takes its time */
        assert_int_equal(change(&before, &now), POSTGRES_SAME);
    }
}

static void test_another_cluster_or_database(void **state)
{
    (void)state;
    PostgresSeen before = seen(), now = later(10);
    now.server.database = 6;
    assert_int_equal(change(&before, &now), POSTGRES_OTHER);
    now = later(10);
    now.server.system[0] = '8';
    assert_int_equal(change(&before, &now), POSTGRES_OTHER);
    now.server.system[0] = 0; /* it doesn't say */
    assert_int_equal(change(&before, &now), POSTGRES_SAME);
}

static void test_a_crash_that_lost_log_is_noticed(void **state)
{
    (void)state;
    PostgresSeen before = seen(), now = later(10);
    now.server.recovered = 500;
    assert_int_equal(change(&before, &now), POSTGRES_SAME);
    now.server.recovered = 499;
    assert_int_equal(change(&before, &now), POSTGRES_LOST);
    before.server.recovered = 499; /* that crash was before */
    assert_int_equal(change(&before, &now), POSTGRES_SAME);
    now.server.lsn = 400;
    assert_int_equal(change(&before, &now), POSTGRES_LOST);
}

static void test_a_failover_keeps_what_the_standby_had(void **state)
{
    (void)state;
    PostgresSeen before = seen(), now = later(10);
    now.server.timeline = 2;
    now.server.received = now.server.recovered = 500;
    assert_int_equal(change(&before, &now), POSTGRES_SAME);
    now.server.recovered = 499;
    assert_int_equal(change(&before, &now), POSTGRES_LOST);
    now.server.recovered = 600;
    now.server.received = 0; /* a restored backup, or restarted since: nobody knows */
    assert_int_equal(change(&before, &now), POSTGRES_LOST);
    now.server.received = 600;
    now.server.timeline = 3; /* two failovers: the first is not known */
    assert_int_equal(change(&before, &now), POSTGRES_LOST);
}

static void test_a_standby_that_goes_on_has_lost_nothing(void **state)
{
    (void)state;
    PostgresSeen before = seen(), now = later(10);
    before.server.standby = now.server.standby = true;
    before.server.timeline = now.server.timeline = 0;
    before.server.recovered = 500;
    now.server.recovered = 510;
    assert_int_equal(change(&before, &now), POSTGRES_SAME);
    now.server.standby = false; /* promoted */
    now.server.timeline = 2;
    assert_int_equal(change(&before, &now), POSTGRES_SAME);
}

static void test_a_clock_that_was_set_back(void **state)
{
    (void)state;
    int64_t low_us = 0;
    PostgresSeen before = seen(), now = later(HOUR);
    now.server.clock_us -= 3 * INT64_C(1000000); /* still after the last look's */
    assert_int_equal(postgres_server_change(&before, &now, true, &low_us), POSTGRES_CLOCK_BACK);
    /* As low as the clock can have shown since, and not much lower. */
    assert_true(low_us <= before.server.clock_us - 3 * INT64_C(1000000));
    assert_true(low_us > before.server.clock_us - 10 * INT64_C(1000000));
    assert_int_equal(postgres_server_change(&before, &now, false, &low_us), POSTGRES_SAME);
}

static void test_our_own_clock_may_step_too(void **state)
{
    (void)state;
    int64_t low_us = 0;
    PostgresSeen before = seen(), now = later(HOUR);
    now.asked.wall_us -= 9 * INT64_C(3600000000); /* the same machine: the even clock counts */
    assert_int_equal(change(&before, &now), POSTGRES_SAME);
    now.boot[0] = 'M'; /* another one: how long it is isn't known */
    assert_int_equal(change(&before, &now), POSTGRES_SAME);
    now.server.clock_us = before.server.clock_us - 1;
    assert_int_equal(postgres_server_change(&before, &now, true, &low_us), POSTGRES_CLOCK_BACK);
    assert_true(low_us == INT64_MIN);
}

static void test_a_standby_is_as_old_as_its_last_transaction_unless_it_is_current(void **state)
{
    (void)state;
    PostgresServer server = {.clock_us = 900, .replayed_us = 700, .lsn = 5, .received = 5};
    assert_int_equal(postgres_server_as_of_us(&server), 900);
    server.standby = true;
    assert_int_equal(postgres_server_as_of_us(&server), 700);
    server.receiving = true;
    assert_int_equal(postgres_server_as_of_us(&server), 900);
    server.received = 6;
    assert_int_equal(postgres_server_as_of_us(&server), 700);
}

static void test_what_was_seen_survives_as_json(void **state)
{
    (void)state;
    PostgresSeen before = seen(), again;
    Buf json = buf_make(1 << 16);
    JsonWriter w = json_writer_make(&json, NULL);
    JsonSlot root;
    postgres_seen_save(&before, &w);
    assert_int_equal(json_writer_end(&w), OK);
    assert_true(json_scan(buf_str(&json), &root, NULL));
    assert_true(postgres_seen_load(&root, &again));
    assert_int_equal(again.server.lsn, 500);
    assert_int_equal(again.answered.up_us, before.answered.up_us);
    assert_string_equal(again.server.system, "771");
    assert_string_equal(again.boot, "machine");
    buf_done(&json);
    static const char *const texts[] = {"7", "[]", "{}", "{\"system\":\"771\",\"timeline\":1}"};
    for (int64_t i = 0; i < COUNT_OF(texts); i++) {
        assert_true(json_scan(str_from(texts[i]), &root, NULL));
        assert_false(postgres_seen_load(&root, &again));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_passes),
        cmocka_unit_test(test_another_cluster_or_database),
        cmocka_unit_test(test_a_crash_that_lost_log_is_noticed),
        cmocka_unit_test(test_a_failover_keeps_what_the_standby_had),
        cmocka_unit_test(test_a_standby_that_goes_on_has_lost_nothing),
        cmocka_unit_test(test_a_clock_that_was_set_back),
        cmocka_unit_test(test_our_own_clock_may_step_too),
        cmocka_unit_test(test_a_standby_is_as_old_as_its_last_transaction_unless_it_is_current),
        cmocka_unit_test(test_what_was_seen_survives_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
