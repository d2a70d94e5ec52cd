/* Exact decimals of up to 38 digits: value * 10^-scale. */
#include "foundation/base/decimal.h"

#include <math.h>
#include <stdlib.h>

#include "foundation/base/number.h"

/* 256 bits as two halves, for products. */
typedef struct Int256 {
    Uint128 high, low;
} Int256;

Int128 decimal_power10(int32_t n)
{
    assert(n >= 0 && n <= DECIMAL_DIGITS_MAX);
    static const uint64_t SMALL[] = {1,
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
    return n < 20 ? (Int128)SMALL[n] : (Int128)SMALL[19] * (Int128)SMALL[n - 19];
}

static Uint128 magnitude(Int128 value)
{
    return value < 0 ? (Uint128)0 - (Uint128)value : (Uint128)value;
}

static Int128 with_sign(Uint128 value, bool negative)
{
    return negative ? -(Int128)value : (Int128)value;
}

static Uint128 limit(void)
{
    return (Uint128)decimal_power10(DECIMAL_DIGITS_MAX);
}

static int32_t count_digits(Uint128 value)
{
    int32_t low = 0;
    int32_t high = DECIMAL_DIGITS_MAX;
    while (low < high) {
        int32_t middle = (low + high + 1) / 2;
        if (value >= (Uint128)decimal_power10(middle)) low = middle;
        else high = middle - 1;
    }
    return value >= (Uint128)decimal_power10(low) ? low + 1 : 1;
}

static Int256 wide_multiply(Uint128 a, Uint128 b)
{
    uint64_t a1 = (uint64_t)(a >> 64), a0 = (uint64_t)a;
    uint64_t b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b;
    Uint128 p00 = (Uint128)a0 * b0, p01 = (Uint128)a0 * b1;
    Uint128 p10 = (Uint128)a1 * b0, p11 = (Uint128)a1 * b1;
    Uint128 middle = (p00 >> 64) + (uint64_t)p01 + (uint64_t)p10;
    return (Int256){.high = p11 + (p01 >> 64) + (p10 >> 64) + (middle >> 64),
                    .low = (middle << 64) | (uint64_t)p00};
}

static int wide_compare(Int256 a, Int256 b)
{
    if (a.high != b.high) return a.high < b.high ? -1 : 1;
    return (a.low > b.low) - (a.low < b.low);
}

/* Quotient of 256 by 128 bits, bit by bit from the top; the remainder beside. */
static Int256 wide_divide(Int256 a, Uint128 b, Uint128 *ret_rest)
{
    if (a.high == 0) {
        *ret_rest = a.low % b;
        return (Int256){0, a.low / b};
    }
    Int256 quotient = {a.high / b, 0};
    Uint128 rest = a.high % b;
    for (int32_t bit = 127; bit >= 0; bit--) {
        bool carry = rest >> 127;
        rest = (rest << 1) | ((a.low >> bit) & 1);
        if (carry || rest >= b) {
            rest -= b;
            quotient.low |= (Uint128)1 << bit;
        }
    }
    *ret_rest = rest;
    return quotient;
}

/* Half away from zero: the quotient of magnitudes, rounded. */
static Int256 wide_divide_round(Int256 a, Uint128 b)
{
    Uint128 rest;
    Int256 quotient = wide_divide(a, b, &rest);
    if (rest >= b - rest && ++quotient.low == 0) quotient.high++;
    return quotient;
}

/* A magnitude with `scale` digits after the point, cut by rounding to what 38 digits hold. */
static DecimalResult fit(Int256 value, int32_t scale, bool negative, Decimal *ret_value)
{
    int32_t cut = 0;
    Int256 fitted = value;
    while (fitted.high || fitted.low >= limit() || scale - cut > DECIMAL_SCALE_MAX) {
        cut++;
        if (cut > scale) return DECIMAL_OVERFLOW;
        if (cut <= DECIMAL_DIGITS_MAX) {
            fitted = wide_divide_round(value, (Uint128)decimal_power10(cut));
            continue;
        }
        Uint128 rest;
        Int256 part = wide_divide(value, (Uint128)decimal_power10(DECIMAL_DIGITS_MAX), &rest);
        fitted = wide_divide_round(part, (Uint128)decimal_power10(cut - DECIMAL_DIGITS_MAX));
    }
    *ret_value = (Decimal){with_sign(fitted.low, negative), scale - cut};
    return DECIMAL_OK;
}

/* ---- text ---- */

typedef struct DecimalScan {
    Uint128 value;
    int64_t digits; /* significant so far */
    int64_t scale;
    bool any, negative, cut_nonzero;
} DecimalScan;

static const char *scan_digits(const char *at, const char *end, DecimalScan *scan, bool fraction)
{
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        scan->any = true;
        if (scan->digits >= DECIMAL_DIGITS_MAX) {
            /* More digits than fit: only zeros after them can be dropped. */
            scan->cut_nonzero |= *at != '0';
            if (!fraction) scan->scale--;
            continue;
        }
        if (scan->value != 0 || *at != '0') scan->digits++;
        scan->value = scan->value * 10 + (Uint128)(uint8_t)(*at - '0');
        if (fraction) scan->scale++;
    }
    return at;
}

