/* Tests of engine/expr/regex.h: which part of a text matches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/expr/regex.h"

/* What the pattern's match (or its group n) in the text is. */
static void finds(const char *pattern, const char *text, int32_t group, const char *wanted)
{
    Err err = {0};
    Regex *regex = NULL;
    if (regex_new(str_from(pattern), (RegexOptions){0}, &regex, &err) != OK) {
        fail_msg("%s: %s", pattern, err.message);
    }
    int64_t from = 0, to = 0;
    bool found = regex_find(regex, str_from(text), 0) > 0 && regex_group(regex, group, &from, &to);
    Str got = str_slice(str_from(text), from, to);
    if (found != (wanted != NULL) || !str_eq(got, str_from(wanted))) {
        fail_msg("%s in %s: %.*s", pattern, text, (int)got.len, got.ptr);
    }
    assert_int_equal(regex_test(regex, str_from(text), 0) > 0, found);
    regex_free(regex);
}

static void test_places(void **state)
{
    (void)state;
    finds("foo|foobar", "foobar", 0, "foobar");
    finds("Y*?([0-9]{1,3})", "XY1234Z", 1, "1");
    finds("Y*([0-9]{1,3})", "XY1234Z", 1, "123");
    finds("(.*?)(\\d+)(.*)", "abc01234xyz", 2, "0");
    finds("(a)\\1|b", "aa", 0, "aa");
    finds("x", "abc", 0, NULL);
    finds("\\mé\\w+", "l'été", 0, "été");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
