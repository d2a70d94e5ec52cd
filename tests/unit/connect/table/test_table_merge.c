/* Tests of table_merge (connect/table/table_sink.h): which statements run over which rows, refused
 * rows found by halving, counts, the mirror's guard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/connect/table/table_world.h"

/* A cycle with so many staged rows, merged. */
static Status merge(TableWorld *w, int64_t rows, SinkCounts *counts, Batch **ret_rejects, Err *err)
{
    RejectWriter rejects;
    Err ignored = {0};
    if (!err) err = &ignored;
    assert_int_equal(reject_writer_init(&rejects, NULL, 0, NULL), OK);
    table_decide(&w->sink, false);
    assert_int_equal(table_describe(&w->sink, STR("t"), w->schema, NULL), OK);
    w->sink.plan.merge.unique = true;
    table_cycle_begin(&w->sink, 0);
    if (rows) assert_int_equal(table_stage_create(&w->sink, NULL), OK);
    w->log[0] = 0;
    w->sink.cycle.written = rows;
    w->sink.cycle.next_ord = rows + 1;
    Status status = table_merge(&w->sink, &rejects, counts, err);
    *ret_rejects = NULL;
    if (status == OK) assert_int_equal(reject_writer_take(&rejects, ret_rejects, NULL), OK);
    reject_writer_done(&rejects);
    return status;
}

static void test_a_new_table_gets_an_insert_of_all(void **state)
{
    (void)state;
    TableWorld w = {0};
    SinkCounts counts;
    Batch *rejects;
    world_init(&w, &WORLD_LITE, SINK_UPSERT);
    w.numbers[SQL_MERGE_SUPERSEDE] = 0;
    assert_int_equal(merge(&w, 4, &counts, &rejects, NULL), OK);
    world_expect(&w, "ready\nsupersede\n(\n)\n(\ninsert\n)\n");
    assert_int_equal(counts.inserted, 4);
    assert_int_equal(counts.loaded, 4);
    batch_unref(rejects);
    world_done(&w);
}

static void test_a_table_that_is_there_gets_an_update_first(void **state)
{
    (void)state;
    TableWorld w = {0};
    SinkCounts counts;
    Batch *rejects;
    world_init(&w, &WORLD_LITE, SINK_UPSERT);
    w.sink.plan.exists = true;
    assert_int_equal(merge(&w, 2, &counts, &rejects, NULL), OK);
    world_expect(&w, "ready\nsupersede\n(\nupdate\n)\n(\ninsert\n)\n");
    batch_unref(rejects);
    world_done(&w);
}

static void test_a_refused_row_is_found_by_halving(void **state)
{
    (void)state;
    TableWorld w = {0};
    SinkCounts counts;
    Batch *rejects;
    world_init(&w, &WORLD_LITE, SINK_UPSERT);
    w.req.reject.wanted = true;
    w.bads[w.bad_count++] = 3;
    assert_int_equal(merge(&w, 4, &counts, &rejects, NULL), OK);
    world_expect(&w, "ready\nsupersede\n(\n)\n"
                     "(\ninsert\nundo\n"
                     "(\ninsert 1-2\n)\n"
                     "(\ninsert 3-4\nundo\n"
                     "(\ninsert 3-3\nundo\n"
                     "(\ninsert 4-4\n)\n");
    assert_int_equal(counts.inserted, 3);
    assert_int_equal(counts.rejected, 1);
    assert_int_equal(rejects->rows, 1);
    batch_unref(rejects);
    world_done(&w);
}

/* 16,000 rows that all break a CHECK took as many statements once. */
static void test_where_none_may_be_refused_the_first_one_ends_the_search(void **state)
{
    (void)state;
    TableWorld w = {0};
    SinkCounts counts;
    Batch *rejects;
    world_init(&w, &WORLD_LITE, SINK_UPSERT);
    w.bads[w.bad_count++] = 1;
    w.bads[w.bad_count++] = 2;
    w.bads[w.bad_count++] = 4;
    assert_int_equal(merge(&w, 4, &counts, &rejects, NULL), OK);
    world_expect(&w, "ready\nsupersede\n(\n)\n"
                     "(\ninsert\nundo\n"
                     "(\ninsert 1-2\nundo\n"
                     "(\ninsert 1-1\nundo\n");
    assert_int_equal(counts.rejected, 1);
    batch_unref(rejects);
    world_done(&w);
}

static void test_a_mirror_deletes_what_is_missing_up_to_its_share(void **state)
{
    (void)state;
    TableWorld w = {0};
    SinkCounts counts;
    Batch *rejects;
    Err err = {0};
    world_init(&w, &WORLD_LITE, SINK_MIRROR);
    w.req.max_delete = 0.5;
    w.numbers[SQL_MERGE_COUNT] = 14;
    w.numbers[SQL_MERGE_MISSING] = 5;
    w.numbers[SQL_MERGE_DELETE] = 5;
    assert_int_equal(merge(&w, 4, &counts, &rejects, NULL), OK);
    world_expect(&w, "ready\nsupersede\n(\n)\n(\ninsert\n)\ncount\nmissing\ndelete\n");
    assert_int_equal(counts.deleted, 5);
    batch_unref(rejects);
    table_cycle_end(&w.sink, false);
    w.numbers[SQL_MERGE_MISSING] = 6;
    assert_int_equal(merge(&w, 4, &counts, &rejects, &err), FAIL);
    assert_int_equal(err.kind, ERR_QUALITY);
    assert_string_equal(err.message, "mirror would delete 6 of 10 rows of \"t\"");
    world_done(&w);
}

static void test_a_mirror_deletes_none_where_rows_were_rejected(void **state)
{
    (void)state;
    TableWorld w = {0};
    SinkCounts counts;
    Batch *rejects;
    world_init(&w, &WORLD_LITE, SINK_MIRROR);
    w.sink.sink.incomplete = true;
    assert_int_equal(merge(&w, 1, &counts, &rejects, NULL), OK);
    world_expect(&w, "ready\nsupersede\n(\n)\n(\ninsert\n)\n");
    batch_unref(rejects);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_table_gets_an_insert_of_all),
        cmocka_unit_test(test_a_table_that_is_there_gets_an_update_first),
        cmocka_unit_test(test_a_refused_row_is_found_by_halving),
        cmocka_unit_test(test_where_none_may_be_refused_the_first_one_ends_the_search),
        cmocka_unit_test(test_a_mirror_deletes_what_is_missing_up_to_its_share),
        cmocka_unit_test(test_a_mirror_deletes_none_where_rows_were_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
