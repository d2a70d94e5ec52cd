/* Building columns of every type, sharing, slicing and sizing them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/column/builder.h"
#include "foundation/base/mem.h"
#include "unit/engine/column/sample_batch.h"

#define ASSERT_OK(call) assert_int_equal((call), OK)

static void reads_back(void **state)
{
    (void)state;
    enum { ROWS = 1000 };
    Err err = {0};
    for (int32_t i = 0; i < SAMPLE_COLUMNS; i++) {
        Column column = {0}, again = {0};
        ASSERT_OK(sample_column(i, ROWS, &column, &err));
        ASSERT_OK(sample_column(i, ROWS, &again, &err));
        int64_t nulls = 0;
        for (int64_t row = 0; row < ROWS; row++) {
            assert_int_equal(column_is_null(&column, row), (row * 7 + i) % 5 == 0 && row > 70);
            nulls += column_is_null(&column, row);
            assert_true(cell_same(&column, row, &again, row));
        }
        assert_int_equal(column.null_count, nulls);
        assert_int_equal(column.length, ROWS);
        column_done(&column);
        column_done(&again);
    }
}

static void values(void **state)
{
    (void)state;
    Err err = {0};
    Column c = {0};
    ASSERT_OK(sample_column(TYPE_INT64, 200, &c, &err));
    assert_true(column_int64(&c)[7] == (7 * SAMPLE_COLUMNS + TYPE_INT64) * 1000003 - 500);
    assert_true(column_int64(&c)[72] == 0 || !column_is_null(&c, 72));
    column_done(&c);
    ASSERT_OK(sample_column(TYPE_TEXT, 200, &c, &err));
    char buffer[128];
    for (int64_t row = 0; row < 70; row++) {
        Str want = sample_text(row * SAMPLE_COLUMNS + TYPE_TEXT, buffer);
        assert_true(str_eq(column_text(&c, row), want));
        assert_int_equal(column_views(&c)[row].len, want.len);
    }
    column_done(&c);
}

/* NULL rows hold zeros, also after values that were there before the buffers grew. */
static void nulls_are_zero(void **state)
{
    (void)state;
    Err err = {0};
    for (int32_t i = 0; i < SAMPLE_COLUMNS; i++) {
        Column c = {0};
        ASSERT_OK(sample_column(i, 700, &c, &err));
        int64_t width = type_width(c.type);
        static const uint8_t zeros[16];
        for (int64_t row = 0; row < c.length; row++) {
            if (!column_is_null(&c, row)) continue;
            if (c.type == TYPE_BOOL) assert_false(column_bool(&c, row));
            else assert_memory_equal(c.data->data + row * width, zeros, (size_t)width);
        }
        column_done(&c);
    }
}

static void numeric_scales(void **state)
{
    (void)state;
    Err err = {0};
    Builder b;
    Column c = {0};
    builder_init(&b, TYPE_NUMERIC, NULL);
    ASSERT_OK(builder_null(&b, &err));
    ASSERT_OK(builder_numeric(&b, (Decimal){150, 2}, &err));
    ASSERT_OK(builder_numeric(&b, (Decimal){7, 2}, &err));
    ASSERT_OK(builder_finish(&b, &c, &err));
    assert_null(c.aux);
    assert_int_equal(c.scale, 2);
    column_done(&c);
    ASSERT_OK(builder_numeric(&b, (Decimal){150, 2}, &err));
    ASSERT_OK(builder_numeric_double(&b, 2.5, &err));
    ASSERT_OK(builder_numeric(&b, (Decimal){1, 0}, &err));
    ASSERT_OK(builder_finish(&b, &c, &err));
    assert_int_equal(column_scale(&c, 0), 2);
    assert_int_equal(column_scale(&c, 1), NUMERIC_SCALE_DOUBLE);
    assert_int_equal(column_scale(&c, 2), 0);
    double real = 0;
    memcpy(&real, &column_numeric(&c)[1], sizeof real);
    assert_true(real == 2.5);
    column_done(&c);
    ASSERT_OK(builder_numeric_double(&b, 0.5, &err));
    ASSERT_OK(builder_finish(&b, &c, &err));
    assert_int_equal(column_scale(&c, 0), NUMERIC_SCALE_DOUBLE);
    column_done(&c);
    builder_done(&b);
}

