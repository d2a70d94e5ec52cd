/* Integers and doubles from and to text. */
#include "foundation/base/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Eight ASCII digits at once, or a value past 99,999,999 when one of them is none. */
static uint64_t eight_digits(const char *text)
{
    uint64_t v;
    memcpy(&v, text, 8);
    uint64_t low = v - UINT64_C(0x3030303030303030);
    uint64_t high = v + UINT64_C(0x4646464646464646);
    if ((low | high) & UINT64_C(0x8080808080808080)) return UINT64_MAX;
    v = low * 10 + (low >> 8);
    return ((v & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
            ((v >> 16) & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
           32;
}

NumberResult number_parse_int64(Str text, int64_t *ret_value)
{
    const char *at = text.ptr;
    int64_t left = text.len;
    bool negative = left > 0 && *at == '-';
    if (left > 0 && (*at == '-' || *at == '+')) {
        at++;
        left--;
    }
    if (left == 0) return NUMBER_INVALID;
    uint64_t value = 0;
    while (left >= 8 && value <= 9999999999u) {
        uint64_t part = eight_digits(at);
        if (part == UINT64_MAX) break;
        value = value * 100000000u + part;
        at += 8;
        left -= 8;
    }
    bool overflow = false;
    for (; left > 0; at++, left--) {
        uint64_t digit = (uint64_t)(uint8_t)*at - '0';
        if (digit > 9) return NUMBER_INVALID;
        overflow |= value > (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    if (overflow || value > (uint64_t)INT64_MAX + negative) return NUMBER_OVERFLOW;
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return NUMBER_OK;
}

static const double POWERS10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Digits of a number taken apart: mantissa * 10^exponent, when it has at most 19 digits. */
typedef struct Digits {
    uint64_t mantissa;
    int64_t exponent;
    bool negative;
    bool exact; /* the mantissa holds all digits */
} Digits;

static const char *scan_digits(const char *at, const char *end, Digits *digits, int64_t *count,
                               bool fraction)
{
    for (; at < end && *at >= '0' && *at <= '9'; at++, (*count)++) {
        if (digits->mantissa > (UINT64_MAX - 9) / 10) {
            digits->exact = false;
            if (!fraction) digits->exponent++;
            continue;
        }
        digits->mantissa = digits->mantissa * 10 + (uint64_t)(*at - '0');
        if (fraction) digits->exponent--;
    }
    return at;
}

static const char *scan_exponent(const char *at, const char *end, Digits *digits, bool *ok)
{
    if (at == end || (*at != 'e' && *at != 'E')) return at;
    at++;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    int64_t exponent = 0;
    const char *first = at;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        exponent = int64_min(exponent * 10 + (*at - '0'), 100000);
    }
    *ok = at > first;
    digits->exponent += negative ? -exponent : exponent;
    return at;
}

static bool digits_scan(Str text, Digits *ret_digits)
{
    const char *at = text.ptr;
    const char *end = at + text.len;
    Digits digits = {.exact = true};
    digits.negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    int64_t count = 0;
    bool ok = true;
    at = scan_digits(at, end, &digits, &count, false);
    if (at < end && *at == '.') at = scan_digits(at + 1, end, &digits, &count, true);
    if (count == 0) return false;
    at = scan_exponent(at, end, &digits, &ok);
    *ret_digits = digits;
    return ok && at == end;
}

static NumberResult parse_special(Str text, double *ret_value)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    Str name =
        text.len > 0 && (negative || text.ptr[0] == '+') ? str_slice(text, 1, text.len) : text;
    if (str_eq_nocase(name, STR("nan")) && name.len == text.len) {
        *ret_value = (double)NAN;
        return NUMBER_OK;
    }
    if (str_eq_nocase(name, STR("infinity")) || str_eq_nocase(name, STR("inf"))) {
        *ret_value = negative ? -(double)INFINITY : (double)INFINITY;
        return NUMBER_OK;
    }
    return NUMBER_INVALID;
}

/* The slow, exact way; the text was checked to be digits, point and exponent. The program never
 * calls setlocale, so the decimal point is '.'. */
static NumberResult parse_strtod(Str text, double *ret_value)
{
    char stack[128];
    char *copy = stack;
    if (text.len >= (int64_t)sizeof stack) {
        copy = malloc((size_t)text.len + 1);
        if (!copy) return NUMBER_INVALID;
    }
    memcpy(copy, text.ptr, (size_t)text.len);
    copy[text.len] = 0;
    errno = 0;
    double value = strtod(copy, NULL);
    bool range = errno == ERANGE && (value == 0 || isinf(value));
    if (copy != stack) free(copy);
    if (range) return NUMBER_OVERFLOW;
    *ret_value = value;
    return NUMBER_OK;
}

NumberResult number_parse_double(Str text, double *ret_value)
{
    text = str_trim(text);
    Digits digits;
    if (!digits_scan(text, &digits)) return parse_special(text, ret_value);
    bool small = digits.exact && digits.mantissa <= (UINT64_C(1) << 53);
    if (!small || digits.exponent < -22 || digits.exponent > 22) {
        return parse_strtod(text, ret_value);
    }
    /* Both operands are exact, so that one rounding gives the nearest double. */
    double value = (double)digits.mantissa;
    value = digits.exponent < 0 ? value / POWERS10[-digits.exponent]
                                : value * POWERS10[digits.exponent];
    *ret_value = digits.negative ? -value : value;
    return NUMBER_OK;
}

const char NUMBER_PAIRS[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "6869707172737475767778798081828384858687888990919293949596979899";

int32_t number_digit_count(uint64_t value)
{
    static const uint64_t LEAST[] = {0,
                                     10,
                                     100,
                                     1000,
                                     10000,
                                     100000,
                                     1000000,
                                     10000000,
                                     100000000,
                                     1000000000,
                                     UINT64_C(10000000000),
                                     UINT64_C(100000000000),
                                     UINT64_C(1000000000000),
                                     UINT64_C(10000000000000),
                                     UINT64_C(100000000000000),
                                     UINT64_C(1000000000000000),
                                     UINT64_C(10000000000000000),
                                     UINT64_C(100000000000000000),
                                     UINT64_C(1000000000000000000),
                                     UINT64_C(10000000000000000000)};
    /* 1233 / 4096 is a little more than log10(2): the guess is right or one too low. */
    int32_t guess = (64 - __builtin_clzll(value | 1)) * 1233 >> 12;
    return guess + (value >= LEAST[guess]);
}

int64_t number_format_int64(int64_t value, char *ret_text)
{
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    int32_t count = number_digit_count(left);
    bool negative = value < 0;
    ret_text[0] = '-';
    (void)number_put_digits(ret_text + negative + count, count, left);
    return negative + count;
}

/* The shortest of 15, 16 or 17 significant digits that reads back the same, as d.ddde±xx. */
static void shortest_exponent_form(double value, char text[40])
{
    for (int precision = 14; precision <= 16; precision++) {
        (void)snprintf(text, 40, "%.*e", precision, value);
        double back = strtod(text, NULL);
        if (memcmp(&back, &value, sizeof value) == 0) return;
    }
}

/* Significant digits without trailing zeros and the decimal exponent of the first. */
static int64_t split_digits(const char *text, char digits[20], int32_t *ret_exponent)
{
    int64_t count = 0;
    const char *at = text;
    for (; *at && *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9') digits[count++] = *at;
    }
    *ret_exponent = (int32_t)strtol(at + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0') count--;
    return count;
}

static int64_t put_exponent_form(const char *digits, int64_t count, int32_t exponent, char *to)
{
    int64_t len = 0;
    to[len++] = digits[0];
    if (count > 1) {
        to[len++] = '.';
        memcpy(to + len, digits + 1, (size_t)count - 1);
        len += count - 1;
    }
    return len + snprintf(to + len, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static int64_t put_plain_form(const char *digits, int64_t count, int32_t exponent, char *to)
{
    int64_t len = 0;
    if (exponent < 0) {
        to[len++] = '0';
        to[len++] = '.';
        for (int32_t i = -1; i > exponent; i--) to[len++] = '0';
    }
    for (int64_t i = 0; i < count; i++) {
        if (exponent >= 0 && i == exponent + 1) to[len++] = '.';
        to[len++] = digits[i];
    }
    for (int64_t i = count; i <= exponent; i++) to[len++] = '0';
    return len;
}

int64_t number_format_double(double value, char *ret_text)
{
    const char *special = isnan(value) ? "NaN" : isinf(value) ? "Infinity" : NULL;
    int64_t len = 0;
    if (signbit(value) && !isnan(value)) ret_text[len++] = '-';
    if (special) {
        memcpy(ret_text + len, special, strlen(special));
        return len + (int64_t)strlen(special);
    }
    value = fabs(value);
    if (value < 1e15 && value == floor(value)) {
        return len + number_format_int64((int64_t)value, ret_text + len);
    }
    char text[40];
    char digits[20];
    int32_t exponent = 0;
    shortest_exponent_form(value, text);
    int64_t count = split_digits(text, digits, &exponent);
    if (exponent < -4 || exponent >= 15) {
        return len + put_exponent_form(digits, count, exponent, ret_text + len);
    }
    return len + put_plain_form(digits, count, exponent, ret_text + len);
}
