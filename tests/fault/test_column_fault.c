/* Columns with the 1st, 2nd, 3rd… allocation, read or write failing: an error each time, no leak.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/column/arrow.h"
#include "engine/column/spool.h"
#include "foundation/base/file.h"
#include "foundation/base/mem.h"
#include "unit/engine/column/sample_batch.h"

enum { ATTEMPTS_MOST = 5000, ROWS = 200 };

/* What a piece of work charges is given back, whatever failed. */
typedef Status (*Work)(Budget *budget, Err *err);

static Status build(Budget *budget, Err *err)
{
    Status status = OK;
    for (int32_t i = 0; i < SAMPLE_COLUMNS && status == OK; i++) {
        Builder b;
        Column column = {0}, shared = {0}, slice = {0};
        builder_init(&b, i == SAMPLE_FIXED_SCALE ? TYPE_NUMERIC : (TypeId)i, budget);
        status = sample_fill(&b, i, ROWS, err);
        if (status == OK) status = builder_finish(&b, &column, err);
        if (status == OK) status = column_share(&column, &shared, err);
        if (status == OK) status = column_slice(&column, 64, 9, &slice, err);
        builder_done(&b);
        column_done(&column);
        column_done(&shared);
        column_done(&slice);
    }
    return status;
}

static Status reject_some(Err *err)
{
    CLEANUP(reject_list_done) RejectList list;
    reject_list_init(&list);
    for (int64_t i = 0; i < 40; i++) {
        Reject reject = {.row = i, .reason = STR("for the test"), .column = STR("c")};
        TRY(reject_list_add(&list, &reject, err));
    }
    return OK;
}

static Status choose(Budget *budget UNUSED, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    CLEANUP(batch_unref_p) Batch *odd = NULL;
    CLEANUP(batch_unref_p) Batch *runs = NULL;
    CLEANUP(batch_unref_p) Batch *all = NULL;
    CLEANUP(batch_unref_p) Batch *few = NULL;
    CLEANUP(batch_unref_p) Batch *slice = NULL;
    TRY(sample_batch(ROWS, &batch, err));
    uint8_t keep[ROWS / 8 + 7];
    memset(keep, 0x55, sizeof keep);
    TRY(batch_filter(batch, keep, &odd, err));
    memset(keep, 0xff, sizeof keep);
    TRY(batch_filter(batch, keep, &all, err));
    memset(keep, 0, sizeof keep / 2);
    TRY(batch_filter(batch, keep, &runs, err));
    const int64_t rows[] = {7, 3, 100};
    TRY(batch_take(batch, rows, 3, &few, err));
    TRY(batch_slice(batch, 64, 100, &slice, err));
    return reject_some(err);
}

static Status spool(Budget *budget, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    CLEANUP(batch_unref_p) Batch *slice = NULL;
    CLEANUP(spool_free_p) Spool *aside = NULL;
    TRY(sample_batch(1500, &batch, err));
    TRY(batch_slice(batch, 64, 100, &slice, err));
    TRY(spool_new(STR(""), &aside, err));
    for (int i = 0; i < 3; i++) TRY(spool_write(aside, i == 1 ? slice : batch, err));
    TRY(spool_rewind(aside, err));
    for (int i = 0; i < 4; i++) {
        CLEANUP(batch_unref_p) Batch *read = NULL;
        TRY(spool_read(aside, budget, &read, err));
        if ((read == NULL) != (i == 3)) return err_set(err, ERR_INTERNAL, "batches were lost");
    }
    return OK;
}

static Status arrow_in(Batch *batch, const struct ArrowSchema *arrow_schema, Err *err)
{
    CLEANUP(schema_unref_p) Schema *schema = NULL;
    CLEANUP(batch_unref_p) Batch *back = NULL;
    TRY(arrow_import_schema(arrow_schema, &schema, err));
    struct ArrowArray array;
    TRY(arrow_export_batch(batch, &array, err));
    return arrow_import_batch(schema, arrow_schema, &array, &back, err);
}

static Status arrow(Budget *budget UNUSED, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(sample_batch(ROWS, &batch, err));
    struct ArrowSchema arrow_schema;
    TRY(arrow_export_schema(batch->schema, &arrow_schema, err));
    Status status = arrow_in(batch, &arrow_schema, err);
    arrow_schema.release(&arrow_schema);
    return status;
}

typedef void (*FailAt)(int64_t nth);

static void memory_fails(int64_t nth)
{
    mem_fail_at(nth, false);
}

static void files_fail(int64_t nth)
{
    file_fail_at(nth);
}

/* Until a run passes: every failure is an error of the right kind. */
static void assert_each_failure(Work work, FailAt fail_at, ErrKind kind, int64_t at_least)
{
    for (int64_t nth = 1; nth < ATTEMPTS_MOST; nth++) {
        Err err = {0};
        Budget budget;
        budget_init(&budget, "test", NULL, INT64_MAX);
        fail_at(nth);
        Status status = work(&budget, &err);
        fail_at(0);
        assert_int_equal(budget_used(&budget), 0);
        if (status == OK) {
            assert_true(nth > at_least);
            return;
        }
        assert_int_equal(err.kind, kind);
    }
    fail_msg("still failing after %d attempts", ATTEMPTS_MOST);
}

static void memory_of_builders(void **state)
{
    (void)state;
    assert_each_failure(build, memory_fails, ERR_MEMORY, 100);
}

static void memory_of_choosing(void **state)
{
    (void)state;
    assert_each_failure(choose, memory_fails, ERR_MEMORY, 300);
}

static void memory_of_spools(void **state)
{
    (void)state;
    assert_each_failure(spool, memory_fails, ERR_MEMORY, 200);
}

static void memory_of_arrow(void **state)
{
    (void)state;
    assert_each_failure(arrow, memory_fails, ERR_MEMORY, 300);
}

/* Each write and each read of the spool. */
static void files_of_spools(void **state)
{
    (void)state;
    assert_each_failure(spool, files_fail, ERR_IO, 6);
}

/* After a write that failed nothing is believed. */
static void failed_stays_failed(void **state)
{
    (void)state;
    Err err = {0};
    Batch *batch = NULL, *read = NULL;
    Spool *aside = NULL;
    assert_int_equal(sample_batch(3000, &batch, &err), OK);
    assert_int_equal(spool_new(STR(""), &aside, &err), OK);
    assert_int_equal(spool_write(aside, batch, &err), OK);
    file_fail_at(1);
    assert_int_equal(spool_write(aside, batch, &err), FAIL);
    file_fail_at(0);
    assert_true(err.where[0] != 0);
    err_clear(&err);
    assert_int_equal(spool_write(aside, batch, &err), FAIL);
    assert_int_equal(err.kind, ERR_IO);
    err_clear(&err);
    assert_int_equal(spool_rewind(aside, &err), FAIL);
    err_clear(&err);
    assert_int_equal(spool_read(aside, NULL, &read, &err), FAIL);
    assert_null(read);
    spool_free(aside);
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_builders), cmocka_unit_test(memory_of_choosing),
        cmocka_unit_test(memory_of_spools),   cmocka_unit_test(memory_of_arrow),
        cmocka_unit_test(files_of_spools),    cmocka_unit_test(failed_stays_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