static void count_release(void *ctx, uint8_t *data)
{
    (void)data;
    ++*(int *)ctx;
}

static void views_share_heaps(void **state)
{
    (void)state;
    Err err = {0};
    uint8_t text[] = "short,a text of more than twelve bytes,,exactly12byt";
    int released = 0;
    Buffer *heap = NULL;
    ASSERT_OK(buffer_adopt(text, (int64_t)sizeof text - 1, count_release, &released, &heap, &err));
    Builder b;
    builder_init(&b, TYPE_TEXT, NULL);
    int32_t index = -1;
    ASSERT_OK(builder_heap(&b, heap, &index, &err));
    buffer_unref(heap);
    ASSERT_OK(builder_view(&b, index, 0, 5, &err));
    ASSERT_OK(builder_view(&b, index, 6, 32, &err));
    ASSERT_OK(builder_view(&b, index, 39, 0, &err));
    ASSERT_OK(builder_view(&b, index, 40, 12, &err));
    ASSERT_OK(builder_text(&b, STR("copied, and longer than twelve"), &err));
    Column c = {0}, shared = {0};
    ASSERT_OK(builder_finish(&b, &c, &err));
    assert_true(str_eq(column_text(&c, 0), STR("short")));
    assert_true(str_eq(column_text(&c, 1), STR("a text of more than twelve bytes")));
    assert_ptr_equal(column_text(&c, 1).ptr, text + 6);
    assert_int_equal(column_text(&c, 2).len, 0);
    assert_true(str_eq(column_text(&c, 3), STR("exactly12byt")));
    assert_true(str_eq(column_text(&c, 4), STR("copied, and longer than twelve")));
    ASSERT_OK(column_share(&c, &shared, &err));
    column_done(&c);
    assert_int_equal(released, 0);
    assert_true(str_eq(column_text(&shared, 4), STR("copied, and longer than twelve")));
    column_done(&shared);
    assert_int_equal(released, 1);
}

/* Every length around the inline limit, each in a block that ends with it. */
static void short_views(void **state)
{
    (void)state;
    Err err = {0};
    for (int32_t len = 0; len <= 20; len++) {
        char *bytes = mem_alloc(len);
        assert_non_null(bytes);
        for (int32_t i = 0; i < len; i++) bytes[i] = (char)(200 + i);
        Builder b;
        Column c = {0};
        builder_init(&b, TYPE_BYTES, NULL);
        ASSERT_OK(builder_text(&b, str_make(bytes, len), &err));
        ASSERT_OK(builder_finish(&b, &c, &err));
        assert_true(str_eq(column_text(&c, 0), str_make(bytes, len)));
        const TextView *view = column_views(&c);
        for (int32_t i = len; i < 12; i++) assert_int_equal(view->inlined[i], 0);
        column_done(&c);
        mem_free(bytes);
    }
}

/* A large text gets a heap of its own and the one being filled goes on. */
static void large_texts(void **state)
{
    (void)state;
    enum { LARGE = 3 << 20 };
    Err err = {0};
    char *bytes = mem_alloc(LARGE);
    assert_non_null(bytes);
    memset(bytes, 'x', LARGE);
    Builder b;
    builder_init(&b, TYPE_BYTES, NULL);
    for (int i = 0; i < 4; i++) {
        ASSERT_OK(builder_text(&b, STR("some text longer than 12"), &err));
        ASSERT_OK(builder_text(&b, str_make(bytes, LARGE), &err));
    }
    Column c = {0};
    ASSERT_OK(builder_finish(&b, &c, &err));
    assert_int_equal(c.heap_count, 5);
    assert_true(str_eq(column_text(&c, 6), STR("some text longer than 12")));
    assert_int_equal(column_text(&c, 7).len, LARGE);
    assert_true(column_pinned_bytes(&c) < 4 * LARGE + 16384);
    assert_true(column_used_bytes(&c) == 8 * 16 + 4 * (LARGE + 24));
    column_done(&c);
    builder_init(&b, TYPE_TEXT, NULL);
    assert_int_equal(builder_text(&b, str_make(bytes, INT64_C(1) << 31), &err), FAIL);
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_int_equal(b.length, 0);
    builder_done(&b);
    mem_free(bytes);
}

