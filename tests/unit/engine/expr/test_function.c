/* Tests of engine/expr/function.h: each function's own example holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "engine/expr/expr.h"
#include "foundation/base/clock.h"

/* The value of an expression that reads no column, as JSON, against what is wanted. */
static bool is_value(Str expression, Str wanted)
{
    Err err = {0};
    CLEANUP(buf_done) Buf text = buf_make(1 << 16);
    CLEANUP(schema_unref_p) Schema *schema = NULL;
    CLEANUP(batch_unref_p) Batch *in = NULL;
    CLEANUP(batch_unref_p) Batch *out = NULL;
    CLEANUP(select_free_p) Select *select = NULL;
    RejectList rejects;
    reject_list_init(&rejects);
    assert_int_equal(schema_new(NULL, 0, false, &schema, &err), OK);
    assert_int_equal(batch_new(schema, &in, &err), OK);
    in->rows = 1;
    assert_int_equal(buf_printf(&text, &err, "coalesce(to_json((%.*s))::text, 'null') AS x",
                                (int)expression.len, expression.ptr),
                     OK);
    ExprRun run = {.now_us = clock_now_us()};
    bool same = false;
    if (select_compile(buf_str(&text), schema, NULL, &select, &err) != OK ||
        select_run(select, &run, in, &rejects, &out, &err) != OK) {
        print_error("%.*s: %s\n", (int)expression.len, expression.ptr, err.message);
    } else if (rejects.count) {
        print_error("%.*s: %.*s\n", (int)expression.len, expression.ptr,
                    (int)rejects.items[0].reason.len, rejects.items[0].reason.ptr);
    } else {
        Str got = column_text(&out->columns[0], 0);
        same = str_eq(got, wanted);
        if (!same) {
            print_error("%.*s = %.*s, not %.*s\n", (int)expression.len, expression.ptr,
                        (int)got.len, got.ptr, (int)wanted.len, wanted.ptr);
        }
    }
    reject_list_done(&rejects);
    return same;
}

/* "| `name` | `signature` | summary | `expression = value` |", with \| for each | in a cell. */
static bool example_holds(const char *line, int64_t len)
{
    char example[1024];
    int64_t from = len - 3, count = 0, equals = -1;
    while (from > 0 && line[from - 1] != '`') from--;
    assert_true(len - from < (int64_t)sizeof example);
    for (int64_t i = from; i < len - 3; i++) {
        if (line[i] == '\\' && line[i + 1] == '|') i++;
        example[count++] = line[i];
    }
    for (int64_t i = 0; i + 3 <= count; i++) {
        if (memcmp(example + i, " = ", 3) == 0) equals = i;
    }
    assert_true(equals > 0);
    return is_value(str_make(example, equals), str_make(example + equals + 3, count - equals - 3));
}

static void test_each_example_holds(void **state)
{
    (void)state;
    Err err = {0};
    CLEANUP(buf_done) Buf list = buf_make(1 << 24);
    assert_int_equal(function_list(FUNCTION_MARKDOWN, &list, &err), OK);
    Str rest = buf_str(&list);
    int64_t examples = 0, wrong = 0, end;
    while ((end = str_find_char(rest, '\n')) >= 0) {
        if (end > 3 && memcmp(rest.ptr, "| `", 3) == 0) {
            examples++;
            wrong += !example_holds(rest.ptr, end);
        }
        rest = str_slice(rest, end + 1, rest.len);
    }
    assert_true(examples >= 200);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_example_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
