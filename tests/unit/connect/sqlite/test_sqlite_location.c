/* Tests of SQLite's URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/connectors.h"

static const Connector *const CONNECTORS[] = {&sqlite_connector};
static const Registry REGISTRY = {CONNECTORS, 1};

static void test_paths(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"sqlite:///r.db", "r.db", "sqlite:///r.db"},
        {"sqlite:////a/b.db", "/a/b.db", "sqlite:////a/b.db"},
        {"sqlite+aiosqlite:////a/b.db?mode=ro", "/a/b.db", "sqlite:////a/b.db?mode=ro"},
        {"sqlite://", ":memory:", "sqlite://"},
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Arena arena = arena_make(1 << 20);
        Location location;
        assert_int_equal(location_parse(&REGISTRY, str_from(cases[i][0]), &arena, &location, NULL),
                         OK);
        assert_true(str_eq(location.path, str_from(cases[i][1])));
        assert_true(str_eq(location.url, str_from(cases[i][2])));
        assert_int_equal(location.kind, LOCATION_TABLE);
        assert_int_equal(location.option_count, i == 2);
        arena_done(&arena);
    }
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"sqlite://x.db", "write sqlite:///x.db with three slashes"},
        {"sqlite:x.db", "sqlite:////absolute.db"},
        {"x.db", "SQLite databases are written sqlite:///x.db"},
        {"x.sqlite3", "sqlite:///x.sqlite3"},
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Arena arena = arena_make(1 << 20);
        Location location;
        Err err = {0};
        assert_int_equal(location_parse(&REGISTRY, str_from(cases[i][0]), &arena, &location, &err),
                         FAIL);
        assert_non_null(strstr(err.hint, cases[i][1]));
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
