/* Tests of the search for refused rows (connect/table/table_sink.h): rows, or what is wrong with
 * the run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "connect/table/table_sink.h"

static Err refusal(const char *sqlstate)
{
    Err cause = {0};
    (void)err_set(&cause, ERR_CONSTRAINT, "refused with %s", sqlstate);
    memcpy(cause.sqlstate, sqlstate, 6);
    return cause;
}

/* So many rows are refused, for that reason; the last answer. */
static Status refuse(TableSearch *search, WriteError what, const char *sqlstate, int count,
                     Err *err)
{
    Err cause = refusal(sqlstate);
    Status status = OK;
    for (int i = 0; i < count && status == OK; i++) {
        status = table_search_refused(search, what, &cause, err);
    }
    return status;
}

static void test_what_a_row_is_refused_for_never_ends_the_run(void **state)
{
    (void)state;
    TableSearch search = {0};
    assert_int_equal(refuse(&search, WRITE_ERROR_ROW, "23514", 1000, NULL), OK);
    assert_int_equal(table_search_end(&search, NULL), OK);
}

static void test_one_reason_that_is_no_rows_for_all_ends_the_run(void **state)
{
    (void)state;
    Err err = {0};
    TableSearch search = {0};
    assert_int_equal(refuse(&search, WRITE_ERROR_UNSURE, "42883", 99, &err), OK);
    assert_int_equal(refuse(&search, WRITE_ERROR_UNSURE, "42883", 1, &err), FAIL);
    assert_string_equal(err.message, "every row is refused: refused with 42883");
    TableSearch few = {0};
    assert_int_equal(refuse(&few, WRITE_ERROR_UNSURE, "42883", 2, NULL), OK);
    assert_int_equal(table_search_end(&few, &err), FAIL);
}

static void test_a_row_that_is_taken_or_another_reason_says_that_it_is_rows(void **state)
{
    (void)state;
    TableSearch taken = {.taken = true};
    assert_int_equal(refuse(&taken, WRITE_ERROR_UNSURE, "42883", 500, NULL), OK);
    assert_int_equal(table_search_end(&taken, NULL), OK);
    TableSearch other = {0};
    assert_int_equal(refuse(&other, WRITE_ERROR_UNSURE, "42883", 1, NULL), OK);
    assert_int_equal(refuse(&other, WRITE_ERROR_UNSURE, "0A000", 500, NULL), OK);
    assert_int_equal(table_search_end(&other, NULL), OK);
}

static void test_in_a_stream_one_message_may_be_all_there_is(void **state)
{
    (void)state;
    TableSearch search = {.stream = true};
    assert_int_equal(refuse(&search, WRITE_ERROR_UNSURE, "42883", 500, NULL), OK);
    assert_int_equal(table_search_end(&search, NULL), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_row_is_refused_for_never_ends_the_run),
        cmocka_unit_test(test_one_reason_that_is_no_rows_for_all_ends_the_run),
        cmocka_unit_test(test_a_row_that_is_taken_or_another_reason_says_that_it_is_rows),
        cmocka_unit_test(test_in_a_stream_one_message_may_be_all_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
