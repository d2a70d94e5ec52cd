/* The spool: what comes back is what was put aside; damage is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/column/spool.h"
#include "engine/column/spool_file.h"
#include "foundation/base/mem.h"
#include "unit/engine/column/sample_batch.h"

#define ASSERT_OK(call) assert_int_equal((call), OK)

static void assert_same(const Batch *a, const Batch *b)
{
    assert_int_equal(a->rows, b->rows);
    for (int64_t i = 0; i < a->rows; i++) {
        assert_true(row_same(a, i, b, i));
        assert_int_equal(batch_ordinal(a, i), batch_ordinal(b, i));
    }
    for (int32_t i = 0; i < a->schema->count; i++) {
        assert_int_equal(a->columns[i].length, b->columns[i].length);
    }
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->span.part, b->span.part);
    assert_int_equal(a->span.first, b->span.first);
    assert_int_equal(a->span.next, b->span.next);
    assert_int_equal(a->span.bytes, b->span.bytes);
    assert_true(str_eq(a->span.cursor, b->span.cursor));
}

enum { BATCHES = 4 };

/* Whole, a slice, rows taken out of order, empty. */
static void make_batches(Batch *batches[BATCHES])
{
    Err err = {0};
    const int64_t rows[] = {500, 3, 499, 77, 3};
    ASSERT_OK(sample_batch(3000, &batches[0], &err));
    ASSERT_OK(batch_slice(batches[0], 1984, 133, &batches[1], &err));
    ASSERT_OK(batch_take(batches[0], rows, COUNT_OF(rows), &batches[2], &err));
    ASSERT_OK(sample_batch(0, &batches[3], &err));
    buffer_unref(batches[3]->ordinals);
    batches[3]->ordinals = NULL;
}

static void drop_batches(Batch *batches[BATCHES])
{
    for (int i = 0; i < BATCHES; i++) batch_unref(batches[i]);
}

static void round_trip(void **state)
{
    (void)state;
    Err err = {0};
    Batch *batches[BATCHES];
    make_batches(batches);
    Spool *spool = NULL;
    ASSERT_OK(spool_new(STR(""), &spool, &err));
    int64_t rows = 0;
    for (int i = 0; i < 3 * BATCHES; i++) {
        ASSERT_OK(spool_write(spool, batches[i % BATCHES], &err));
        rows += batches[i % BATCHES]->rows;
    }
    assert_int_equal(spool_rows(spool), rows);
    assert_true(spool_bytes(spool) > rows * 100);
    for (int pass = 0; pass < 2; pass++) {
        ASSERT_OK(spool_rewind(spool, &err));
        Batch *read = NULL;
        for (int i = 0; i < 3 * BATCHES; i++) {
            ASSERT_OK(spool_read(spool, NULL, &read, &err));
            assert_non_null(read);
            assert_same(read, batches[i % BATCHES]);
            batch_unref(read);
        }
        ASSERT_OK(spool_read(spool, NULL, &read, &err));
        assert_null(read);
    }
    spool_free(spool);
    drop_batches(batches);
}

/* A batch is read as soon as it was written. */
static void interleaved(void **state)
{
    (void)state;
    Err err = {0};
    Batch *batches[BATCHES];
    make_batches(batches);
    Spool *spool = NULL;
    ASSERT_OK(spool_new(STR("/tmp"), &spool, &err));
    Batch *read = batches[0];
    ASSERT_OK(spool_read(spool, NULL, &read, &err));
    assert_null(read);
    for (int i = 0; i < 2 * BATCHES; i++) {
        ASSERT_OK(spool_write(spool, batches[i % BATCHES], &err));
        ASSERT_OK(spool_read(spool, NULL, &read, &err));
        assert_non_null(read);
        assert_same(read, batches[i % BATCHES]);
        batch_unref(read);
        ASSERT_OK(spool_read(spool, NULL, &read, &err));
        assert_null(read);
    }
    spool_free(spool);
    drop_batches(batches);
}

/* A slice's text goes alone, not the heaps that it shares. */
static void slices_are_small(void **state)
{
    (void)state;
    Err err = {0};
    Batch *batches[BATCHES];
    make_batches(batches);
    Spool *whole = NULL, *slice = NULL;
    ASSERT_OK(spool_new(STR(""), &whole, &err));
    ASSERT_OK(spool_new(STR(""), &slice, &err));
    ASSERT_OK(spool_write(whole, batches[0], &err));
    ASSERT_OK(spool_write(slice, batches[1], &err));
    assert_true(spool_bytes(slice) * 10 < spool_bytes(whole));
    spool_free(whole);
    spool_free(slice);
    drop_batches(batches);
}

