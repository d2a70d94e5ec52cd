/* Batches: filtered, taken, sliced, derived; refused rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "foundation/base/mem.h"
#include "unit/engine/column/sample_batch.h"

#define ASSERT_OK(call) assert_int_equal((call), OK)

enum { ROWS = 1000 };

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void assert_kept(const Batch *from, const uint8_t *keep, const Batch *kept)
{
    int64_t at = 0;
    for (int64_t row = 0; row < from->rows; row++) {
        if (!bit_get(keep, row)) continue;
        assert_true(at < kept->rows);
        assert_true(row_same(from, row, kept, at));
        assert_int_equal(batch_ordinal(kept, at), batch_ordinal(from, row));
        at++;
    }
    assert_int_equal(at, kept->rows);
    for (int32_t i = 0; i < kept->schema->count; i++) {
        assert_int_equal(kept->columns[i].length, kept->rows);
    }
    assert_int_equal(kept->span.first, from->span.first);
    assert_int_equal(kept->span.next, from->span.next);
    assert_int_equal(kept->span.bytes, from->span.bytes);
    assert_true(str_eq(kept->span.cursor, from->span.cursor));
    assert_int_equal(kept->seq, from->seq);
    assert_int_equal(kept->epoch, from->epoch);
}

/* All, none, one in n, and runs of every mean length; of whole batches and of slices. */
static void filters(void **state)
{
    (void)state;
    Err err = {0};
    Batch *whole = NULL, *batch = NULL;
    ASSERT_OK(sample_batch(ROWS, &whole, &err));
    ASSERT_OK(batch_slice(whole, 64, ROWS - 64 - 3, &batch, &err));
    const Batch *both[] = {whole, batch};
    uint64_t seed = 1;
    for (int which = 0; which < 2; which++) {
        for (uint64_t mean = 1; mean < 400; mean = mean * 3 / 2 + 1) {
            uint8_t keep[(ROWS + 63) / 64 * 8];
            memset(keep, 0xff, sizeof keep);
            bool set = mean % 2;
            for (int64_t row = 0; row < ROWS; row++) {
                if (next_random(&seed) % mean == 0) set = !set;
                if (!set) bit_clear(keep, row);
            }
            Batch *kept = NULL;
            ASSERT_OK(batch_filter(both[which], keep, &kept, &err));
            assert_kept(both[which], keep, kept);
            batch_unref(kept);
        }
        for (int full = 0; full < 2; full++) {
            uint8_t keep[(ROWS + 63) / 64 * 8];
            memset(keep, full ? 0xff : 0, sizeof keep);
            Batch *kept = NULL;
            ASSERT_OK(batch_filter(both[which], keep, &kept, &err));
            assert_kept(both[which], keep, kept);
            assert_int_equal(kept->rows, full ? both[which]->rows : 0);
            batch_unref(kept);
        }
    }
    batch_unref(batch);
    batch_unref(whole);
}

static void takes(void **state)
{
    (void)state;
    Err err = {0};
    Batch *batch = NULL, *taken = NULL, *again = NULL;
    ASSERT_OK(sample_batch(ROWS, &batch, &err));
    int64_t rows[600];
    uint64_t seed = 9;
    for (int i = 0; i < 600; i++) rows[i] = (int64_t)(next_random(&seed) % ROWS);
    ASSERT_OK(batch_take(batch, rows, 600, &taken, &err));
    for (int i = 0; i < 600; i++) {
        assert_true(row_same(taken, i, batch, rows[i]));
        assert_int_equal(batch_ordinal(taken, i), batch_ordinal(batch, rows[i]));
    }
    const int64_t last[] = {599};
    ASSERT_OK(batch_take(taken, last, 1, &again, &err));
    assert_true(row_same(again, 0, batch, rows[599]));
    batch_unref(again);
    ASSERT_OK(batch_take(taken, NULL, 0, &again, &err));
    assert_int_equal(again->rows, 0);
    batch_unref(again);
    batch_unref(taken);
    batch_unref(batch);
}

static void text_column(Builder *b, Buffer *heap, int64_t rows)
{
    Err err = {0};
    int32_t index = 0;
    ASSERT_OK(builder_heap(b, heap, &index, &err));
    for (int64_t i = 0; i < rows; i++) ASSERT_OK(builder_view(b, index, i * 40, 40, &err));
}

/* Two columns into one heap: shared while a quarter of it is in use, copied below. */
static void compacts(void **state)
{
    (void)state;
    Err err = {0};
    const Field fields[] = {{.name = STR("a"), .type = TYPE_TEXT},
                            {.name = STR("b"), .type = TYPE_TEXT}};
    Schema *schema = NULL;
    Batch *batch = NULL, *kept = NULL;
    Buffer *heap = NULL;
    ASSERT_OK(schema_new(fields, 2, false, &schema, &err));
    ASSERT_OK(batch_new(schema, &batch, &err));
    ASSERT_OK(buffer_new(ROWS * 40, NULL, &heap, &err));
    for (int64_t i = 0; i < heap->size; i++) heap->data[i] = (uint8_t)('a' + i % 23);
    batch->rows = ROWS;
    for (int i = 0; i < 2; i++) {
        Builder b;
        builder_init(&b, TYPE_TEXT, NULL);
        text_column(&b, heap, ROWS);
        ASSERT_OK(builder_finish(&b, &batch->columns[i], &err));
    }
    uint8_t keep[ROWS / 8] = {0};
    for (int64_t i = 0; i < 130; i++) bit_set(keep, i);
    ASSERT_OK(batch_filter(batch, keep, &kept, &err));
    assert_ptr_equal(kept->columns[0].heaps[0], heap);
    assert_kept(batch, keep, kept);
    batch_unref(kept);
    for (int64_t i = 100; i < 130; i++) bit_clear(keep, i);
    ASSERT_OK(batch_filter(batch, keep, &kept, &err));
    assert_ptr_not_equal(kept->columns[0].heaps[0], heap);
    assert_int_equal(column_pinned_bytes(&kept->columns[1]), 100 * 16 + 100 * 40);
    assert_kept(batch, keep, kept);
    batch_unref(kept);
    buffer_unref(heap);
    batch_unref(batch);
    schema_unref(schema);
}

