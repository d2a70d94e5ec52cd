/* Tests of the CSV connector's locations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/connectors.h"

static const Connector *const CONNECTORS[] = {&csv_connector};
static const Registry REGISTRY = {CONNECTORS, 1};

static void check_delimiter(const char *text, const char *delimiter)
{
    Arena arena = arena_make(1 << 20);
    Location location;
    assert_int_equal(location_parse(&REGISTRY, str_from(text), &arena, &location, NULL), OK);
    assert_true(str_eq(location_option(&location, STR("delimiter")), str_from(delimiter)));
    arena_done(&arena);
}

static void test_delimiter(void **state)
{
    (void)state;
    check_delimiter("x.csv", "");
    check_delimiter("x.tsv.gz", "\t");
    check_delimiter("-#TSV", "\t");
    check_delimiter("x.tsv#delimiter=;", ";");
    check_delimiter("x.tsv#csv", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delimiter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
