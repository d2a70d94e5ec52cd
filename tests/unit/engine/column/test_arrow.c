/* Batches out by the Arrow C data interface and in again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/column/arrow.h"
#include "unit/engine/column/sample_batch.h"

#define ASSERT_OK(call) assert_int_equal((call), OK)

static void assert_round_trip(Batch *batch)
{
    Err err = {0};
    struct ArrowSchema arrow_schema;
    struct ArrowArray array;
    Schema *schema = NULL;
    Batch *back = NULL;
    ASSERT_OK(arrow_export_schema(batch->schema, &arrow_schema, &err));
    ASSERT_OK(arrow_export_batch(batch, &array, &err));
    ASSERT_OK(arrow_import_schema(&arrow_schema, &schema, &err));
    assert_true(schema_eq(schema, batch->schema));
    ASSERT_OK(arrow_import_batch(schema, &arrow_schema, &array, &back, &err));
    assert_null(array.release);
    assert_int_equal(back->rows, batch->rows);
    for (int64_t i = 0; i < back->rows; i++) assert_true(row_same(back, i, batch, i));
    arrow_schema.release(&arrow_schema);
    batch_unref(back);
    schema_unref(schema);
}

static void round_trips(void **state)
{
    (void)state;
    Err err = {0};
    Batch *whole = NULL, *slice = NULL, *empty = NULL;
    ASSERT_OK(sample_batch(1000, &whole, &err));
    ASSERT_OK(batch_slice(whole, 128, 555, &slice, &err));
    ASSERT_OK(sample_batch(0, &empty, &err));
    assert_round_trip(whole);
    assert_round_trip(slice);
    assert_round_trip(empty);
    batch_unref(empty);
    batch_unref(slice);
    batch_unref(whole);
}

static void release_origin(void *origin)
{
    ++*(int *)origin;
}

/* A child that was moved away keeps its values, and the origin, when its parent is released. */
static void moved_child(void **state)
{
    (void)state;
    Err err = {0};
    int released = 0;
    Batch *batch = NULL;
    ASSERT_OK(sample_batch(100, &batch, &err));
    batch->origin = &released;
    batch->origin_unref = release_origin;
    struct ArrowArray array, moved;
    ASSERT_OK(arrow_export_batch(batch, &array, &err));
    batch_unref(batch);
    moved = *array.children[TYPE_INT64];
    array.children[TYPE_INT64]->release = NULL;
    array.release(&array);
    assert_int_equal(released, 0);
    const int64_t *values = moved.buffers[1];
    assert_true(values[9] == (9 * SAMPLE_COLUMNS + TYPE_INT64) * 1000003 - 500);
    moved.release(&moved);
    assert_int_equal(released, 1);
}

static Batch *one_column(Field field, Column column)
{
    Err err = {0};
    Schema *schema = NULL;
    Batch *batch = NULL;
    ASSERT_OK(schema_new(&field, 1, false, &schema, &err));
    ASSERT_OK(batch_new(schema, &batch, &err));
    batch->rows = column.length;
    batch->columns[0] = column;
    schema_unref(schema);
    return batch;
}

/* numeric(38,2) holds 1.5 and 1.500 as 1.50, but neither 1.555 nor a double. */
static void scales(void **state)
{
    (void)state;
    const Field field = {.name = STR("price"), .type = TYPE_NUMERIC, .precision = 38, .scale = 2};
    static const struct {
        Int128 value;
        int32_t scale;
        bool fits;
    } cases[] = {{15, 1, true}, {1500, 3, true}, {150, 2, true}, {1555, 3, false}, {0, -1, false}};
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Err err = {0};
        Builder b;
        Column column;
        builder_init(&b, TYPE_NUMERIC, NULL);
        ASSERT_OK(builder_null(&b, &err));
        if (cases[i].scale < 0) {
            ASSERT_OK(builder_numeric_double(&b, 1.5, &err));
        } else {
            ASSERT_OK(builder_numeric(&b, (Decimal){cases[i].value, cases[i].scale}, &err));
        }
        ASSERT_OK(builder_finish(&b, &column, &err));
        Batch *batch = one_column(field, column);
        struct ArrowArray array = {0};
        Status status = arrow_export_batch(batch, &array, &err);
        assert_int_equal(status, cases[i].fits ? OK : FAIL);
        if (status == OK) {
            const Int128 *values = array.children[0]->buffers[1];
            assert_true(values[1] == 150);
            array.release(&array);
        } else {
            assert_int_equal(err.kind, ERR_DATA);
            assert_non_null(strstr(err.message, "column price: row 1"));
        }
        batch_unref(batch);
    }
}

static void release_nothing(struct ArrowArray *array)
{
    array->release = NULL;
}

