/* Tests of engine/expr/regex_pattern.h: what patterns become, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/expr/regex_pattern.h"

static void becomes(const char *pattern, const char *wanted)
{
    Err err = {0};
    CLEANUP(buf_done) Buf out = buf_make(1 << 16);
    RegexPattern read;
    Status status = regex_pattern_read(str_from(pattern), (RegexOptions){0}, &out, &read, &err);
    if (status != OK) fail_msg("%s: %s", pattern, err.message);
    if (!str_eq(buf_str(&out), str_from(wanted))) {
        fail_msg("%s: %.*s, not %s", pattern, (int)out.len, out.data, wanted);
    }
}

static void test_patterns(void **state)
{
    (void)state;
    becomes("a.c", "a.c");
    becomes("^a$", "\\Aa\\z");
    becomes("(?n)^.", "(?:\\A|(?<=\\n))[^\\n]");
    becomes("(?q)a.", "a\\x{2e}");
    becomes("***=a*", "a\\x{2a}");
    becomes("(?x) a # text", "a");
    becomes("\\d\\x41\\b", "[0-9]A\\x{8}");
    becomes("(a)\\1{2,3}?", "(a)\\g{1}{2,3}?");
    becomes("a{", "a\\x{7b}");
    becomes("é", "\\x{e9}");
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const BAD[] = {"(",   ")",     "*a",     "a**",    "a++",          "^*",
                                      "[a",  "[b-a]", "a{2,1}", "a{256}", "\\1",          "\\",
                                      "\\q", "(?b)a", "a(?i)b", "(?>a)",  "[[:nothing:]]"};
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) {
        Err err = {0};
        CLEANUP(buf_done) Buf out = buf_make(1 << 16);
        RegexPattern read;
        if (regex_pattern_read(str_from(BAD[i]), (RegexOptions){0}, &out, &read, &err) == OK) {
            fail_msg("%s is taken", BAD[i]);
        }
    }
}

static void test_the_first_quantifier_says_which_end(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        bool shortest, competes;
    } CASES[] = {{"a*", false, false},    {"a*?", true, false},    {"a*?b+", true, true},
                 {"a|b*?", false, true},  {"(a*?)b+", true, true}, {"(?:a|b)c*?", false, true},
                 {"a{2}b*?", true, false}};
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        Err err = {0};
        CLEANUP(buf_done) Buf out = buf_make(1 << 16);
        RegexPattern read;
        assert_int_equal(
            regex_pattern_read(str_from(CASES[i].pattern), (RegexOptions){0}, &out, &read, &err),
            OK);
        if (read.shortest != CASES[i].shortest || read.competes != CASES[i].competes) {
            fail_msg("%s", CASES[i].pattern);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_patterns),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_the_first_quantifier_says_which_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