static bool scan_exponent(const char *at, const char *end, int64_t *ret_exponent)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    if (at == end) return false;
    int64_t exponent = 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9') return false;
        exponent = int64_min(exponent * 10 + (*at - '0'), 1000000);
    }
    *ret_exponent = negative ? -exponent : exponent;
    return true;
}

static DecimalResult scan_finish(DecimalScan scan, Decimal *ret_value)
{
    if (scan.cut_nonzero) return DECIMAL_OVERFLOW;
    while (scan.scale < 0) {
        if (scan.value == 0) {
            scan.scale = 0;
            break;
        }
        if (scan.value >= limit() / 10) return DECIMAL_OVERFLOW;
        scan.value *= 10;
        scan.scale++;
    }
    while (scan.scale > DECIMAL_SCALE_MAX && (scan.value % 10 == 0)) {
        scan.value /= 10;
        scan.scale--;
        if (scan.value == 0) scan.scale = int64_min(scan.scale, DECIMAL_SCALE_MAX);
    }
    if (scan.scale > DECIMAL_SCALE_MAX || scan.value >= limit()) return DECIMAL_OVERFLOW;
    *ret_value = (Decimal){with_sign(scan.value, scan.negative), (int32_t)scan.scale};
    return DECIMAL_OK;
}

/* Up to 18 digits with an optional point: what nearly all numbers are. */
static bool parse_short(Str text, Decimal *ret_value)
{
    int64_t i = text.len > 0 && text.ptr[0] == '-';
    if (text.len - i > 18 || text.len == i) return false;
    int64_t point = -1;
    int64_t value = 0;
    int64_t first = i;
    for (; i < text.len; i++) {
        uint32_t digit = (uint32_t)(uint8_t)text.ptr[i] - '0';
        if (digit <= 9) {
            value = value * 10 + (int64_t)digit;
        } else if (text.ptr[i] == '.' && point < 0 && text.len > first + 1) {
            point = i;
        } else {
            return false;
        }
    }
    ret_value->value = first ? -value : value;
    ret_value->scale = point < 0 ? 0 : (int32_t)(text.len - point - 1);
    return true;
}

DecimalResult decimal_parse(Str text, Decimal *ret_value)
{
    if (parse_short(text, ret_value)) return DECIMAL_OK;
    text = str_trim(text);
    const char *at = text.ptr;
    const char *end = at + text.len;
    DecimalScan scan = {.negative = at < end && *at == '-'};
    if (at < end && (*at == '-' || *at == '+')) at++;
    at = scan_digits(at, end, &scan, false);
    if (at < end && *at == '.') at = scan_digits(at + 1, end, &scan, true);
    if (!scan.any) return DECIMAL_INVALID;
    int64_t exponent = 0;
    if (at < end && (*at == 'e' || *at == 'E')) {
        if (!scan_exponent(at + 1, end, &exponent)) return DECIMAL_INVALID;
        at = end;
    }
    if (at != end) return DECIMAL_INVALID;
    scan.scale -= exponent;
    return scan_finish(scan, ret_value);
}

