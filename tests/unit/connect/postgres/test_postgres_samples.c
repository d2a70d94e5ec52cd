/* Tests of connect/postgres/postgres_samples.h: what a sample of the watermark waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "connect/postgres/postgres_samples.h"

enum { SOME = 4 };

/* A look, written down by the tests. */
typedef struct Scene {
    PostgresSession sessions[SOME];
    Str prepared[SOME];
    int32_t session_count, prepared_count;
} Scene;

static PostgresSession session(int64_t pid, const char *transaction, int64_t message_us)
{
    return (PostgresSession){
        .pid = pid, .start_us = 1, .message_us = message_us, .transaction = str_from(transaction)};
}

static void scene_add(Scene *scene, PostgresSession one)
{
    scene->sessions[scene->session_count++] = one;
}

static PostgresLook look_of(const Scene *scene)
{
    return (PostgresLook){.sessions = scene->sessions,
                          .session_count = scene->session_count,
                          .prepared = scene->prepared,
                          .prepared_count = scene->prepared_count};
}

static void add(PostgresSamples *samples, int64_t cursor, const Scene *scene)
{
    PostgresLook look = look_of(scene);
    assert_int_equal(postgres_samples_add(samples, cursor, 0, &look, NULL), OK);
    postgres_samples_free(samples, 0);
}

static int64_t decide(PostgresSamples *samples)
{
    int64_t cursor = -1;
    return postgres_samples_decide(samples, 0, INT64_MAX, &cursor) ? cursor : -1;
}

static int64_t pass(PostgresSamples *samples, const Scene *scene)
{
    PostgresLook look = look_of(scene);
    bool freed = false;
    assert_int_equal(postgres_samples_pass(samples, &look, &freed, NULL), OK);
    if (freed) postgres_samples_free(samples, 0);
    return decide(samples);
}

static int setup(void **state)
{
    static PostgresSamples samples;
    postgres_samples_init(&samples);
    *state = &samples;
    return 0;
}

static int teardown(void **state)
{
    postgres_samples_done(*state);
    return 0;
}

static void test_where_nobody_is_at_work_a_sample_is_stable_at_once(void **state)
{
    Scene idle = {0};
    scene_add(&idle, session(1, "", POSTGRES_MESSAGE_NONE));
    assert_int_equal(decide(*state), -1);
    add(*state, 10, &idle);
    assert_int_equal(decide(*state), 10);
    assert_int_equal(decide(*state), -1);
}

static void test_an_open_transaction_is_waited_for(void **state)
{
    Scene first = {0}, second = {0}, third = {0};
    scene_add(&first, session(1, "3/1", POSTGRES_MESSAGE_NONE));
    scene_add(&second, session(1, "3/1", POSTGRES_MESSAGE_NONE));
    scene_add(&second, session(2, "4/1", POSTGRES_MESSAGE_NONE));
    scene_add(&third, session(1, "3/2", POSTGRES_MESSAGE_NONE));
    scene_add(&third, session(2, "4/1", POSTGRES_MESSAGE_NONE));
    add(*state, 10, &first);
    assert_int_equal(pass(*state, &first), -1);
    add(*state, 20, &second);
    /* 3/2 is a newer transaction of the same session: another one. */
    assert_int_equal(pass(*state, &third), 10);
    assert_int_equal(pass(*state, &(Scene){0}), 20);
}

static void test_a_message_is_waited_for_over_its_transactions(void **state)
{
    Scene now = {0}, between = {0}, second = {0}, next = {0};
    scene_add(&now, session(1, "3/1", 100));
    scene_add(&between, session(1, "", 100));
    scene_add(&second, session(1, "3/2", 100));
    scene_add(&next, session(1, "3/3", 200));
    next.sessions[0].began_us = 200;
    add(*state, 10, &now);
    assert_int_equal(pass(*state, &between), -1);
    assert_int_equal(pass(*state, &second), -1);
    assert_int_equal(pass(*state, &next), 10);
}

