/* Tests of neuron_positions (connect/table/table_loads.h): its statements word by word, and what
 * their answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/connect/table/table_world.h"

/* Take over the parts 0 and 2: the first was never committed, the other one is at 5. */
static void take(TableWorld *w)
{
    Position from;
    const int32_t parts[] = {0, 2};
    const char *cells[] = {"0", NULL, "1", "2", "5", "3"};
    memcpy(w->cells, cells, sizeof cells);
    w->rows = 2;
    w->columns = 3;
    position_init(&from);
    assert_int_equal(table_parts_take(&w->sink, parts, COUNT_OF(parts), &from, NULL), OK);
    assert_int_equal(position_next(&from, 2), 5);
    assert_int_equal(position_next(&from, 0), -1);
    position_done(&from);
}

static void check_take(const TableDriver *driver, const char *want)
{
    TableWorld w = {0};
    world_init(&w, driver, SINK_APPEND);
    take(&w);
    world_expect(&w, want);
    assert_true(sink_parts_hold(&w.sink.parts, 0) && sink_parts_hold(&w.sink.parts, 2));
    world_done(&w);
}

static void test_a_taking_over_raises_the_fence(void **state)
{
    (void)state;
    check_take(&WORLD_POSTGRES,
               "INSERT INTO neuron_positions AS p (stream, topic, partition, fence) "
               "SELECT $1, $2, m.column1, 1 FROM (VALUES (0), (2)) AS m WHERE true "
               "ORDER BY 3 ON CONFLICT (stream, topic, partition) DO UPDATE SET "
               "fence = p.fence + 1 RETURNING partition, next_offset, fence | p | "
               "orders\n");
    check_take(&WORLD_LITE, "INSERT INTO neuron_positions AS p (stream, topic, partition, fence) "
                            "SELECT $1, $2, m.column1, 1 FROM (VALUES (0), (2)) AS m WHERE true "
                            "ORDER BY 3 ON CONFLICT (stream, topic, partition) DO UPDATE SET "
                            "fence = p.fence + 1 RETURNING partition, next_offset, fence | p | "
                            "orders\n");
}

static void check_move(const TableDriver *driver, const char *want)
{
    TableWorld w = {0};
    Position from, to;
    bool held = false;
    SinkRun run = {.run_id = STR("run"), .from = &from};
    const char *moved[] = {"0", "2"};
    position_init(&from);
    position_init(&to);
    world_init(&w, driver, SINK_APPEND);
    take(&w);
    w.log[0] = 0;
    assert_int_equal(position_put(&from, 2, 5, NULL), OK);
    assert_int_equal(position_put(&to, 0, 10, NULL), OK);
    assert_int_equal(position_put(&to, 2, 7, NULL), OK);
    memcpy(w.cells, moved, sizeof moved);
    w.columns = 1;
    table_cycle_begin(&w.sink, 0);
    assert_int_equal(table_parts_move(&w.sink, &to, &run, &held, NULL), OK);
    assert_true(held);
    world_expect(&w, want);
    assert_int_equal(table_parts_move(&w.sink, &to, &run, &held, NULL), OK);
    world_expect(&w, ""); /* done already */
    table_cycle_end(&w.sink, false);
    /* The database moves one of the two: the other is somebody else's. */
    w.rows = 1;
    table_cycle_begin(&w.sink, 1);
    assert_int_equal(table_parts_move(&w.sink, &to, &run, &held, NULL), OK);
    assert_false(held);
    assert_true(sink_parts_hold(&w.sink.parts, 0));
    assert_false(sink_parts_hold(&w.sink.parts, 2));
    position_done(&from);
    position_done(&to);
    world_done(&w);
}

static void test_a_commit_moves_what_is_still_ours(void **state)
{
    (void)state;
    check_move(&WORLD_POSTGRES,
               "WITH mine AS (SELECT p.partition AS part, m.column4 AS moves FROM "
               "neuron_positions AS p JOIN (VALUES (0, CAST(NULL AS bigint), CAST(1 "
               "AS bigint), CAST(10 AS bigint)), (2, CAST(5 AS bigint), CAST(3 AS "
               "bigint), CAST(7 AS bigint))) AS m ON p.partition = m.column1 WHERE "
               "p.stream = $1 AND p.topic = $2 AND p.fence = m.column3 AND NOT "
               "p.next_offset IS DISTINCT FROM m.column2 ORDER BY p.partition FOR "
               "UPDATE OF p) UPDATE neuron_positions AS p SET next_offset = "
               "mine.moves FROM mine WHERE p.stream = $1 AND p.topic = $2 AND "
               "p.partition = mine.part RETURNING partition | p | orders\n");
    check_move(&WORLD_LITE, "WITH mine AS (SELECT p.partition AS part, m.column4 AS moves FROM "
                            "neuron_positions AS p JOIN (VALUES (0, CAST(NULL AS bigint), CAST(1 "
                            "AS bigint), CAST(10 AS bigint)), (2, CAST(5 AS bigint), CAST(3 AS "
                            "bigint), CAST(7 AS bigint))) AS m ON p.partition = m.column1 WHERE "
                            "p.stream = $1 AND p.topic = $2 AND p.fence = m.column3 AND NOT "
                            "p.next_offset IS NOT m.column2 ORDER BY p.partition) UPDATE "
                            "neuron_positions AS p SET next_offset = mine.moves FROM mine WHERE "
                            "p.stream = $1 AND p.topic = $2 AND p.partition = mine.part "
                            "RETURNING partition | p | orders\n");
}

static void test_the_state_is_each_part_of_the_topic(void **state)
{
    (void)state;
    TableWorld w = {.has = true, .rows = 1, .columns = 2, .cells = {"3", "8"}};
    LoadState load;
    world_init(&w, &WORLD_LITE, SINK_APPEND);
    load_state_init(&load);
    assert_int_equal(table_parts_state(&w.sink, &load, NULL), OK);
    assert_int_equal(position_next(&load.position, 3), 8);
    world_expect(&w, "SELECT count(*) FROM neuron_positions WHERE stream = $1 | p\n"
                     "SELECT partition, next_offset FROM neuron_positions WHERE stream = "
                     "$1 AND topic = $2 AND next_offset IS NOT NULL | p | orders\n");
    load_state_done(&load);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_taking_over_raises_the_fence),
        cmocka_unit_test(test_a_commit_moves_what_is_still_ours),
        cmocka_unit_test(test_the_state_is_each_part_of_the_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
