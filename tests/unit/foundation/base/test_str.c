/* Borrowed text: slices, searches, suggestions, UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "foundation/base/str.h"

static void assert_str(Str got, const char *want)
{
    if (!str_eq(got, str_from(want))) fail_msg("\"%.*s\", wanted \"%s\"", STR_ARG(got), want);
}

static void cuts_and_finds(void **state)
{
    (void)state;
    Str s = STR("  a,b,,c ");
    assert_str(str_trim(s), "a,b,,c");
    assert_str(str_slice(s, 2, 3), "a");
    assert_str(str_slice(s, -5, 100), "  a,b,,c ");
    assert_str(str_slice(s, 5, 2), "");
    assert_int_equal(str_find_char(s, ','), 3);
    assert_int_equal(str_find(s, STR(",,")), 5);
    assert_int_equal(str_find(s, STR("zz")), -1);
    assert_int_equal(str_find(s, STR_NULL), 0);
    assert_true(str_starts(s, STR("  a")) && str_ends(s, STR("c ")));
    assert_int_equal(str_find_nocase(STR("on Conflict"), STR("CONFLICT")), 3);
    assert_int_equal(str_find_nocase(STR("conflic"), STR("CONFLICT")), -1);
    assert_true(str_starts_nocase(STR("ABC"), STR("aB")) && str_eq_nocase(STR("xY"), STR("Xy")));
    assert_true(str_compare(STR("a"), STR("ab")) < 0 && str_compare(STR("b"), STR("ab")) > 0);
    assert_true(str_eq(STR_NULL, STR("")));
}

static void splits_into_parts(void **state)
{
    (void)state;
    Str rest = STR("a,,b"), part;
    const char *want[] = {"a", "", "b"};
    for (int i = 0; i < 3; i++) {
        assert_true(str_next_part(&rest, ',', &part));
        assert_str(part, want[i]);
    }
    assert_false(str_next_part(&rest, ',', &part));
}

static void suggests_what_is_near(void **state)
{
    (void)state;
    const Str names[] = {STR("select"), STR("where"), STR("drop_nulls"), STR("key")};
    assert_str(str_nearest(STR("selcet"), names, 4), "select");
    assert_str(str_nearest(STR("drop_null"), names, 4), "drop_nulls");
    assert_str(str_nearest(STR("KEY"), names, 4), "key");
    assert_null(str_nearest(STR("parallel"), names, 4).ptr);
    assert_null(str_nearest(STR("x"), names, 4).ptr);
    assert_int_equal(str_distance(STR("ab"), STR("ba")), 1);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting")), 3);
}

static void knows_utf8(void **state)
{
    (void)state;
    assert_true(str_is_utf8(STR("aé漢😀")));
    assert_true(str_is_utf8(STR_NULL));
    static const char *const BAD[] = {"\x80", "\xc0\xaf", "\xed\xa0\x80",    "\xf4\x90\x80\x80",
                                      "\xff", "\xe2\x82", "\xf0\x80\x80\x80"};
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) assert_false(str_is_utf8(str_from(BAD[i])));
    /* Long enough for the wide path, the fault at every place. */
    char text[200];
    for (int at = 0; at < 200; at++) {
        memset(text, 'a', sizeof text);
        text[at] = (char)0xff;
        assert_false(str_is_utf8(str_make(text, sizeof text)));
        assert_int_equal(str_utf8_prefix(str_make(text, sizeof text)), at);
    }
    assert_int_equal(str_utf8_prefix(STR("ab\xe2\x82")), 2);
}

/* What fits, by whole characters, and a NUL. */
static void test_to_array(void **state)
{
    (void)state;
    char to[6];
    str_to_array(to, sizeof to, STR("abc"));
    assert_string_equal(to, "abc");
    str_to_array(to, sizeof to, STR("abcdefgh"));
    assert_string_equal(to, "abcde");
    str_to_array(to, sizeof to, STR("abcd\xc3\xa9"));
    assert_string_equal(to, "abcd");
    str_to_array(to, sizeof to, STR("abc\xc3\xa9"));
    assert_string_equal(to, "abc\xc3\xa9");
    str_to_array(to, 1, STR("a"));
    assert_string_equal(to, "");
    str_to_array(to, sizeof to, STR_NULL);
    assert_string_equal(to, "");
}

static void reads_booleans(void **state)
{
    (void)state;
    static const char *const yes[] = {"true", "True", "t", "tru", "YES", "y", "on", "1", " true "};
    static const char *const no[] = {"false", "F", "no", "N", "off", "of", "0"};
    static const char *const bad[] = {"", " ", "o", "truee", "2", "ja", "01"};
    bool value = false;
    for (int64_t i = 0; i < COUNT_OF(yes); i++) {
        if (!str_parse_bool(str_from(yes[i]), &value) || !value) fail_msg("%s", yes[i]);
    }
    for (int64_t i = 0; i < COUNT_OF(no); i++) {
        if (!str_parse_bool(str_from(no[i]), &value) || value) fail_msg("%s", no[i]);
    }
    for (int64_t i = 0; i < COUNT_OF(bad); i++) {
        if (str_parse_bool(str_from(bad[i]), &value)) fail_msg("%s was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_array),     cmocka_unit_test(cuts_and_finds),
        cmocka_unit_test(splits_into_parts), cmocka_unit_test(suggests_what_is_near),
        cmocka_unit_test(knows_utf8),        cmocka_unit_test(reads_booleans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