/* A refused budget leaves the batch to be read when there is room. */
static void budgets(void **state)
{
    (void)state;
    Err err = {0};
    Batch *batches[BATCHES];
    make_batches(batches);
    Spool *spool = NULL;
    ASSERT_OK(spool_new(STR(""), &spool, &err));
    ASSERT_OK(spool_write(spool, batches[0], &err));
    ASSERT_OK(spool_write(spool, batches[1], &err));
    Budget small, large;
    budget_init(&small, "small", NULL, 100000);
    budget_init(&large, "large", NULL, 10000000);
    Batch *read = NULL;
    ASSERT_OK(spool_rewind(spool, &err));
    assert_int_equal(spool_read(spool, &small, &read, &err), FAIL);
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_int_equal(budget_used(&small), 0);
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(spool_read(spool, &large, &read, &err));
        assert_same(read, batches[i]);
        assert_true(budget_used(&large) > 0);
        batch_unref(read);
        assert_int_equal(budget_used(&large), 0);
    }
    spool_free(spool);
    drop_batches(batches);
}

static void fill_file(SpoolFile *file, char *bytes, int64_t len)
{
    Err err = {0};
    for (int64_t i = 0; i < len; i++) bytes[i] = (char)(i * 7 + i / 251);
    ASSERT_OK(spool_file_init(file, STR(""), &err));
    ASSERT_OK(spool_file_put(file, bytes, len, &err));
    ASSERT_OK(spool_file_flush(file, &err));
}

enum { STREAM = 700000 };

static void places(void **state)
{
    (void)state;
    Err err = {0};
    SpoolFile file;
    char *bytes = mem_alloc(STREAM), *read = mem_alloc(STREAM);
    assert_true(bytes && read);
    fill_file(&file, bytes, STREAM);
    SpoolPlace at[] = {spool_file_place(&file), {0}, {0}};
    ASSERT_OK(spool_file_take(&file, read, SPOOL_PAYLOAD_MAX, &err));
    at[1] = spool_file_place(&file);
    ASSERT_OK(spool_file_take(&file, read, 100001, &err));
    at[2] = spool_file_place(&file);
    const int64_t offsets[] = {0, SPOOL_PAYLOAD_MAX, SPOOL_PAYLOAD_MAX + 100001};
    for (int i = 2; i >= 0; i--) {
        spool_file_seek(&file, at[i]);
        ASSERT_OK(spool_file_take(&file, read, 1, &err));
        spool_file_seek(&file, at[i]);
        ASSERT_OK(spool_file_take(&file, read, STREAM - offsets[i], &err));
        assert_memory_equal(read, bytes + offsets[i], (size_t)(STREAM - offsets[i]));
    }
    assert_int_equal(spool_file_take(&file, read, 1, &err), FAIL);
    assert_int_equal(err.kind, ERR_IO);
    spool_file_done(&file);
    mem_free(bytes);
    mem_free(read);
}

/* Whichever byte of a head or a payload is wrong, or missing. */
static void damage(void **state)
{
    (void)state;
    Err err = {0};
    SpoolFile file;
    char *bytes = mem_alloc(STREAM), *read = mem_alloc(STREAM);
    assert_true(bytes && read);
    fill_file(&file, bytes, STREAM);
    const int64_t second = SPOOL_PAYLOAD_MAX + (int64_t)sizeof(SpoolBlock);
    const int64_t offsets[] = {0, 7, 8, 15, 16, 1000, second, second + 9, second + 20000};
    for (int64_t i = 0; i < COUNT_OF(offsets); i++) {
        uint8_t byte, wrong;
        assert_int_equal(pread(file.fd, &byte, 1, offsets[i]), 1);
        wrong = byte ^ 0x40;
        assert_int_equal(pwrite(file.fd, &wrong, 1, offsets[i]), 1);
        spool_file_seek(&file, (SpoolPlace){0, 0});
        err_clear(&err);
        assert_int_equal(spool_file_take(&file, read, STREAM, &err), FAIL);
        assert_int_equal(err.kind, ERR_IO);
        char place[32];
        (void)snprintf(place, sizeof place, "at %d", offsets[i] < second ? 0 : (int)second);
        assert_non_null(strstr(err.message, place));
        assert_int_equal(pwrite(file.fd, &byte, 1, offsets[i]), 1);
    }
    spool_file_seek(&file, (SpoolPlace){0, 0});
    ASSERT_OK(spool_file_take(&file, read, STREAM, &err));
    assert_int_equal(ftruncate(file.fd, second + 50000), 0);
    spool_file_seek(&file, (SpoolPlace){0, 0});
    assert_int_equal(spool_file_take(&file, read, STREAM, &err), FAIL);
    assert_int_equal(err.kind, ERR_IO);
    spool_file_done(&file);
    mem_free(bytes);
    mem_free(read);
}

static void no_folder(void **state)
{
    (void)state;
    Err err = {0};
    Spool *spool = NULL;
    assert_int_equal(spool_new(STR("/nowhere/at/all"), &spool, &err), FAIL);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_null(spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),       cmocka_unit_test(interleaved),
        cmocka_unit_test(slices_are_small), cmocka_unit_test(budgets),
        cmocka_unit_test(places),           cmocka_unit_test(damage),
        cmocka_unit_test(no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