static void test_a_transaction_that_a_message_leaves_open_is_as_old_as_the_message(void **state)
{
    Scene now = {0}, left = {0}, next = {0};
    scene_add(&now, session(1, "3/1", 100));
    scene_add(&left, session(1, "3/2", POSTGRES_MESSAGE_NONE));
    left.sessions[0].began_us = 100;
    next = left;
    next.sessions[0].message_us = 300;
    add(*state, 10, &now);
    assert_int_equal(pass(*state, &left), -1);
    assert_int_equal(pass(*state, &next), -1);
    next.sessions[0].transaction = STR("3/3");
    assert_int_equal(pass(*state, &next), 10);
}

static void test_a_transaction_that_a_message_prepares_is_as_old_as_the_message(void **state)
{
    Scene now = {0}, prepared = {0};
    scene_add(&now, session(1, "", 100));
    scene_add(&prepared, session(1, "", POSTGRES_MESSAGE_NONE));
    prepared.prepared[prepared.prepared_count++] = STR("771");
    add(*state, 10, &now);
    assert_int_equal(pass(*state, &prepared), -1);
    assert_int_equal(pass(*state, &(Scene){0}), 10);
}

static void test_another_session_of_the_same_pid_is_another(void **state)
{
    Scene now = {0}, later = {0};
    scene_add(&now, session(1, "3/1", 100));
    scene_add(&later, session(1, "3/1", 100));
    later.sessions[0].start_us = 2;
    add(*state, 10, &now);
    assert_int_equal(pass(*state, &later), 10);
}

static void test_a_hidden_message_is_over_when_the_session_has_no_transaction(void **state)
{
    Scene hidden = {0}, second = {0}, none = {0};
    scene_add(&hidden, session(1, "", POSTGRES_MESSAGE_HIDDEN));
    hidden.sessions[0].start_us = 0;
    second = hidden;
    second.sessions[0].transaction = STR("3/2");
    none = hidden;
    add(*state, 10, &hidden);
    assert_int_equal(decide(*state), -1);
    assert_int_equal(pass(*state, &second), -1);
    assert_int_equal(pass(*state, &none), 10);
}

static void test_a_transaction_that_is_prepared_goes_on(void **state)
{
    Scene open = {0}, prepared = {0}, other = {0};
    scene_add(&open, session(1, "3/1", POSTGRES_MESSAGE_NONE));
    prepared.prepared[prepared.prepared_count++] = STR("771");
    other.prepared[other.prepared_count++] = STR("900");
    add(*state, 10, &open);
    assert_int_equal(pass(*state, &prepared), -1);
    /* 900 came when the sample's transactions were known to have ended: not one of them. */
    assert_int_equal(pass(*state, &other), 10);
}

static void test_prepared_transactions_are_waited_for(void **state)
{
    Scene prepared = {0}, both = {0}, other = {0};
    prepared.prepared[prepared.prepared_count++] = STR("771");
    both.prepared[both.prepared_count++] = STR("771");
    both.prepared[both.prepared_count++] = STR("900");
    other.prepared[other.prepared_count++] = STR("900");
    add(*state, 10, &prepared);
    assert_int_equal(pass(*state, &both), -1);
    assert_int_equal(pass(*state, &other), 10);
}

static void test_the_latest_stable_sample_counts(void **state)
{
    Scene scenes[3] = {0};
    for (int32_t i = 0; i < 3; i++) {
        scene_add(&scenes[i], session(i + 1, "9/9", POSTGRES_MESSAGE_NONE));
        add(*state, (i + 1) * 10, &scenes[i]);
    }
    Scene last = {0};
    scene_add(&last, scenes[0].sessions[0]);
    scene_add(&last, scenes[2].sessions[0]);
    /* Who was at work at the second had ended: nothing older can be hidden. */
    assert_int_equal(pass(*state, &last), 20);
    assert_int_equal(((PostgresSamples *)*state)->count, 1);
}

static void test_old_samples_stay_when_there_are_many(void **state)
{
    Scene first = {0}, other = {0};
    scene_add(&first, session(1, "3/1", POSTGRES_MESSAGE_NONE));
    scene_add(&other, session(2, "4/1", POSTGRES_MESSAGE_NONE));
    for (int64_t i = 0; i < 100; i++) add(*state, i, i ? &other : &first);
    assert_int_equal(((PostgresSamples *)*state)->count, POSTGRES_SAMPLES_MAX);
    assert_int_equal(pass(*state, &other), 0);
    assert_int_equal(pass(*state, &(Scene){0}), 99);
}

