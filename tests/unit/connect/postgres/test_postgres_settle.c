/* Tests of connect/postgres/postgres_settle.h: when a watermark may advance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "connect/postgres/postgres_settle.h"

static void add(PostgresSettle *settle, int64_t cursor, const char *a, const char *b)
{
    Str running[] = {str_from(a), str_from(b)};
    Err err = {0};
    assert_int_equal(postgres_settle_add(settle, cursor, running, a ? b ? 2 : 1 : 0, &err), OK);
}

static int64_t decide(PostgresSettle *settle, const char *a, const char *b)
{
    Str now[] = {str_from(a), str_from(b)};
    int64_t cursor = -1;
    return postgres_settle_decide(settle, now, a ? b ? 2 : 1 : 0, &cursor) ? cursor : -1;
}

static void test_without_open_transactions_a_sample_settles_at_once(void **state)
{
    (void)state;
    PostgresSettle settle;
    postgres_settle_init(&settle);
    assert_int_equal(decide(&settle, NULL, NULL), -1);
    add(&settle, 10, NULL, NULL);
    assert_int_equal(decide(&settle, "3/1", NULL), 10);
    assert_int_equal(settle.count, 0);
    postgres_settle_done(&settle);
}

static void test_an_open_transaction_holds_back_what_was_sampled_while_it_ran(void **state)
{
    (void)state;
    PostgresSettle settle;
    postgres_settle_init(&settle);
    add(&settle, 10, "3/1", NULL);
    add(&settle, 20, "3/1", "4/1");
    add(&settle, 30, "4/1", "5/1");
    assert_int_equal(decide(&settle, "3/1", "4/1"), -1);
    /* 3/1 ended: what was the highest while only it ran is settled now. */
    assert_int_equal(decide(&settle, "4/1", "5/1"), 10);
    assert_int_equal(settle.count, 2);
    /* 4/1 is a newer transaction of the same backend: another one. */
    assert_int_equal(decide(&settle, "4/2", "5/1"), 20);
    assert_int_equal(decide(&settle, "4/2", NULL), 30);
    assert_int_equal(settle.count, 0);
    postgres_settle_done(&settle);
}

static void test_the_latest_settled_sample_counts(void **state)
{
    (void)state;
    PostgresSettle settle;
    postgres_settle_init(&settle);
    add(&settle, 10, "3/1", NULL);
    add(&settle, 20, "4/1", NULL);
    add(&settle, 30, "5/1", NULL);
    /* Who ran at the second was no longer there at the third: nothing older can hide. */
    assert_int_equal(decide(&settle, "3/1", "5/1"), 20);
    assert_int_equal(settle.count, 1);
    postgres_settle_done(&settle);
}

static void test_old_samples_stay_when_there_are_many(void **state)
{
    (void)state;
    PostgresSettle settle;
    postgres_settle_init(&settle);
    for (int64_t i = 0; i < 100; i++) add(&settle, i, i ? "4/1" : "3/1", NULL);
    assert_int_equal(settle.count, POSTGRES_SAMPLES_MAX);
    assert_int_equal(settle.samples[settle.count - 1].cursor, 99);
    assert_int_equal(decide(&settle, "4/1", NULL), 0);
    assert_int_equal(decide(&settle, NULL, NULL), 99);
    postgres_settle_done(&settle);
}

static void test_samples_survive_as_json(void **state)
{
    (void)state;
    PostgresSettle settle, again;
    Err err = {0};
    Buf json = buf_make(1 << 20);
    postgres_settle_init(&settle);
    postgres_settle_init(&again);
    add(&settle, INT64_MIN, "3/1", "4/99");
    add(&settle, INT64_MAX, NULL, NULL);
    assert_int_equal(postgres_settle_save(&settle, &json, &err), OK);
    assert_int_equal(postgres_settle_load(&again, buf_str(&json), &err), OK);
    assert_int_equal(again.count, 2);
    assert_int_equal(again.samples[0].cursor, INT64_MIN);
    assert_true(str_eq(again.samples[0].running[1], STR("4/99")));
    assert_int_equal(again.samples[1].count, 0);
    buf_done(&json);
    postgres_settle_done(&settle);
    postgres_settle_done(&again);
}

static void test_what_cant_be_read_is_forgotten(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[",
        "7",
        "[7]",
        "[{}]",
        "[{\"cursor\":1}]",
        "[{\"cursor\":1.5,\"running\":[]}]",
        "[{\"cursor\":1,\"running\":[2]}]",
        "{\"cursor\":1,\"running\":[]}",
    };
    for (int64_t i = 0; i < COUNT_OF(texts); i++) {
        PostgresSettle settle;
        Err err = {0};
        postgres_settle_init(&settle);
        assert_int_equal(postgres_settle_load(&settle, str_from(texts[i]), &err), OK);
        assert_int_equal(settle.count, 0);
        postgres_settle_done(&settle);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_open_transactions_a_sample_settles_at_once),
        cmocka_unit_test(test_an_open_transaction_holds_back_what_was_sampled_while_it_ran),
        cmocka_unit_test(test_the_latest_settled_sample_counts),
        cmocka_unit_test(test_old_samples_stay_when_there_are_many),
        cmocka_unit_test(test_samples_survive_as_json),
        cmocka_unit_test(test_what_cant_be_read_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
