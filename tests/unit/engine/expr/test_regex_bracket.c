/* Tests of the bracket expressions of engine/expr/regex_read.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/expr/regex.h"

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } CASES[] = {{"^[[:alpha:]]+$", "José", true}, {"^[[:alpha:]]+$", "a1", false},
                 {"^[^[:alpha:]]$", "1", true},    {"^[]a]+$", "]a", true},
                 {"^[a-c-]+$", "b-", true},        {"^[\\s\\d]+$", "1 2", true},
                 {"^[[:punct:]]$", "¿", true},     {"^[[:punct:]]$", "a", false},
                 {"^[^\\W]$", "é", true},          {"^[[.-.]]$", "-", true},
                 {"^[[=a=]]$", "a", true},         {"(?i)^[[:lower:]]$", "A", true},
                 {"(?n)a[^b]c", "a\nc", false}};
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        Err err = {0};
        Regex *regex = NULL;
        if (regex_new(str_from(CASES[i].pattern), (RegexOptions){0}, &regex, &err) != OK) {
            fail_msg("%s: %s", CASES[i].pattern, err.message);
        }
        bool matches = regex_test(regex, str_from(CASES[i].text), 0) > 0;
        regex_free(regex);
        if (matches != CASES[i].matches) fail_msg("%s in %s", CASES[i].pattern, CASES[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_classes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