static void slices(void **state)
{
    (void)state;
    Err err = {0};
    Batch *batch = NULL;
    ASSERT_OK(sample_batch(ROWS, &batch, &err));
    int64_t next = batch->span.first, bytes = 0;
    for (int64_t from = 0; from < ROWS; from += 192) {
        Batch *slice = NULL;
        int64_t count = int64_min(192, ROWS - from);
        ASSERT_OK(batch_slice(batch, from, count, &slice, &err));
        for (int64_t i = 0; i < count; i++) {
            assert_true(row_same(slice, i, batch, from + i));
            assert_int_equal(batch_ordinal(slice, i), batch_ordinal(batch, from + i));
        }
        assert_int_equal(slice->span.first, next);
        next = slice->span.next;
        bytes += slice->span.bytes;
        assert_int_equal(slice->span.cursor.len, from + count == ROWS ? 10 : 0);
        batch_unref(slice);
    }
    assert_int_equal(next, batch->span.next);
    assert_int_equal(bytes, batch->span.bytes);
    batch_unref(batch);
}

static void release_origin(void *origin)
{
    ++*(int *)origin;
}

/* The origin outlives every batch that was derived, and no chain of batches keeps it. */
static void origins(void **state)
{
    (void)state;
    Err err = {0};
    int released = 0;
    Batch *batch = NULL, *kept = NULL, *deeper = NULL;
    ASSERT_OK(sample_batch(100, &batch, &err));
    batch->origin = &released;
    batch->origin_unref = release_origin;
    const int64_t rows[] = {3, 4, 5};
    ASSERT_OK(batch_take(batch, rows, 3, &kept, &err));
    ASSERT_OK(batch_take(kept, rows, 0, &deeper, &err));
    assert_ptr_equal(deeper->origin, batch);
    batch_unref(kept);
    batch_unref(batch);
    assert_int_equal(released, 0);
    batch_unref(deeper);
    assert_int_equal(released, 1);
}

static void charges(void **state)
{
    (void)state;
    Err err = {0};
    Budget budget;
    budget_init(&budget, "test", NULL, 1 << 20);
    Batch *batch = NULL;
    ASSERT_OK(sample_batch(100, &batch, &err));
    assert_true(budget_reserve(&budget, batch_bytes(batch)));
    batch->budget = &budget;
    batch->charge_bytes = batch_bytes(batch);
    Batch *other = batch_ref(batch);
    batch_unref(batch);
    assert_true(budget_used(&budget) > 0);
    batch_unref(other);
    assert_int_equal(budget_used(&budget), 0);
}

static void rejects(void **state)
{
    (void)state;
    Err err = {0};
    RejectList list;
    reject_list_init(&list);
    char reason[] = "division by zero";
    for (int64_t i = 0; i < 100; i++) {
        Reject reject = {.row = i,
                         .kind = ERR_DATA,
                         .sqlstate = "22012",
                         .position = 3,
                         .column = STR("a"),
                         .reason = str_from(reason)};
        ASSERT_OK(reject_list_add(&list, &reject, &err));
    }
    reason[0] = 'X';
    assert_int_equal(list.count, 100);
    assert_int_equal(list.items[99].row, 99);
    assert_string_equal(list.items[50].sqlstate, "22012");
    assert_true(str_eq(list.items[50].reason, STR("division by zero")));
    reject_list_clear(&list);
    assert_int_equal(list.count, 0);
    char *huge = mem_zalloc(1 << 20);
    assert_non_null(huge);
    Reject reject = {.reason = str_make(huge, 1 << 20)};
    Status status = OK;
    for (int i = 0; i < 100 && status == OK; i++) status = reject_list_add(&list, &reject, &err);
    assert_int_equal(status, FAIL);
    assert_int_equal(err.kind, ERR_LIMIT);
    mem_free(huge);
    reject_list_done(&list);
}

/* Kept only where they have gaps. */
static void ordinals(void **state)
{
    (void)state;
    static const Field FIELD = {.name = {"a", 1}, .type = TYPE_INT64};
    static const int64_t ORDINALS[] = {5, 6, 9};
    Schema *schema;
    Batch *batch;
    assert_int_equal(schema_new(&FIELD, 1, false, &schema, NULL), OK);
    assert_int_equal(batch_new(schema, &batch, NULL), OK);
    batch->rows = 2;
    batch->span = (Span){.first = 5, .next = 7};
    assert_int_equal(batch_keep_ordinals(batch, ORDINALS, NULL, NULL), OK);
    assert_null(batch->ordinals);
    batch->rows = 3;
    batch->span.next = 10;
    assert_int_equal(batch_keep_ordinals(batch, ORDINALS, NULL, NULL), OK);
    for (int64_t i = 0; i < 3; i++) assert_int_equal(batch_ordinal(batch, i), ORDINALS[i]);
    batch_unref(batch);
    schema_unref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters), cmocka_unit_test(takes),    cmocka_unit_test(compacts),
        cmocka_unit_test(slices),  cmocka_unit_test(origins),  cmocka_unit_test(charges),
        cmocka_unit_test(rejects), cmocka_unit_test(ordinals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
