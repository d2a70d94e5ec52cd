/* Tests of results (connect/table/table_loads.h): cells by row and column, NULL apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "connect/table/table_loads.h"

static void test_cells(void **state)
{
    (void)state;
    Str cells[] = {STR("1"), STR("a"), STR_NULL, STR("9223372036854775807"), STR(""), STR("x1")};
    TableResult result = {.rows = 2, .columns = 3, .cells = cells};
    assert_int_equal(table_int64(&result, 0, 0, -1), 1);
    assert_int_equal(table_int64(&result, 0, 2, -1), -1);
    assert_true(table_int64(&result, 1, 0, -1) == INT64_MAX);
    assert_int_equal(table_int64(&result, 1, 2, 7), 7);
    assert_true(str_eq(table_text(&result, 0, 1), STR("a")));
    assert_null(table_text(&result, 0, 2).ptr);
    assert_non_null(table_text(&result, 1, 1).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
