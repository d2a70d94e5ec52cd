/* Tests of connect/sink_parts.h, and of the parts in connect/file_journal.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

#include "connect/file_journal.h"
#include "foundation/base/file.h"

static void put(Position *position, int32_t part, int64_t next)
{
    assert_int_equal(position_put(position, part, next, NULL), OK);
}

static void test_what_a_cycle_moves(void **state)
{
    (void)state;
    SinkParts parts = {0};
    Position position, from;
    position_init(&position);
    position_init(&from);
    for (int32_t part = 20; part >= 0; part -= 2) {
        assert_int_equal(sink_parts_put(&parts, part, part ? 100 : -1, 3, NULL), OK);
        put(&position, part, part ? 100 : -1);
        put(&from, part, part ? 100 : -1);
    }
    assert_true(sink_parts_move(&parts, &from, &position) && parts.moving == 0);
    put(&position, 0, 7);
    put(&position, 4, 101);
    assert_true(sink_parts_move(&parts, &from, &position));
    assert_int_equal(parts.moving, 2);
    sink_parts_end(&parts, false);
    assert_int_equal(sink_parts_find(&parts, 4)->next, 100);
    assert_true(sink_parts_move(&parts, &from, &position));
    sink_parts_end(&parts, true);
    position_advance(&position, &from);
    assert_int_equal(sink_parts_find(&parts, 0)->next, 7);
    assert_int_equal(sink_parts_find(&parts, 4)->next, 101);
    assert_int_equal(parts.moving, 0);
    /* A cycle that began before what the target has. */
    put(&position, 6, 110);
    put(&from, 6, 90);
    assert_false(sink_parts_move(&parts, &from, &position));
    assert_false(sink_parts_hold(&parts, 6));
    put(&position, 6, 100);
    /* A part that somebody else has, and one that was never taken over. */
    sink_parts_find(&parts, 4)->held = false;
    assert_false(sink_parts_hold(&parts, 4) || sink_parts_hold(&parts, 5));
    assert_true(sink_parts_move(&parts, &from, &position));
    put(&position, 4, 102);
    assert_false(sink_parts_move(&parts, &from, &position));
    put(&position, 4, 101);
    put(&position, 5, 1);
    assert_false(sink_parts_move(&parts, &from, &position));
    sink_parts_done(&parts);
    position_done(&position);
    position_done(&from);
}

/* One process after the other, as they open the file. */
static void take(const char *path, const char *topic, int32_t part, SinkParts *held, int64_t wanted)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    Position from;
    position_init(&from);
    assert_int_equal(file_journal_load(path, &journal, NULL), OK);
    assert_int_equal(file_journal_open_topic(&journal, STR("s"), str_from(topic), NULL), OK);
    assert_int_equal(file_journal_take(&journal, &part, 1, held, &from, NULL), OK);
    assert_int_equal(position_next(&from, part), wanted);
    journal.name = STR("s");
    assert_int_equal(file_journal_save(path, &journal, NULL), OK);
    position_done(&from);
}

static bool move(const char *path, const char *topic, SinkParts *held, int32_t part, int64_t next)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    Position position, from;
    position_init(&position);
    position_init(&from);
    put(&position, part, next);
    put(&from, part, sink_parts_find(held, part)->next);
    assert_int_equal(file_journal_load(path, &journal, NULL), OK);
    assert_int_equal(file_journal_open_topic(&journal, STR("s"), str_from(topic), NULL), OK);
    bool moved = sink_parts_move(held, &from, &position) && file_journal_holds(&journal, held);
    if (moved) file_journal_move(&journal, held);
    if (moved) assert_int_equal(file_journal_save(path, &journal, NULL), OK);
    sink_parts_end(held, moved);
    position_done(&position);
    position_done(&from);
    return moved;
}

static void test_parts_in_a_journal(void **state)
{
    (void)state;
    char folder[] = "/tmp/neuron-parts-XXXXXX", path[64], journal[80];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/f", folder);
    (void)snprintf(journal, sizeof journal, "%s.neuron", path);
    FILE *file = fopen(journal, "w");
    assert_non_null(file);
    assert_true(fputs("{\"length\":0,\"name\":\"s\",\"position\":{\"parts\":{\"0\":5}}}", file) >=
                0);
    assert_int_equal(fclose(file), 0);
    SinkParts one = {0}, two = {0};
    take(path, "t", 0, &one, 5); /* as a former version left it */
    assert_true(move(path, "t", &one, 0, 8));
    take(path, "t", 1, &one, -1);
    assert_true(move(path, "t", &one, 1, 4));
    take(path, "other", 0, &two, -1); /* another topic has partitions of its own */
    take(path, "t", 0, &two, 8);
    assert_false(move(path, "t", &one, 0, 9));
    assert_false(sink_parts_hold(&one, 0));
    assert_true(move(path, "t", &one, 1, 6));
    assert_true(move(path, "t", &two, 0, 10));
    take(path, "t", 1, &two, 6);
    sink_parts_done(&one);
    sink_parts_done(&two);
    assert_int_equal(unlink(journal), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_cycle_moves),
        cmocka_unit_test(test_parts_in_a_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
