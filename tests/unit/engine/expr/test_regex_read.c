/* Tests of engine/expr/regex_read.h: characters by their escapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/expr/regex_read.h"

static void test_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t value;
    } CASES[] = {{"t", '\t'},  {"v", '\v'}, {"x41", 'A'}, {"u00e9", 0xe9}, {"U0001F600", 0x1f600},
                 {"101", 'A'}, {"cA", 1},   {"b", '\b'},  {"B", '\\'},     {".", '.'},
                 {"é", 0xe9}};
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        Err err = {0};
        RegexReader reader = {.text = str_from(CASES[i].text)};
        uint32_t value = 0;
        assert_int_equal(regex_read_escape(&reader, &value, &err), OK);
        assert_int_equal(value, CASES[i].value);
        assert_int_equal(reader.at, reader.text.len);
    }
}

static void test_what_is_no_escape(void **state)
{
    (void)state;
    static const char *const BAD[] = {"", "q", "x", "u12", "0", "ud800", "U00110000", "c"};
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) {
        Err err = {0};
        RegexReader reader = {.text = str_from(BAD[i])};
        uint32_t value = 0;
        assert_int_equal(regex_read_escape(&reader, &value, &err), FAIL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escapes),
                                       cmocka_unit_test(test_what_is_no_escape)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
