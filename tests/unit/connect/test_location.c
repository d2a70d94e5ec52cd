/* Tests of connect/location.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/location.h"

typedef struct Case {
    const char *text, *scheme, *url, *path, *compression, *shown;
} Case;

static void check_str(Str got, const char *want)
{
    if (!str_eq(got, str_from(want))) {
        fail_msg("got '%.*s', want '%s'", STR_ARG(got), want);
    }
}

static void test_forms(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"x.csv", "csv", "", "x.csv", "", "x.csv"},
        {"dir.d/x.tsv.zst", "csv", "", "dir.d/x.tsv.zst", "zst", "dir.d/x.tsv.zst"},
        {"x.NDJSON.gz", "ndjson", "", "x.NDJSON.gz", "gz", "x.NDJSON.gz"},
        {"a#b.csv", "csv", "", "a#b.csv", "", "a#b.csv"},
        {"a:b.csv", "csv", "", "a:b.csv", "", "a:b.csv"},
        {"-#ndjson", "ndjson", "", "-", "", "-#ndjson"},
        {"data/*.csv", "csv", "", "data/*.csv", "", "data/*.csv"},
        {"log.txt#csv", "csv", "", "log.txt", "", "log.txt#csv"},
        {"x.csv#compression=gz", "csv", "", "x.csv", "gz", "x.csv#compression=gz"},
        {"file:///tmp/x.csv", "csv", "", "/tmp/x.csv", "", "file:///tmp/x.csv"},
        {"sqlite:///r.db", "sqlite", "sqlite:///r.db", "r.db", "", "sqlite:///r.db"},
        {"sqlite+aiosqlite:////a/b.db", "sqlite", "sqlite:////a/b.db", "/a/b.db", "",
         "sqlite+aiosqlite:////a/b.db"},
        {"sqlite://", "sqlite", "sqlite://", ":memory:", "", "sqlite://"},
        {"postgresql+asyncpg://u:p@h/d?x=y", "postgresql", "postgresql://u:p@h/d?x=y", "", "",
         "postgresql+asyncpg://u:***@h/d?x=y"},
        {"postgres://h/d", "postgresql", "postgres://h/d", "", "", "postgres://h/d"},
        {"postgresql://u:p%2F%23%40w@h/d", "postgresql", "postgresql://u:p%2F%23%40w@h/d", "", "",
         "postgresql://u:***@h/d"},
        {"postgresql://h/d?password=hush&a=1", "postgresql", "postgresql://h/d?password=hush&a=1",
         "", "", "postgresql://h/d?password=***&a=1"},
        {"kafka://a:9092,b:9092/t", "kafka", "kafka://a:9092,b:9092/t", "", "",
         "kafka://a:9092,b:9092/t"},
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Arena arena = arena_make(1 << 20);
        Location location;
        Err err = {0};
        if (location_parse(str_from(cases[i].text), &arena, &location, &err) != OK) {
            fail_msg("%s: %s", cases[i].text, err.message);
        }
        check_str(location.scheme, cases[i].scheme);
        check_str(location.url, cases[i].url);
        check_str(location.path, cases[i].path);
        check_str(location.compression, cases[i].compression);
        check_str(location.text, cases[i].shown);
        arena_done(&arena);
    }
}

static void test_options(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 20);
    Location location;
    Err err = {0};
    Str text = STR("x.tsv#null=NA&types=a:bigint,b:text&delimiter=%26&quote=a%zz");
    assert_int_equal(location_parse(text, &arena, &location, &err), OK);
    check_str(location_option(&location, STR("null")), "NA");
    check_str(location_option(&location, STR("types")), "a:bigint,b:text");
    check_str(location_option(&location, STR("delimiter")), "&");
    check_str(location_option(&location, STR("quote")), "a%zz");
    assert_null(location_option(&location, STR("header")).ptr);
    assert_int_equal(location_set(&location, &arena, STR("null"), STR("-"), &err), OK);
    check_str(location_option(&location, STR("null")), "-");
    assert_int_equal(location_parse(STR("x.tsv"), &arena, &location, &err), OK);
    check_str(location_option(&location, STR("delimiter")), "\t");
    arena_done(&arena);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "write a URL"},
        {"x.cvs", "did you mean .csv?"},
        {"x.db", "sqlite:///x.db"},
        {"-", "-#csv"},
        {"plain", "plain#csv"},
        {"postgresq://h/d", "did you mean postgresql://?"},
        {"http://h/x.csv", "known are"},
        {"sqlite://x.db", "three slashes"},
        {"x.csv#header", "name=value"},
        {"x.csv#compression=lz4", "gz, zst or none"},
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Arena arena = arena_make(1 << 20);
        Location location;
        Err err = {0};
        assert_int_equal(location_parse(str_from(cases[i][0]), &arena, &location, &err), FAIL);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.hint, cases[i][1])) {
            fail_msg("%s: hint '%s' without '%s'", cases[i][0], err.hint, cases[i][1]);
        }
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