/* Values past 64 bits, digit by digit. */
static int64_t format_long(Decimal value, char *ret_text)
{
    char digits[DECIMAL_TEXT_MAX];
    char *at = digits + sizeof digits;
    Uint128 left = magnitude(value.value);
    for (int32_t count = 0; left != 0 || count <= value.scale;) {
        *--at = (char)('0' + (int)(left % 10));
        left /= 10;
        if (++count == value.scale) *--at = '.';
    }
    if (value.value < 0) *--at = '-';
    int64_t len = digits + sizeof digits - at;
    memcpy(ret_text, at, (size_t)len);
    return len;
}

int64_t decimal_format(Decimal value, char *ret_text)
{
    Uint128 size = magnitude(value.value);
    if (UNLIKELY(size > UINT64_MAX)) return format_long(value, ret_text);
    uint64_t left = (uint64_t)size;
    int32_t count = number_digit_count(left);
    if (count <= value.scale) count = value.scale + 1;
    bool negative = value.value < 0;
    ret_text[0] = '-';
    char *end = ret_text + negative + count + (value.scale > 0);
    char *at = end;
    if (value.scale > 0) {
        left = number_put_digits(at, value.scale, left);
        at -= value.scale + 1;
        *at = '.';
    }
    (void)number_put_digits(at, count - value.scale, left);
    return end - ret_text;
}

/* ---- conversions ---- */

Decimal decimal_from_int64(int64_t value)
{
    return (Decimal){value, 0};
}

double decimal_to_double(Decimal value)
{
    Uint128 size = magnitude(value.value);
    if (size <= (UINT64_C(1) << 53) && value.scale <= 22) {
        double exact = (double)(int64_t)value.value;
        return value.scale ? exact / (double)(Int128)decimal_power10(value.scale) : exact;
    }
    char text[DECIMAL_TEXT_MAX + 1];
    double result = 0;
    (void)number_parse_double(str_make(text, decimal_format(value, text)), &result);
    return result;
}

DecimalResult decimal_from_double(double value, Decimal *ret_value)
{
    if (isnan(value) || isinf(value)) return DECIMAL_INVALID;
    char text[NUMBER_TEXT_MAX];
    return decimal_parse(str_make(text, number_format_double(value, text)), ret_value);
}

DecimalResult decimal_to_int64(Decimal value, int64_t *ret_value)
{
    Decimal rounded;
    DecimalResult result = decimal_round(value, 0, &rounded);
    if (result != DECIMAL_OK) return result;
    if (rounded.value > INT64_MAX || rounded.value < INT64_MIN) return DECIMAL_OVERFLOW;
    *ret_value = (int64_t)rounded.value;
    return DECIMAL_OK;
}

/* ---- arithmetic ---- */

Decimal decimal_negate(Decimal a)
{
    return (Decimal){-a.value, a.scale};
}

static bool fits_scaled(Uint128 value, int32_t by)
{
    return by == 0 || value < (limit() / (Uint128)decimal_power10(by));
}

DecimalResult decimal_add(Decimal a, Decimal b, Decimal *ret_value)
{
    int32_t scale = a.scale > b.scale ? a.scale : b.scale;
    int32_t up_a = scale - a.scale;
    int32_t up_b = scale - b.scale;
    if (fits_scaled(magnitude(a.value), up_a) && fits_scaled(magnitude(b.value), up_b)) {
        Int128 x = a.value * decimal_power10(up_a), y = b.value * decimal_power10(up_b), sum;
        bool wraps = __builtin_add_overflow(x, y, &sum);
        if (!wraps && magnitude(sum) < limit()) {
            *ret_value = (Decimal){sum, scale};
            return DECIMAL_OK;
        }
    }
    Int256 wa = wide_multiply(magnitude(a.value), (Uint128)decimal_power10(up_a));
    Int256 wb = wide_multiply(magnitude(b.value), (Uint128)decimal_power10(up_b));
    if ((a.value < 0) == (b.value < 0)) {
        Int256 sum = {wa.high + wb.high, wa.low + wb.low};
        if (sum.low < wa.low) sum.high++;
        return fit(sum, scale, a.value < 0, ret_value);
    }
    bool a_larger = wide_compare(wa, wb) >= 0;
    Int256 big = a_larger ? wa : wb;
    Int256 small = a_larger ? wb : wa;
    Int256 rest = {big.high - small.high - (big.low < small.low), big.low - small.low};
    return fit(rest, scale, a_larger ? a.value < 0 : b.value < 0, ret_value);
}