static void test_a_standby_must_know_what_is_stable_and_time_must_pass(void **state)
{
    PostgresSamples *samples = *state;
    PostgresLook nobody = {0};
    int64_t cursor = 0;
    assert_int_equal(postgres_samples_add(samples, 10, 50, &nobody, NULL), OK);
    postgres_samples_free(samples, 700);
    assert_false(postgres_samples_decide(samples, 50, 699, &cursor));
    assert_false(postgres_samples_decide(samples, 49, 700, &cursor));
    assert_true(postgres_samples_decide(samples, 50, 700, &cursor));
    assert_int_equal(cursor, 10);
}

static Status load(PostgresSamples *samples, Str json)
{
    JsonSlot root;
    if (!json_scan(json, &root, NULL)) return OK;
    return postgres_samples_load(samples, &root, NULL);
}

static void test_samples_survive_as_json(void **state)
{
    PostgresSamples *samples = *state, again;
    Scene scene = {0};
    Buf json = buf_make(1 << 20);
    scene_add(&scene, session(7, "3/1", 100));
    scene_add(&scene, session(8, "", POSTGRES_MESSAGE_HIDDEN));
    scene.prepared[scene.prepared_count++] = STR("771");
    add(samples, INT64_MIN, &scene);
    add(samples, INT64_MAX, &(Scene){0});
    JsonWriter w = json_writer_make(&json, NULL);
    postgres_samples_save(samples, &w);
    assert_int_equal(json_writer_end(&w), OK);
    postgres_samples_init(&again);
    assert_int_equal(load(&again, buf_str(&json)), OK);
    assert_int_equal(again.count, 2);
    assert_int_equal(again.items[0].cursor, INT64_MIN);
    assert_int_equal(again.items[0].count, 3);
    assert_int_equal(again.items[0].waits[0].pid, 7);
    assert_int_equal(again.items[0].waits[0].message_us, 100);
    assert_true(str_eq(again.items[0].waits[0].transaction, STR("3/1")));
    assert_int_equal(again.items[0].waits[1].message_us, POSTGRES_MESSAGE_HIDDEN);
    assert_int_equal(again.items[0].waits[2].pid, 0);
    assert_int_equal(decide(&again), INT64_MAX);
    buf_done(&json);
    postgres_samples_done(&again);
}

static void test_what_cant_be_read_is_forgotten(void **state)
{
    static const char *const texts[] = {
        "7",
        "[7]",
        "[{}]",
        "{\"cursor\":1}",
        "[{\"cursor\":1,\"ripe\":0,\"lsn\":0}]",
        "[{\"cursor\":1.5,\"ripe\":0,\"lsn\":0,\"waits\":[]}]",
        "[{\"cursor\":1,\"ripe\":0,\"lsn\":0,\"waits\":[2]}]",
        "[{\"cursor\":1,\"ripe\":0,\"lsn\":0,\"waits\":[[1,2,3]]}]",
        "[{\"cursor\":1,\"ripe\":0,\"lsn\":0,\"waits\":[[1,2,3,4]]}]",
        "[{\"cursor\":1,\"running\":[\"3/1\"]}]",
    };
    for (int64_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(load(*state, str_from(texts[i])), OK);
        assert_int_equal(((PostgresSamples *)*state)->count, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_where_nobody_is_at_work_a_sample_is_stable_at_once),
        TEST(test_an_open_transaction_is_waited_for),
        TEST(test_a_message_is_waited_for_over_its_transactions),
        TEST(test_a_transaction_that_a_message_leaves_open_is_as_old_as_the_message),
        TEST(test_a_transaction_that_a_message_prepares_is_as_old_as_the_message),
        TEST(test_another_session_of_the_same_pid_is_another),
        TEST(test_a_hidden_message_is_over_when_the_session_has_no_transaction),
        TEST(test_a_transaction_that_is_prepared_goes_on),
        TEST(test_prepared_transactions_are_waited_for),
        TEST(test_the_latest_stable_sample_counts),
        TEST(test_old_samples_stay_when_there_are_many),
        TEST(test_a_standby_must_know_what_is_stable_and_time_must_pass),
        TEST(test_samples_survive_as_json),
        TEST(test_what_cant_be_read_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
