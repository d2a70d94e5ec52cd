/* What is sent: no U+0000, nothing beyond the core's columns; the sum of the health score. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "service/federate/federate_state.h"

static void test_clean(void **state)
{
    (void)state;
    Buf out = buf_make(1 << 20);
    Str odd = STR("{\"a\\u0000b\":[\"x\\u0000\",1e400,null,true,{\"k\":\"\\ud83d\\ude00\"}]}");
    assert_int_equal(body_clean(odd, &out, NULL), OK);
    assert_true(str_eq(buf_str(&out), STR("{\"ab\":[\"x\",1e400,null,true,{\"k\":\"😀\"}]}")));
    assert_int_equal(body_clean(STR("{"), &out, NULL), FAIL);
    buf_clear(&out);
    Buf deep = buf_make(1 << 20);
    for (int i = 0; i < 500; i++) assert_int_equal(buf_append_char(&deep, '[', NULL), OK);
    for (int i = 0; i < 500; i++) assert_int_equal(buf_append_char(&deep, ']', NULL), OK);
    assert_int_equal(body_clean(buf_str(&deep), &out, NULL), OK);
    assert_int_equal(str_find(buf_str(&out), STR("null")), 40);
    buf_done(&deep);
    buf_done(&out);
}

static void test_limits(void **state)
{
    (void)state;
    static const double VALUES[] = {-5,  0.4,   0.5,         2147483647,
                                    3e9, 1e300, (double)NAN, (double)INFINITY};
    Buf out = buf_make(1 << 16);
    JsonWriter w = json_writer_make(&out, NULL);
    json_object_begin(&w);
    for (int i = 0; i < COUNT_OF(VALUES); i++) body_int(&w, "n", VALUES[i]);
    body_double(&w, "d", (double)NAN);
    body_text(&w, "t", STR("aéé"), 4);
    json_object_end(&w);
    assert_int_equal(json_writer_end(&w), OK);
    assert_true(
        str_eq(buf_str(&out), STR("{\"n\":0,\"n\":0,\"n\":1,\"n\":2147483647,\"n\":2147483647,"
                                  "\"n\":2147483647,\"n\":0,\"n\":2147483647,\"d\":0,"
                                  "\"t\":\"aé\"}")));
    buf_done(&out);
}

static void test_score(void **state)
{
    (void)state;
    static const struct {
        Machine machine;
        double errors;
        int64_t score;
    } CASES[] = {
        {{0, 60, 70, 80}, 2, 100},     {{0, 61, 0, 0}, 0, 90},  {{0, 81, 0, 0}, 0, 80},
        {{0, 0, 71, 0}, 0, 90},        {{0, 0, 86, 0}, 0, 80},  {{0, 0, 0, 81}, 0, 95},
        {{0, 0, 0, 91}, 0, 85},        {{0, 0, 0, 0}, 2.1, 90}, {{0, 0, 0, 0}, 5.1, 75},
        {{0, 100, 100, 100}, 100, 20},
    };
    for (int i = 0; i < COUNT_OF(CASES); i++) {
        assert_int_equal(host_score(&CASES[i].machine, CASES[i].errors), CASES[i].score);
    }
}

static void test_pauses(void **state)
{
    (void)state;
    static const int64_t HALVES[] = {1, 2, 4, 8, 16, 32, 64, 120, 120};
    for (int i = 0; i < COUNT_OF(HALVES); i++) {
        assert_int_equal(federate_pause_ns(i + 1), HALVES[i] * FEDERATE_S_NS / 2);
    }
    assert_int_equal(federate_pause_ns(INT32_MAX), 60 * FEDERATE_S_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_clean), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_score), cmocka_unit_test(test_pauses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
