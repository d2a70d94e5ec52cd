/* Exact decimals: text both ways, PostgreSQL's scales and rounding, the 38 digit limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "foundation/base/decimal.h"

enum { TRIALS = 20000 };

static Decimal number(const char *text)
{
    Decimal d = {0};
    if (decimal_parse(str_from(text), &d) != DECIMAL_OK) fail_msg("%s is no decimal", text);
    return d;
}

static void assert_text(Decimal d, const char *want)
{
    char text[DECIMAL_TEXT_MAX + 1];
    text[decimal_format(d, text)] = 0;
    assert_string_equal(text, want);
}

static void reads_and_writes(void **state)
{
    (void)state;
    static const char *const PAIRS[][2] = {
        {"0", "0"},
        {"-0", "0"},
        {"+1.50", "1.50"},
        {" 7 ", "7"},
        {".5", "0.5"},
        {"5.", "5"},
        {"1e3", "1000"},
        {"1.25e1", "12.5"},
        {"1e-3", "0.001"},
        {"-0.000", "0.000"},
        {"007", "7"},
        {"99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
        {"0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"},
    };
    for (int64_t i = 0; i < COUNT_OF(PAIRS); i++) assert_text(number(PAIRS[i][0]), PAIRS[i][1]);
    Decimal d;
    static const char *const BAD[] = {"", " ", "-", ".", "1e", "1 2", "0x1", "NaN", "1..2", "e5"};
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(decimal_parse(str_from(BAD[i]), &d), DECIMAL_INVALID);
    }
    assert_int_equal(decimal_parse(STR("100000000000000000000000000000000000000"), &d),
                     DECIMAL_OVERFLOW);
    assert_int_equal(decimal_parse(STR("1e99999999999"), &d), DECIMAL_OVERFLOW);
}

typedef DecimalResult (*Operation)(Decimal a, Decimal b, Decimal *ret_value);

typedef struct Case {
    Operation operation;
    const char *a, *b, *want; /* want NULL: an error */
} Case;

static void computes_as_postgresql(void **state)
{
    (void)state;
    static const Case CASES[] = {
        {decimal_add, "1.50", "2.5", "4.00"},
        {decimal_sub, "1", "0.001", "0.999"},
        {decimal_mul, "1.50", "-2.5", "-3.750"},
        {decimal_div, "7", "2", "3.5000000000000000"},
        {decimal_div, "1", "3", "0.33333333333333333333"},
        {decimal_div, "1", "0", NULL},
        {decimal_mod, "-7.5", "2", "-1.5"},
        {decimal_mod, "1", "0.0", NULL},
        {decimal_add, "99999999999999999999999999999999999999", "1", NULL},
        {decimal_mul, "10000000000000000000", "10000000000000000000", NULL},
    };
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        Decimal result;
        DecimalResult code = CASES[i].operation(number(CASES[i].a), number(CASES[i].b), &result);
        assert_int_equal(code == DECIMAL_OK, CASES[i].want != NULL);
        if (CASES[i].want) assert_text(result, CASES[i].want);
    }
}

static void rounds_half_away_from_zero(void **state)
{
    (void)state;
    Decimal d;
    assert_int_equal(decimal_round(number("2.5"), 0, &d), DECIMAL_OK);
    assert_text(d, "3");
    assert_int_equal(decimal_round(number("-2.5"), 0, &d), DECIMAL_OK);
    assert_text(d, "-3");
    assert_int_equal(decimal_round(number("1450"), -2, &d), DECIMAL_OK);
    assert_text(d, "1500");
    assert_int_equal(decimal_trunc(number("-2.99"), 1, &d), DECIMAL_OK);
    assert_text(d, "-2.9");
    assert_int_equal(decimal_floor(number("-2.1"), &d), DECIMAL_OK);
    assert_text(d, "-3");
    assert_int_equal(decimal_ceil(number("-2.9"), &d), DECIMAL_OK);
    assert_text(d, "-2");
    int64_t whole;
    assert_int_equal(decimal_to_int64(number("9223372036854775807.4"), &whole), DECIMAL_OK);
    assert_true(whole == INT64_MAX);
    assert_int_equal(decimal_to_int64(number("9223372036854775807.5"), &whole), DECIMAL_OVERFLOW);
    assert_text(decimal_normalize(number("10.500")), "10.5");
    assert_text(decimal_normalize(number("0.00")), "0");
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 11;
}

/* (a + b) - b is a, (a * b) / b is a by value, comparison agrees with subtraction, text returns. */
static void laws_hold(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int i = 0; i < TRIALS; i++) {
        Decimal a = {(Int128)next_random(&seed) - ((Int128)1 << 52), (int32_t)(i % 7)};
        Decimal b = {(Int128)(next_random(&seed) % 1000000) + 1, (int32_t)(i % 5)};
        Decimal sum, back, difference, product, quotient, read;
        assert_int_equal(decimal_add(a, b, &sum), DECIMAL_OK);
        assert_int_equal(decimal_sub(sum, b, &back), DECIMAL_OK);
        assert_int_equal(decimal_compare(back, a), 0);
        assert_int_equal(decimal_sub(a, b, &difference), DECIMAL_OK);
        int sign = (difference.value > 0) - (difference.value < 0);
        assert_int_equal(decimal_compare(a, b), sign);
        assert_int_equal(decimal_mul(a, b, &product), DECIMAL_OK);
        assert_int_equal(decimal_div(product, b, &quotient), DECIMAL_OK);
        assert_int_equal(decimal_compare(quotient, a), 0);
        char text[DECIMAL_TEXT_MAX];
        int64_t len = decimal_format(product, text);
        assert_int_equal(decimal_parse(str_make(text, len), &read), DECIMAL_OK);
        assert_true(read.value == product.value && read.scale == product.scale);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes),
        cmocka_unit_test(computes_as_postgresql),
        cmocka_unit_test(rounds_half_away_from_zero),
        cmocka_unit_test(laws_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
