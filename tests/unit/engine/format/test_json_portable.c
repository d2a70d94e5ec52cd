/* JSON and texts as every database can keep them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "engine/format/json_portable.h"

static void test_json(void **state)
{
    (void)state;
    assert_true(json_is_portable(STR("{\"a\":[1,-2.5e3,\"x\\\\u0000\",null]}")));
    assert_false(json_is_portable(STR("{\"a\":\"x\\u0000\"}")));
    assert_false(json_is_portable(STR("{\"a\\u0000\":1}")));
    assert_false(json_is_portable(STR("[1e100000]")));
    char digits[1100];
    memset(digits, '1', sizeof digits);
    assert_false(json_is_portable(str_make(digits, sizeof digits)));
    assert_true(json_is_portable(str_make(digits, 1000)));
}

static void test_text(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 16);
    Str text = STR_NULL;
    assert_int_equal(text_portable(STR("caf\xc3\xa9"), &arena, &text, NULL), OK);
    assert_true(str_eq(text, STR("caf\xc3\xa9")));
    assert_int_equal(text_portable(STR("a\0b\xe9"), &arena, &text, NULL), OK);
    assert_true(str_eq(text, STR("a\xef\xbf\xbd"
                                 "b\xef\xbf\xbd")));
    assert_false(text_is_portable(STR("a\0")));
    arena_done(&arena);
}

static void test_base64(void **state)
{
    (void)state;
    Buf out = buf_make(1 << 10);
    assert_int_equal(json_put_base64(&out, STR("a\0b"), NULL), OK);
    assert_true(str_eq(buf_str(&out), STR("{\"@base64\":\"YQBi\"}")));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_json), cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_base64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