DecimalResult decimal_sub(Decimal a, Decimal b, Decimal *ret_value)
{
    return decimal_add(a, decimal_negate(b), ret_value);
}

DecimalResult decimal_mul(Decimal a, Decimal b, Decimal *ret_value)
{
    bool negative = (a.value < 0) != (b.value < 0);
    Int256 product = wide_multiply(magnitude(a.value), magnitude(b.value));
    return fit(product, a.scale + b.scale, negative, ret_value);
}

/* Base-10000 weight and first digit of a magnitude, as PostgreSQL's numeric has them. */
static void weight_of(Decimal a, int32_t *ret_weight, int32_t *ret_first)
{
    Uint128 value = magnitude(a.value);
    if (value == 0) {
        *ret_weight = 0;
        *ret_first = 0;
        return;
    }
    int32_t exponent = count_digits(value) - 1 - a.scale; /* of the first decimal digit */
    int32_t weight = exponent >= 0 ? exponent / 4 : -((3 - exponent) / 4);
    int32_t low = weight * 4 + a.scale; /* decimal digits below that base-10000 digit */
    Uint128 first =
        low >= 0 ? value / (Uint128)decimal_power10(low) : value * (Uint128)decimal_power10(-low);
    *ret_weight = weight;
    *ret_first = (int32_t)first;
}

/* PostgreSQL's choice of a quotient's scale: 16 significant digits at least. */
static int32_t division_scale(Decimal a, Decimal b)
{
    int32_t weight_a, first_a, weight_b, first_b;
    weight_of(a, &weight_a, &first_a);
    weight_of(b, &weight_b, &first_b);
    int32_t weight = weight_a - weight_b - (first_a <= first_b);
    int32_t scale = 16 - weight * 4;
    if (scale < a.scale) scale = a.scale;
    if (scale < b.scale) scale = b.scale;
    return scale < 0 ? 0 : scale;
}

/* a / b with `scale` digits after the point, half away from zero; false when it needs too many. */
static bool divide_at(Decimal a, Decimal b, int32_t scale, Int256 *ret_quotient)
{
    Uint128 size_a = magnitude(a.value);
    Uint128 size_b = magnitude(b.value);
    int32_t up = scale + b.scale - a.scale;
    if (up < 0) {
        if (-up > DECIMAL_DIGITS_MAX) return false;
        Int256 divisor = wide_multiply(size_b, (Uint128)decimal_power10(-up));
        if (divisor.high) return false;
        *ret_quotient = wide_divide_round((Int256){0, size_a}, divisor.low);
        return true;
    }
    if (up > DECIMAL_DIGITS_MAX) return false;
    *ret_quotient = wide_divide_round(wide_multiply(size_a, (Uint128)decimal_power10(up)), size_b);
    return true;
}

DecimalResult decimal_div(Decimal a, Decimal b, Decimal *ret_value)
{
    if (b.value == 0) return DECIMAL_DIVISION_BY_ZERO;
    int32_t scale = division_scale(a, b);
    if (scale > DECIMAL_SCALE_MAX) scale = DECIMAL_SCALE_MAX;
    a = decimal_normalize(a);
    b = decimal_normalize(b);
    for (; scale >= 0; scale--) {
        Int256 quotient;
        if (!divide_at(a, b, scale, &quotient)) continue;
        if (quotient.high || quotient.low >= limit()) continue;
        *ret_value = (Decimal){with_sign(quotient.low, (a.value < 0) != (b.value < 0)), scale};
        return DECIMAL_OK;
    }
    return DECIMAL_OVERFLOW;
}

DecimalResult decimal_mod(Decimal a, Decimal b, Decimal *ret_value)
{
    if (b.value == 0) return DECIMAL_DIVISION_BY_ZERO;
    int32_t scale = a.scale > b.scale ? a.scale : b.scale;
    Int256 wa = wide_multiply(magnitude(a.value), (Uint128)decimal_power10(scale - a.scale));
    Int256 wb = wide_multiply(magnitude(b.value), (Uint128)decimal_power10(scale - b.scale));
    if (wide_compare(wa, wb) < 0) {
        return fit(wa, scale, a.value < 0, ret_value);
    }
    if (wb.high) return DECIMAL_OVERFLOW;
    Uint128 rest;
    (void)wide_divide(wa, wb.low, &rest);
    return fit((Int256){0, rest}, scale, a.value < 0, ret_value);
}

