/* Tests of regex_from_similar of engine/expr/regex_pattern.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/expr/regex_pattern.h"

static void test_patterns(void **state)
{
    (void)state;
    static const char *const CASES[][3] = {{"a%_", "\\", "^(?:a.*.)$"},
                                           {"(a|b).", "\\", "^(?:(?:a|b)\\.)$"},
                                           {"a\\%", "\\", "^(?:a\\%)$"},
                                           {"%#\"b#\"%", "#", "^(?:.*?)(b)(?:.*)$"},
                                           {"[%_]", "", "^(?:[%_])$"}};
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        Err err = {0};
        CLEANUP(buf_done) Buf out = buf_make(1 << 16);
        assert_int_equal(
            regex_from_similar(str_from(CASES[i][0]), str_from(CASES[i][1]), &out, &err), OK);
        if (!str_eq(buf_str(&out), str_from(CASES[i][2]))) fail_msg("%.*s", (int)out.len, out.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
