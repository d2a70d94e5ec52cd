/* Tests of engine/expr/unicode_escape.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/expr/unicode_escape.h"

static void test_escapes(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {{"d\\0061t\\+000061", "data"},
                                           {"a\\\\b", "a\\b"},
                                           {"\\D83D\\DE00", "\xf0\x9f\x98\x80"},
                                           {"", ""}};
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        char text[64];
        int64_t len = 0;
        assert_int_equal(unicode_unescape(str_from(CASES[i][0]), '\\', false, text, &len), -1);
        assert_true(str_eq(str_make(text, len), str_from(CASES[i][1])));
    }
}

static void test_what_is_no_escape(void **state)
{
    (void)state;
    static const char *const BAD[] = {"ab\\", "ab\\00", "ab\\D83Dx", "ab\\0000", "ab\\u0061"};
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) {
        char text[64];
        int64_t len = 0;
        assert_int_equal(unicode_unescape(str_from(BAD[i]), '\\', false, text, &len), 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escapes),
                                       cmocka_unit_test(test_what_is_no_escape)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
