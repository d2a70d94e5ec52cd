/* Tests of connect/position.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/position.h"
#include "foundation/base/mem.h"

static void merge(Position *position, int32_t part, int64_t next, Str cursor)
{
    Err err = {0};
    Span span = {.part = part, .next = next, .cursor = cursor};
    assert_int_equal(position_merge(position, &span, &err), OK);
}

static void test_merge(void **state)
{
    (void)state;
    Position position;
    position_init(&position);
    for (int32_t part = 9; part >= 0; part--) merge(&position, part, part * 10, STR_NULL);
    merge(&position, 4, 44, STR("2026-01-02"));
    merge(&position, 5, 55, STR_NULL);
    assert_int_equal(position.count, 10);
    for (int32_t i = 1; i < 10; i++) {
        assert_true(position.parts[i - 1].part < position.parts[i].part);
    }
    assert_int_equal(position_next(&position, 4), 44);
    assert_int_equal(position_next(&position, 0), 0);
    assert_int_equal(position_next(&position, 10), -1);
    assert_true(str_eq(buf_str(&position.cursor), STR("2026-01-02")));
    position_done(&position);
}

static void test_parts_that_come_and_go(void **state)
{
    (void)state;
    Position position, later;
    CLEANUP(buf_done) Buf json = buf_make(1000);
    position_init(&position);
    position_init(&later);
    assert_int_equal(position_put(&position, 3, -1, NULL), OK);
    assert_int_equal(position_put(&position, 1, 10, NULL), OK);
    assert_true(position_has(&position, 3) && !position_has(&position, 2));
    assert_int_equal(position_format(&position, &json, NULL), OK);
    assert_true(str_eq(buf_str(&json), STR("{\"parts\":{\"1\":10}}")));
    merge(&later, 1, 9, STR_NULL);
    merge(&later, 2, 20, STR_NULL);
    merge(&later, 3, 30, STR_NULL);
    position_advance(&later, &position);
    assert_int_equal(position_next(&position, 1), 10);
    assert_false(position_has(&position, 2));
    assert_int_equal(position_next(&position, 3), 30);
    position_remove(&position, 1);
    position_remove(&position, 7);
    assert_int_equal(position.count, 1);
    position_done(&position);
    position_done(&later);
}

static void test_round_trip(void **state)
{
    (void)state;
    Err err = {0};
    Position position;
    Position back;
    Position copy;
    position_init(&position);
    position_init(&back);
    position_init(&copy);
    Buf text = buf_make(1 << 20);
    merge(&position, 3, INT64_MAX, STR("a\"\\\n\xc3\xa9"));
    merge(&position, 0, 12, STR_NULL);
    assert_int_equal(buf_append(&position.samples, STR("[{\"lsn\":\"0/1\"}]"), &err), OK);
    assert_int_equal(position_format(&position, &text, &err), OK);
    assert_int_equal(position_parse(buf_str(&text), &back, &err), OK);
    assert_int_equal(position_copy(&back, &copy, &err), OK);
    assert_int_equal(position_next(&copy, 3), INT64_MAX);
    assert_int_equal(position_next(&copy, 0), 12);
    assert_true(str_eq(buf_str(&copy.cursor), buf_str(&position.cursor)));
    assert_true(str_eq(buf_str(&copy.samples), buf_str(&position.samples)));
    buf_done(&text);
    position_done(&copy);
    position_done(&back);
    position_done(&position);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "[]",
        "{",
        "{\"parts\":1}",
        "{\"parts\":{\"x\":1}}",
        "{\"parts\":{\"-1\":1}}",
        "{\"parts\":{\"1\":-1}}",
        "{\"parts\":{\"1\":1.5}}",
        "{\"cursor\":{}}",
    };
    Position position;
    position_init(&position);
    merge(&position, 1, 2, STR_NULL);
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Err err = {0};
        assert_int_equal(position_parse(str_from(cases[i]), &position, &err), FAIL);
        assert_int_equal(err.kind, ERR_DATA);
        assert_int_equal(position_next(&position, 1), 2);
    }
    position_done(&position);
}

static void test_memory(void **state)
{
    (void)state;
    Str json = STR("{\"parts\":{\"0\":1,\"2\":3},\"cursor\":\"c\",\"samples\":{\"a\":1}}");
    for (int64_t nth = 1; nth < 100; nth++) {
        Err err = {0};
        Position position;
        position_init(&position);
        mem_fail_at(nth, false);
        Status status = position_parse(json, &position, &err);
        mem_fail_at(0, false);
        if (status == OK) assert_int_equal(position_next(&position, 2), 3);
        if (status != OK) assert_int_equal(err.kind, ERR_MEMORY);
        position_done(&position);
        if (status == OK) return;
    }
    fail_msg("it never passes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),      cmocka_unit_test(test_parts_that_come_and_go),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