int decimal_compare(Decimal a, Decimal b)
{
    if (a.scale == b.scale) return (a.value > b.value) - (a.value < b.value);
    if ((a.value < 0) != (b.value < 0)) return a.value < 0 ? -1 : 1;
    int32_t scale = a.scale > b.scale ? a.scale : b.scale;
    Int256 wa = wide_multiply(magnitude(a.value), (Uint128)decimal_power10(scale - a.scale));
    Int256 wb = wide_multiply(magnitude(b.value), (Uint128)decimal_power10(scale - b.scale));
    int order = wide_compare(wa, wb);
    return a.value < 0 ? -order : order;
}

/* ---- rounding ---- */

typedef enum Rounding { ROUND_HALF, ROUND_DOWN } Rounding;

static DecimalResult rescale(Decimal a, int32_t scale, Rounding rounding, Decimal *ret_value)
{
    int32_t keep = scale < 0 ? 0 : scale > DECIMAL_SCALE_MAX ? DECIMAL_SCALE_MAX : scale;
    if (scale >= a.scale) {
        Int256 value = wide_multiply(magnitude(a.value), (Uint128)decimal_power10(keep - a.scale));
        return fit(value, keep, a.value < 0, ret_value);
    }
    int32_t cut = a.scale - scale;
    if (cut > DECIMAL_DIGITS_MAX) {
        *ret_value = (Decimal){0, keep};
        return DECIMAL_OK;
    }
    int64_t small = (int64_t)a.value;
    if (small == a.value && scale >= 0 && cut <= 18) {
        /* Division of 128 bits is a call; nearly all values are smaller. */
        uint64_t left = (uint64_t)magnitude(small), part = (uint64_t)decimal_power10(cut);
        uint64_t whole = left / part, rest = left % part;
        whole += rounding == ROUND_HALF && rest >= part - rest;
        *ret_value = (Decimal){with_sign(whole, small < 0), keep};
        return DECIMAL_OK;
    }
    Uint128 unit = (Uint128)decimal_power10(cut);
    Uint128 size = magnitude(a.value);
    Uint128 value = size / unit;
    if (rounding == ROUND_HALF && size % unit >= unit - size % unit) value++;
    Int256 whole =
        scale < 0 ? wide_multiply(value, (Uint128)decimal_power10(-scale)) : (Int256){0, value};
    return fit(whole, keep, a.value < 0, ret_value);
}

DecimalResult decimal_round(Decimal a, int32_t scale, Decimal *ret_value)
{
    return rescale(a, scale, ROUND_HALF, ret_value);
}

DecimalResult decimal_trunc(Decimal a, int32_t scale, Decimal *ret_value)
{
    return rescale(a, scale, ROUND_DOWN, ret_value);
}

static DecimalResult towards(Decimal a, int direction, Decimal *ret_value)
{
    Decimal whole;
    DecimalResult result = rescale(a, 0, ROUND_DOWN, &whole);
    if (result != DECIMAL_OK) return result;
    int order = decimal_compare(a, whole);
    if (order != 0 && (order > 0) == (direction > 0)) whole.value += direction;
    return fit((Int256){0, magnitude(whole.value)}, 0, whole.value < 0, ret_value);
}

DecimalResult decimal_floor(Decimal a, Decimal *ret_value)
{
    return towards(a, -1, ret_value);
}

DecimalResult decimal_ceil(Decimal a, Decimal *ret_value)
{
    return towards(a, 1, ret_value);
}

Decimal decimal_normalize(Decimal a)
{
    int64_t small = (int64_t)a.value;
    if (LIKELY(small == a.value)) {
        /* Division of 128 bits is a call; nearly all values are smaller. */
        while (a.scale > 0 && small % 10 == 0) {
            small /= 10;
            a.scale--;
        }
        a.value = small;
        return a;
    }
    while (a.scale > 0 && a.value % 10 == 0) {
        a.value /= 10;
        a.scale--;
    }
    return a;
}