static void release_no_schema(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

/* Read one hand-made array as the only column of a batch; what the error says, or "". */
static const char *read_array(const char *format, struct ArrowArray child, Err *err)
{
    struct ArrowSchema field = {.format = format, .name = "c", .release = release_no_schema};
    struct ArrowSchema *fields[] = {&field};
    struct ArrowSchema root = {.format = "+s",
                               .name = "",
                               .n_children = 1,
                               .children = fields,
                               .release = release_no_schema};
    child.release = release_nothing;
    struct ArrowArray *children[] = {&child};
    const void *no_buffers[] = {NULL};
    struct ArrowArray array = {.length = child.length,
                               .n_buffers = 1,
                               .buffers = no_buffers,
                               .n_children = 1,
                               .children = children,
                               .release = release_nothing};
    CLEANUP(schema_unref_p) Schema *schema = NULL;
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    err_clear(err);
    if (arrow_import_schema(&root, &schema, err) != OK) return err->message;
    if (arrow_import_batch(schema, &root, &array, &batch, err) != OK) {
        assert_null(array.release);
        return err->message;
    }
    return "";
}

static void assert_refused(const char *format, struct ArrowArray array, ErrKind kind,
                           const char *why)
{
    Err err = {0};
    const char *message = read_array(format, array, &err);
    if (!strstr(message, why)) fail_msg("\"%s\" instead of \"%s\"", message, why);
    assert_int_equal(err.kind, kind);
    assert_string_equal(err.where, "c");
}

#define ARRAY(rows, ...)                                                                           \
    ((struct ArrowArray){.length = (rows),                                                         \
                         .n_buffers = COUNT_OF(((const void *[]){__VA_ARGS__})),                   \
                         .buffers = (const void *[]){__VA_ARGS__}})

static void refuses(void **state)
{
    (void)state;
    const uint64_t large[] = {1, UINT64_MAX};
    const int64_t times[] = {1000, 1001};
    const int64_t far[] = {0, INT64_MAX};
    const int32_t offsets[] = {0, 4, 2};
    const int32_t whole[] = {0, 1, 2};
    const TextView views[] = {{.len = 13, .ref = {.heap = 0, .offset = 90}}};
    const TextView negative[] = {{.len = -1}};
    const TextView lost[] = {{.len = 13, .ref = {.heap = 1}}};
    const int64_t sizes[] = {100};
    const char heap[100] = {0};
    const Int128 wide[] = {decimal_power10(38)};
    assert_refused("L", ARRAY(2, NULL, large), ERR_DATA, "row 1: an unsigned number");
    assert_refused("tsn:", ARRAY(2, NULL, times), ERR_DATA, "row 1: a time with parts");
    assert_refused("ttn", ARRAY(2, NULL, times), ERR_DATA, "row 1: a time with parts");
    assert_refused("tss:UTC", ARRAY(2, NULL, far), ERR_DATA, "row 1: a timestamp that is out");
    assert_refused("ttu", ARRAY(2, NULL, far), ERR_DATA, "row 1: a time that is not within");
    assert_refused("tdm", ARRAY(2, NULL, times), ERR_DATA, "row 0: a date that is not");
    assert_refused("u", ARRAY(2, NULL, offsets, "abcd"), ERR_DATA, "row 1: text outside");
    assert_refused("u", ARRAY(2, NULL, whole, "a\xff"), ERR_DATA, "row 1: text that is not UTF-8");
    assert_refused("vu", ARRAY(1, NULL, views, heap, sizes), ERR_DATA, "row 0: text outside");
    assert_refused("vz", ARRAY(1, NULL, negative, sizes), ERR_DATA, "row 0: text outside");
    assert_refused("vz", ARRAY(1, NULL, lost, heap, sizes), ERR_DATA, "row 0: text outside");
    assert_refused("d:38,0", ARRAY(1, NULL, wide), ERR_DATA, "row 0: more than 38");
    assert_refused("l", ARRAY(1, NULL, NULL), ERR_DATA, "does not have the form");
    assert_refused("l", ARRAY(1, NULL), ERR_DATA, "does not have the form");
    assert_refused("e", ARRAY(1, NULL, sizes), ERR_SCHEMA, "the Arrow format \"e\"");
    assert_refused("d:50,3,256", ARRAY(1, NULL, sizes), ERR_SCHEMA, "\"d:50,3,256\"");
    assert_refused("d:5,-3", ARRAY(1, NULL, sizes), ERR_SCHEMA, "\"d:5,-3\"");
    assert_refused("w:15", ARRAY(1, NULL, sizes), ERR_SCHEMA, "\"w:15\"");
    assert_refused("tDs", ARRAY(1, NULL, sizes), ERR_SCHEMA, "\"tDs\"");
    Err err = {0};
    assert_string_equal(read_array("z", ARRAY(2, NULL, whole, "a\xff"), &err), "");
    assert_string_equal(read_array("l", ARRAY(0, NULL, NULL), &err), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(moved_child),
        cmocka_unit_test(scales),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
