/* Tests of connect/table/table_sink.h: keys, what is staged and deleted, a cycle's phases, replace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/connect/table/table_world.h"

static void test_the_key(void **state)
{
    (void)state;
    Err err = {0};
    TableWorld w = {0};
    world_init(&w, &WORLD_LITE, SINK_UPSERT);
    assert_int_equal(table_check_key(&w.req, w.schema, &err), OK);
    w.key[0] = STR("nam");
    assert_int_equal(table_check_key(&w.req, w.schema, &err), FAIL);
    assert_string_equal(err.message, "the key column \"nam\" is not among the columns to load");
    assert_string_equal(err.hint, "did you mean \"name\"?");
    w.req.key_count = 0;
    assert_int_equal(table_check_key(&w.req, w.schema, &err), FAIL);
    assert_string_equal(err.message, "mode upsert needs a key");
    w.req.mode = SINK_REPLACE;
    assert_int_equal(table_check_key(&w.req, w.schema, &err), OK);
    world_done(&w);
}

typedef struct Decision {
    SinkMode mode;
    bool key, cursor, referred;
    bool keyed, staged, deletes;
} Decision;

static void test_what_is_staged_and_what_is_deleted(void **state)
{
    (void)state;
    static const Decision DECISIONS[] = {
        {.mode = SINK_APPEND},
        {.mode = SINK_APPEND, .key = true},
        {.mode = SINK_APPEND, .key = true, .cursor = true, .keyed = true, .staged = true},
        {.mode = SINK_UPSERT, .key = true, .keyed = true, .staged = true},
        {.mode = SINK_REPLACE, .key = true},
        {.mode = SINK_REPLACE, .referred = true},
        {.mode = SINK_REPLACE,
         .key = true,
         .referred = true,
         .keyed = true,
         .staged = true,
         .deletes = true},
        {.mode = SINK_MIRROR, .key = true, .keyed = true, .staged = true, .deletes = true},
    };
    for (int64_t i = 0; i < COUNT_OF(DECISIONS); i++) {
        const Decision *d = &DECISIONS[i];
        TableWorld w = {0};
        world_init(&w, &WORLD_LITE, d->mode);
        w.req.key_count = d->key;
        w.req.cursor = d->cursor ? STR("id") : STR_NULL;
        table_decide(&w.sink, d->referred);
        assert_int_equal(w.sink.plan.keyed, d->keyed);
        assert_int_equal(w.sink.plan.staged, d->staged);
        assert_int_equal(w.sink.plan.deletes, d->deletes);
        world_done(&w);
    }
}

static void test_a_cycle_takes_its_epoch_only_where_it_was_fenced(void **state)
{
    (void)state;
    TableWorld w = {0};
    world_init(&w, &WORLD_LITE, SINK_APPEND);
    w.sink.epoch = 4;
    table_cycle_end(&w.sink, false);
    table_cycle_begin(&w.sink, 7);
    assert_int_equal(w.sink.cycle.phase, TABLE_OPEN);
    assert_int_equal(w.sink.cycle.number, 7);
    assert_int_equal(w.sink.cycle.next_ord, 1);
    table_cycle_end(&w.sink, true);
    assert_int_equal(w.sink.epoch, 4);
    table_cycle_begin(&w.sink, 8);
    w.sink.cycle.fenced = true;
    table_cycle_unknown(&w.sink);
    assert_int_equal(w.sink.cycle.phase, TABLE_UNKNOWN);
    table_cycle_end(&w.sink, true);
    assert_int_equal(w.sink.epoch, 5);
    table_cycle_begin(&w.sink, 9);
    w.sink.cycle.fenced = true;
    table_cycle_end(&w.sink, false);
    assert_int_equal(w.sink.epoch, 5);
    assert_int_equal(w.sink.cycle.phase, TABLE_CLOSED);
    world_done(&w);
}

static void test_replace_deletes_all_and_looks_whether_all_is_gone(void **state)
{
    (void)state;
    Err err = {0};
    TableWorld w = {0};
    world_init(&w, &WORLD_LITE, SINK_REPLACE);
    assert_int_equal(table_describe(&w.sink, STR("t"), w.schema, NULL), OK);
    table_cycle_begin(&w.sink, 0);
    assert_false(table_deletes_first(&w.sink));
    w.sink.plan.exists = true;
    assert_true(table_deletes_first(&w.sink));
    assert_int_equal(table_clear(&w.sink, false, NULL), OK);
    world_expect(&w, "clear\n");
    w.sink.plan.differs = true;
    w.numbers[SQL_MERGE_ANY] = 1;
    assert_int_equal(table_clear(&w.sink, false, &err), FAIL);
    assert_string_equal(err.message, "rows of \"t\" are still there after DELETE");
    world_expect(&w, "clear\nany\n");
    assert_int_equal(table_clear(&w.sink, true, &err), FAIL);
    assert_string_equal(err.message, "other tables refer to rows of \"t\"");
    world_expect(&w, "any\n");
    table_cycle_end(&w.sink, true);
    table_cycle_begin(&w.sink, 1);
    assert_false(table_deletes_first(&w.sink));
    world_done(&w);
}

static void test_a_table_of_dead_letters_that_takes_none_holds_the_stream(void **state)
{
    (void)state;
    Err err = {0};
    TableWorld w = {0};
    world_init(&w, &WORLD_LITE, SINK_APPEND);
    (void)err_set(&err, ERR_CONSTRAINT, "no");
    assert_int_equal(table_rejects_result(&w.sink, STR("dead"), FAIL, &err), FAIL);
    assert_int_equal(err.kind, ERR_CONSTRAINT);
    w.req.cycle_us = 1;
    assert_int_equal(table_rejects_result(&w.sink, STR("dead"), FAIL, &err), FAIL);
    assert_int_equal(err.kind, ERR_HELD);
    (void)err_set(&err, ERR_CONNECT, "gone");
    assert_int_equal(table_rejects_result(&w.sink, STR("dead"), FAIL, &err), FAIL);
    assert_int_equal(err.kind, ERR_CONNECT);
    assert_int_equal(table_rejects_result(&w.sink, STR("dead"), OK, &err), OK);
    world_done(&w);
}

static void test_rows_that_went_straight_in_are_inserted_or_discarded(void **state)
{
    (void)state;
    TableWorld w = {0};
    world_init(&w, &WORLD_LITE, SINK_APPEND);
    table_cycle_begin(&w.sink, 0);
    w.sink.cycle.written = 10;
    w.sink.cycle.discarded = 3;
    SinkCounts counts = table_straight_counts(&w.sink);
    assert_int_equal(counts.loaded, 7);
    assert_int_equal(counts.inserted, 7);
    assert_int_equal(counts.discarded, 3);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_key),
        cmocka_unit_test(test_what_is_staged_and_what_is_deleted),
        cmocka_unit_test(test_a_cycle_takes_its_epoch_only_where_it_was_fenced),
        cmocka_unit_test(test_replace_deletes_all_and_looks_whether_all_is_gone),
        cmocka_unit_test(test_a_table_of_dead_letters_that_takes_none_holds_the_stream),
        cmocka_unit_test(test_rows_that_went_straight_in_are_inserted_or_discarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
