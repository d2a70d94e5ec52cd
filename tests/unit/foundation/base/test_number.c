/* Integers and doubles from and to text, against the C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "foundation/base/number.h"

enum { TRIALS = 200000 };

static void integers(void **state)
{
    (void)state;
    int64_t n;
    assert_int_equal(number_parse_int64(STR("-9223372036854775808"), &n), NUMBER_OK);
    assert_true(n == INT64_MIN);
    assert_int_equal(number_parse_int64(STR("+9223372036854775807"), &n), NUMBER_OK);
    assert_true(n == INT64_MAX);
    assert_int_equal(number_parse_int64(STR("9223372036854775808"), &n), NUMBER_OVERFLOW);
    assert_int_equal(number_parse_int64(STR("-9223372036854775809"), &n), NUMBER_OVERFLOW);
    static const char *const BAD[] = {"", "-", "+", " 1", "1 ", "1.0", "0x1", "1e3", "--1"};
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(number_parse_int64(str_from(BAD[i]), &n), NUMBER_INVALID);
    }
    char text[NUMBER_TEXT_MAX + 1];
    text[number_format_int64(INT64_MIN, text)] = 0;
    assert_string_equal(text, "-9223372036854775808");
}

static void assert_double(double value, const char *want)
{
    char text[NUMBER_TEXT_MAX + 1];
    text[number_format_double(value, text)] = 0;
    assert_string_equal(text, want);
}

static void doubles_as_postgresql_writes_them(void **state)
{
    (void)state;
    assert_double(1, "1");
    assert_double(1.5, "1.5");
    assert_double(-0.0, "-0");
    assert_double(1e20, "1e+20");
    assert_double(1e-7, "1e-07");
    assert_double(0.1 + 0.2, "0.30000000000000004");
    assert_double((double)NAN, "NaN");
    assert_double((double)-INFINITY, "-Infinity");
    double d;
    assert_int_equal(number_parse_double(STR("1e400"), &d), NUMBER_OVERFLOW);
    assert_int_equal(number_parse_double(STR("1e-400"), &d), NUMBER_OVERFLOW);
    assert_int_equal(number_parse_double(STR("0e-400"), &d), NUMBER_OK);
    assert_int_equal(number_parse_double(STR("infinity"), &d), NUMBER_OK);
    assert_true(isinf(d));
    static const char *const BAD[] = {"", ".", "e1", "1e", "0x10", "1_0", "nan1"};
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(number_parse_double(str_from(BAD[i]), &d), NUMBER_INVALID);
    }
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed ^ (*seed >> 29);
}

static double random_double(uint64_t *seed)
{
    double value;
    do {
        uint64_t bits = next_random(seed);
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return value;
}

/* Any bits: the text reads back the same, here and in the C library, and 17 digits at most. */
static void every_double_returns(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < TRIALS; i++) {
        double value = random_double(&seed), back = 0;
        char text[NUMBER_TEXT_MAX + 1];
        int64_t len = number_format_double(value, text);
        text[len] = 0;
        assert_int_equal(number_parse_double(str_make(text, len), &back), NUMBER_OK);
        assert_memory_equal(&back, &value, sizeof value);
        back = strtod(text, NULL);
        assert_memory_equal(&back, &value, sizeof value);
        assert_true(len <= 25);
    }
}

/* Decimal texts of every length: the nearest double, as strtod finds it. */
static void texts_read_as_the_c_library_reads_them(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < TRIALS; i++) {
        char text[64];
        int len = snprintf(
            text, sizeof text, "%llu.%0*llue%d", (unsigned long long)next_random(&seed), i % 19 + 1,
            (unsigned long long)(next_random(&seed) % 1000), (int)(next_random(&seed) % 500) - 250);
        double want = strtod(text, NULL), got = 0;
        assert_int_equal(number_parse_double(str_make(text, len), &got), NUMBER_OK);
        assert_memory_equal(&got, &want, sizeof want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(doubles_as_postgresql_writes_them),
        cmocka_unit_test(every_double_returns),
        cmocka_unit_test(texts_read_as_the_c_library_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