static void copies_rows(void **state)
{
    (void)state;
    Err err = {0};
    for (int32_t i = 0; i < SAMPLE_COLUMNS; i++) {
        Column from = {0}, same = {0}, dynamic = {0};
        ASSERT_OK(sample_column(i, 300, &from, &err));
        bool scalar = from.type == TYPE_DYNAMIC || from.type == TYPE_TEXT ||
                      from.type == TYPE_NUMERIC || from.type == TYPE_INT64;
        Builder b, any;
        builder_init(&b, from.type, NULL);
        builder_init(&any, TYPE_DYNAMIC, NULL);
        for (int64_t row = 299; row >= 0; row--) {
            ASSERT_OK(builder_copy(&b, &from, row, &err));
            if (scalar) ASSERT_OK(builder_copy(&any, &from, row, &err));
        }
        ASSERT_OK(builder_finish(&b, &same, &err));
        ASSERT_OK(builder_finish(&any, &dynamic, &err));
        for (int64_t row = 0; row < 300; row++) {
            assert_true(cell_same(&same, row, &from, 299 - row));
            if (!scalar || from.type == TYPE_DYNAMIC || column_is_null(&from, 299 - row)) continue;
            int64_t at = 0;
            const Column *child = column_dynamic(&dynamic, row, &at);
            assert_true(cell_same(child, at, &from, 299 - row));
        }
        column_done(&from);
        column_done(&same);
        column_done(&dynamic);
    }
}

static void slices(void **state)
{
    (void)state;
    Err err = {0};
    for (int32_t i = 0; i < SAMPLE_COLUMNS; i++) {
        Column from = {0}, slice = {0}, inner = {0};
        ASSERT_OK(sample_column(i, 500, &from, &err));
        ASSERT_OK(column_slice(&from, 64, 300, &slice, &err));
        ASSERT_OK(column_slice(&slice, 128, 100, &inner, &err));
        for (int64_t row = 0; row < 100; row++) {
            assert_true(cell_same(&inner, row, &from, row + 192));
        }
        column_done(&from);
        column_done(&slice);
        column_done(&inner);
    }
}

static void all_null(void **state)
{
    (void)state;
    Err err = {0};
    for (int32_t i = 0; i < TYPE_COUNT; i++) {
        Column c = {0};
        ASSERT_OK(column_nulls((TypeId)i, 130, &c, &err));
        for (int64_t row = 0; row < 130; row++) assert_true(column_is_null(&c, row));
        assert_int_equal(c.null_count, 130);
        column_done(&c);
    }
}

/* Everything is charged while it lives, and nothing after. */
static void budgets(void **state)
{
    (void)state;
    Err err = {0};
    Budget budget;
    budget_init(&budget, "test", NULL, 200000);
    for (int32_t type = 0; type < TYPE_COUNT; type++) {
        Builder b;
        builder_init(&b, (TypeId)type, &budget);
        Status status = OK;
        for (int64_t i = 0; i < 100000 && status == OK; i++) {
            status = sample_value(&b, (TypeId)type, i, &err);
        }
        if (status == OK) assert_int_equal(type, TYPE_BOOL);
        else assert_int_equal(err.kind, ERR_LIMIT);
        assert_true(budget_used(&budget) > 0);
        builder_done(&b);
        assert_true(budget_used(&budget) == 0);
        err_clear(&err);
    }
}

static void empty(void **state)
{
    (void)state;
    Err err = {0};
    for (int32_t i = 0; i < TYPE_COUNT; i++) {
        Column c = {0};
        ASSERT_OK(sample_column(i, 0, &c, &err));
        assert_int_equal(c.length, 0);
        assert_non_null(c.data);
        column_done(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back),
        cmocka_unit_test(values),
        cmocka_unit_test(nulls_are_zero),
        cmocka_unit_test(numeric_scales),
        cmocka_unit_test(views_share_heaps),
        cmocka_unit_test(short_views),
        cmocka_unit_test(large_texts),
        cmocka_unit_test(copies_rows),
        cmocka_unit_test(slices),
        cmocka_unit_test(all_null),
        cmocka_unit_test(budgets),
        cmocka_unit_test(empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
