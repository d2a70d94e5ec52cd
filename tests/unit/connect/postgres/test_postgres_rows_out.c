/* Tests of connect/postgres/postgres_rows_out.h: rows that wait, and the batches that they keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "connect/postgres/postgres_rows_out.h"
#include "engine/column/batch.h"

static Batch *some_batch(void)
{
    Schema *schema = NULL;
    Batch *batch = NULL;
    assert_int_equal(schema_new(NULL, 0, false, &schema, NULL), OK);
    assert_int_equal(batch_new(schema, &batch, NULL), OK);
    schema_unref(schema);
    return batch;
}

static void test_room_grows_and_what_is_there_stays(void **state)
{
    (void)state;
    PostgresRowsOut rows = {0};
    postgres_rows_out_done(&rows);
    for (int64_t i = 0; i < 1000; i++) {
        assert_int_equal(postgres_rows_out_reserve(&rows, 1, NULL), OK);
        rows.ends[rows.count] = 10 * i;
        rows.rows[rows.count++] = i;
    }
    assert_true(rows.capacity >= 1000);
    for (int64_t i = 0; i < 1000; i++) {
        assert_int_equal(rows.ends[i], 10 * i);
        assert_int_equal(rows.rows[i], i);
    }
    postgres_rows_out_done(&rows);
    assert_int_equal(rows.capacity, 0);
}

static void test_what_is_cleared_gives_its_batches_back(void **state)
{
    (void)state;
    PostgresRowsOut rows = {0};
    Batch *batch = some_batch();
    postgres_rows_out_done(&rows);
    assert_int_equal(postgres_rows_out_reserve(&rows, 2, NULL), OK);
    assert_int_equal(buf_append(&rows.bytes, STR("bytes"), NULL), OK);
    rows.count = 2;
    rows.held[rows.held_count] = batch_ref(batch);
    rows.held_ends[rows.held_count++] = 2;
    int64_t capacity = rows.capacity;
    postgres_rows_out_clear(&rows);
    assert_int_equal(rows.count, 0);
    assert_int_equal(rows.held_count, 0);
    assert_int_equal(rows.bytes.len, 0);
    assert_int_equal(rows.capacity, capacity);
    postgres_rows_out_done(&rows);
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_grows_and_what_is_there_stays),
        cmocka_unit_test(test_what_is_cleared_gives_its_batches_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
