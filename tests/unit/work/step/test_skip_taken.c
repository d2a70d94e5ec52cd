/* Rows that an earlier run had are let go, as often as they were there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/column/builder.h"
#include "foundation/base/mem.h"
#include "work/step/skip_taken.h"

#define ASSERT_OK(call) assert_int_equal((call), OK)

typedef struct Row {
    int64_t id, cursor; /* cursor -1: NULL */
} Row;

static Schema *schema_of(const char *first, const char *second)
{
    Err err = {0};
    Schema *schema = NULL;
    Field fields[] = {{.name = str_from(first), .type = TYPE_INT64, .native = STR("bigint")},
                      {.name = str_from(second), .type = TYPE_INT64, .native = STR("bigint")}};
    ASSERT_OK(schema_new(fields, 2, false, &schema, &err));
    return schema;
}

static Batch *batch_of(const Schema *schema, const Row *rows, int32_t count)
{
    Err err = {0};
    Batch *batch = NULL;
    ASSERT_OK(batch_new(schema, &batch, &err));
    for (int32_t c = 0; c < 2; c++) {
        Builder b;
        builder_init(&b, TYPE_INT64, NULL);
        for (int32_t i = 0; i < count; i++) {
            int64_t value = c ? rows[i].cursor : rows[i].id;
            if (value < 0) ASSERT_OK(builder_null(&b, &err));
            else ASSERT_OK(builder_int64(&b, value, &err));
        }
        ASSERT_OK(builder_finish(&b, &batch->columns[c], &err));
        builder_done(&b);
    }
    batch->rows = count;
    return batch;
}

/* A run over the rows, one batch each `per`; the rows that pass; `kept` becomes what the next one
 * gets. */
static int64_t run(Buf *kept, bool keyed, const Row *rows, int32_t count, int32_t per)
{
    Err err = {0};
    Step *step = NULL;
    Schema *schema = schema_of("id", "ts");
    SkipTaken options = {.cursor = 1, .keyed = keyed, .kept = buf_str(kept)};
    ASSERT_OK(step_skip_taken_new(&options, schema, &step, &err));
    RejectWriter rejects;
    ASSERT_OK(reject_writer_init(&rejects, NULL, 0, &err));
    for (int32_t i = 0; i < count; i += per) {
        Batch *out = NULL;
        ExprRun expr = {0};
        Batch *in = batch_of(schema, rows + i, count - i < per ? count - i : per);
        ASSERT_OK(step_chain_run(&step, 0, 1, &expr, in, &rejects, &out, &err));
        batch_unref(out);
    }
    assert_int_equal(step_dropped(step), 0);
    assert_int_equal(step->rows_in, step->rows_out + step->again);
    int64_t passed = step->rows_out;
    buf_clear(kept);
    ASSERT_OK(step_chain_save(&step, 1, kept, &err));
    reject_writer_done(&rejects);
    step_free(step);
    schema_unref(schema);
    return passed;
}

static void ties(void **state)
{
    (void)state;
    static const Row FIRST[] = {{1, 10}, {2, 20}, {3, 20}, {3, 20}};
    static const Row AGAIN[] = {{2, 20}, {3, 20}, {3, 20}};
    static const Row MORE[] = {{3, 20}, {2, 20}, {3, 20}, {3, 20}, {4, 20}, {5, 30}};
    static const Row LAST[] = {{5, 30}, {6, 30}};
    for (int32_t per = 1; per < 5; per++) {
        CLEANUP(buf_done) Buf kept = buf_make(1 << 20);
        assert_int_equal(run(&kept, false, FIRST, 4, per), 4);
        assert_int_equal(run(&kept, false, AGAIN, 3, per), 0);
        assert_int_equal(run(&kept, false, MORE, 6, per), 3);
        assert_int_equal(run(&kept, false, LAST, 2, per), 1);
        assert_int_equal(run(&kept, false, LAST, 2, per), 0);
    }
}

static void without_a_cursor(void **state)
{
    (void)state;
    static const Row FIRST[] = {{1, -1}, {2, 20}};
    static const Row MORE[] = {{1, -1}, {2, 20}, {3, -1}, {4, 40}};
    static const Row LAST[] = {{1, -1}, {3, -1}, {4, 40}};
    CLEANUP(buf_done) Buf kept = buf_make(1 << 20);
    assert_int_equal(run(&kept, false, FIRST, 2, 2), 2);
    assert_int_equal(run(&kept, false, MORE, 4, 1), 2);
    assert_int_equal(run(&kept, false, LAST, 3, 3), 0);
}

/* Nothing read: that none is left of the watermark's value is known; what was outside is kept. */
static void what_is_known(void **state)
{
    (void)state;
    static const Row ROWS[] = {{1, 10}}, OUTSIDE[] = {{2, -1}};
    CLEANUP(buf_done) Buf kept = buf_make(1 << 20);
    assert_false(skip_taken_knows(buf_str(&kept)));
    assert_int_equal(run(&kept, false, OUTSIDE, 1, 1), 1);
    assert_false(skip_taken_knows(buf_str(&kept)));
    assert_int_equal(run(&kept, false, ROWS, 1, 1), 1);
    assert_true(skip_taken_knows(buf_str(&kept)));
    assert_int_equal(run(&kept, false, ROWS, 0, 1), 0);
    assert_true(skip_taken_knows(buf_str(&kept)));
    assert_int_equal(run(&kept, false, ROWS, 1, 1), 1);
}

static void columns(void **state)
{
    (void)state;
    static const Row ROWS[] = {{1, 10}};
    CLEANUP(buf_done) Buf kept = buf_make(1 << 20);
    assert_int_equal(run(&kept, false, ROWS, 1, 1), 1);
    Err err = {0};
    Step *step = NULL;
    Schema *other = schema_of("name", "ts");
    SkipTaken options = {.cursor = 1, .kept = buf_str(&kept)};
    assert_int_equal(step_skip_taken_new(&options, other, &step, &err), FAIL);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.message, "\"id\""));
    options.keyed = true;
    ASSERT_OK(step_skip_taken_new(&options, other, &step, &err));
    step_free(step);
    schema_unref(other);
}

static void kept_that_is_none(void **state)
{
    (void)state;
    static const Row ROWS[] = {{1, 10}};
    static const char *const TEXTS[] = {"",
                                        "x",
                                        "{}",
                                        "[]",
                                        "{\"taken\":1}",
                                        "{\"taken\":{\"rows\":5}}",
                                        "{\"taken\":{\"columns\":{},\"rows\":\"\"}}"};
    for (int64_t i = 0; i < COUNT_OF(TEXTS); i++) {
        CLEANUP(buf_done) Buf kept = buf_make(1 << 20);
        ASSERT_OK(buf_append(&kept, str_from(TEXTS[i]), NULL));
        assert_int_equal(run(&kept, false, ROWS, 1, 1), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties),
        cmocka_unit_test(without_a_cursor),
        cmocka_unit_test(what_is_known),
        cmocka_unit_test(columns),
        cmocka_unit_test(kept_that_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
