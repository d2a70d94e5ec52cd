/* Refusals: a broker that answers to whole batches, and which messages are found to be at fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/kafka/kafka_refusals.h"

enum { MESSAGES = 600 };

/* A broker that takes batches of at most `limit` bytes, and none with a message of code. */
typedef struct World {
    KafkaRefusals refusals;
    rd_kafka_resp_err_t codes[MESSAGES];
    int64_t bytes[MESSAGES];
    bool refused[MESSAGES];
    int64_t limit, batch_bytes;
    int32_t goes;
    bool transactional; /* nothing more is sent after a refusal */
} World;

static World make(int64_t limit, bool transactional)
{
    World world = {.limit = limit, .batch_bytes = 1000000, .transactional = transactional};
    kafka_refusals_init(&world.refusals);
    for (int32_t i = 0; i < MESSAGES; i++) world.bytes[i] = 100 + i % 50;
    return world;
}

/* One batch; false: the broker refused it. */
static bool answer(World *world, const int64_t *numbers, const int32_t *of, int32_t count)
{
    int64_t bytes = 0;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int32_t i = 0; i < count; i++) {
        bytes += world->bytes[of[i]];
        if (world->codes[of[i]]) code = world->codes[of[i]];
    }
    if (bytes > world->limit) code = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    for (int32_t i = 0; i < count; i++) {
        assert_int_equal(kafka_refusals_answer(&world->refusals, numbers[i], code, NULL), OK);
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* One go of the cycle; true: it may be committed. */
static bool go(World *world)
{
    int64_t numbers[MESSAGES], bytes = 0, group = 0;
    int32_t of[MESSAGES], count = 0;
    bool good = true;
    kafka_refusals_begin(&world->refusals);
    for (int32_t i = 0; i < MESSAGES && (good || !world->transactional); i++) {
        KafkaOrigin origin = {.part = 1, .ordinal = i};
        rd_kafka_resp_err_t code;
        world->refused[i] = kafka_refusals_known(&world->refusals, &origin, &code);
        if (world->refused[i]) continue;
        int64_t its = kafka_refusals_group(&world->refusals, &origin);
        bool full = count > 0 && bytes + world->bytes[i] > world->batch_bytes;
        if (full || its != group) {
            good &= answer(world, numbers, of, count);
            count = 0;
            bytes = 0;
        }
        if (!good && world->transactional) break;
        group = its;
        assert_int_equal(
            kafka_refusals_sent(&world->refusals, &origin, world->bytes[i], &numbers[count], NULL),
            OK);
        of[count++] = i;
        bytes += world->bytes[i];
    }
    return answer(world, numbers, of, count) && good;
}

/* Goes until one is committed: exactly `wanted` were left out. */
static void run(World *world, int32_t wanted, int32_t goes_max)
{
    while (!go(world)) {
        bool learned = false;
        assert_int_equal(kafka_refusals_learn(&world->refusals, world->batch_bytes,
                                              &world->batch_bytes, &learned, NULL),
                         OK);
        assert_true(learned);
        assert_true(++world->goes <= goes_max);
    }
    int32_t refused = 0;
    for (int32_t i = 0; i < MESSAGES; i++) {
        bool at_fault = world->codes[i] || world->bytes[i] > world->limit;
        assert_int_equal(world->refused[i], at_fault);
        refused += world->refused[i];
    }
    assert_int_equal(refused, wanted);
    Position position;
    position_init(&position);
    Span all = {.part = 1, .next = MESSAGES};
    assert_int_equal(position_merge(&position, &all, NULL), OK);
    kafka_refusals_committed(&world->refusals, &position);
    assert_int_equal(world->refusals.mark_count + world->refusals.suspect_count, 0);
    position_done(&position);
    kafka_refusals_done(&world->refusals);
}

static void test_one_of_many(void **state)
{
    (void)state;
    for (int32_t at = 0; at < MESSAGES; at += 37) {
        World world = make(1 << 30, true);
        world.codes[at] = RD_KAFKA_RESP_ERR_INVALID_RECORD;
        run(&world, 1, 4);
    }
}

static void test_several_of_many(void **state)
{
    (void)state;
    for (int32_t transactional = 0; transactional < 2; transactional++) {
        World world = make(1 << 30, transactional);
        world.codes[3] = world.codes[4] = RD_KAFKA_RESP_ERR_INVALID_RECORD;
        world.codes[300] = world.codes[599] = RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
        run(&world, 4, 12);
    }
}

static void test_batches_are_made_smaller(void **state)
{
    (void)state;
    World world = make(2000, true);
    run(&world, 0, 12);
    assert_true(world.batch_bytes <= 2000 && world.batch_bytes > 900);
}

static void test_messages_that_are_too_large(void **state)
{
    (void)state;
    for (int32_t transactional = 0; transactional < 2; transactional++) {
        World world = make(2000, transactional);
        world.bytes[0] = 2001;
        world.bytes[5] = world.bytes[6] = 90000;
        run(&world, 3, 16);
    }
}

/* Forms of a letter: the first two were refused, the third is to be tried. */
static void test_as_often_as_it_was_refused(void **state)
{
    (void)state;
    KafkaRefusals refusals;
    KafkaOrigin of = {.port = 1, .part = 2, .ordinal = 7};
    rd_kafka_resp_err_t code;
    int64_t number = 0, batch_bytes = 0;
    bool learned = false;
    kafka_refusals_init(&refusals);
    for (int32_t times = 0; times < 2; times++) {
        kafka_refusals_begin(&refusals);
        for (int32_t i = 0; i < times; i++)
            assert_true(kafka_refusals_known(&refusals, &of, &code));
        assert_false(kafka_refusals_known(&refusals, &of, &code));
        assert_int_equal(kafka_refusals_sent(&refusals, &of, 10, &number, NULL), OK);
        code = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
        assert_int_equal(kafka_refusals_answer(&refusals, number, code, NULL), OK);
        assert_int_equal(kafka_refusals_learn(&refusals, 100, &batch_bytes, &learned, NULL), OK);
        assert_true(learned && batch_bytes == 100);
    }
    kafka_refusals_done(&refusals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_many),
        cmocka_unit_test(test_several_of_many),
        cmocka_unit_test(test_batches_are_made_smaller),
        cmocka_unit_test(test_messages_that_are_too_large),
        cmocka_unit_test(test_as_often_as_it_was_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
