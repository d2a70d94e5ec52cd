/* Named formats of text: e-mail addresses, UUIDs, addresses of hosts, dates, numbers, codes. */
#include "work/quality/value_format.h"

#include "foundation/base/datetime.h"
#include "foundation/base/number.h"
#include "foundation/codec/base64.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/uuid.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Classes of bytes, as bits. */
enum { ALPHA = 1, DIGIT = 2, LOCAL = 4, DOMAIN = 8, HEX = 16 };

static inline uint8_t class_of(char c)
{
    static const uint8_t CLASSES[256] = {
        ['a' ... 'f'] = ALPHA | LOCAL | DOMAIN | HEX,
        ['g' ... 'z'] = ALPHA | LOCAL | DOMAIN,
        ['A' ... 'F'] = ALPHA | LOCAL | DOMAIN | HEX,
        ['G' ... 'Z'] = ALPHA | LOCAL | DOMAIN,
        ['0' ... '9'] = DIGIT | LOCAL | DOMAIN | HEX,
        ['.'] = LOCAL | DOMAIN,
        ['-'] = LOCAL | DOMAIN,
        ['_'] = LOCAL,
        ['%'] = LOCAL,
        ['+'] = LOCAL,
    };
    return CLASSES[(uint8_t)c];
}

static bool all_of(Str text, uint8_t classes)
{
    for (int64_t i = 0; i < text.len; i++) {
        if (!(class_of(text.ptr[i]) & classes)) return false;
    }
    return text.len > 0;
}

#if defined(__SSE2__)
/* The classes of up to 64 bytes, a bit each. */
typedef struct Classes {
    uint64_t alpha, domain, local, at;
} Classes;

static inline __m128i between(__m128i bytes, char low, char high)
{
    __m128i value = _mm_sub_epi8(bytes, _mm_set1_epi8(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8((char)(high - low))), value);
}

static inline __m128i is_one(__m128i bytes, char c)
{
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}

static inline uint64_t bits_of(__m128i mask, int shift)
{
    return (uint64_t)(uint32_t)_mm_movemask_epi8(mask) << shift;
}

static inline void classes_add(Classes *to, const char *text, int shift)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
    __m128i alpha = between(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    __m128i domain = _mm_or_si128(alpha, between(bytes, '0', '9'));
    /* - and . are neighbours, - . / */
    domain = _mm_or_si128(domain, between(bytes, '-', '.'));
    __m128i local = _mm_or_si128(is_one(bytes, '_'), is_one(bytes, '%'));
    local = _mm_or_si128(_mm_or_si128(local, is_one(bytes, '+')), domain);
    to->alpha |= bits_of(alpha, shift);
    to->domain |= bits_of(domain, shift);
    to->local |= bits_of(local, shift);
    to->at |= bits_of(is_one(bytes, '@'), shift);
}

/* 16 to 64 bytes; the last block overlaps the one before it. */
static bool short_email(Str text)
{
    Classes c = {0};
    int64_t len = text.len;
    for (int64_t i = 0; i + 16 <= len; i += 16) classes_add(&c, text.ptr + i, (int)i);
    classes_add(&c, text.ptr + len - 16, (int)(len - 16));
    uint64_t all = len == 64 ? ~UINT64_C(0) : (UINT64_C(1) << len) - 1;
    if (!c.at || (c.at & (c.at - 1))) return false;
    uint64_t before = c.at - 1, behind = all & ~before & ~c.at;
    if (!before || (c.local & before) != before || (c.domain & behind) != behind) return false;
    /* Letters at the end: two at least, a point before them, something before that. */
    uint64_t others = behind & ~c.alpha;
    int last = 63 - __builtin_clzll(others | 1);
    int at = __builtin_ctzll(c.at);
    return others && text.ptr[last] == '.' && len - 1 - last >= 2 && last - at >= 2;
}
#endif

bool format_email(Str text)
{
#if defined(__SSE2__)
    if (LIKELY(text.len >= 16 && text.len <= 64)) return short_email(text);
#endif
    int64_t at = 0;
    while (at < text.len && (class_of(text.ptr[at]) & LOCAL)) at++;
    if (at == 0 || at == text.len || text.ptr[at] != '@') return false;
    int64_t end = text.len;
    /* Letters after the last point, two at least; something in front of it. */
    while (end > at && (class_of(text.ptr[end - 1]) & ALPHA)) end--;
    if (text.len - end < 2 || end - at < 3 || text.ptr[end - 1] != '.') return false;
    for (int64_t i = at + 1; i < end - 1; i++) {
        if (!(class_of(text.ptr[i]) & DOMAIN)) return false;
    }
    return true;
}

bool format_date_time(Str text)
{
    int32_t days;
    int64_t us;
    bool zone;
    if (text.len == 10) return datetime_parse_date(text, &days);
    return datetime_parse_timestamp(text, &us, &zone);
}

static bool format_date(Str text)
{
    int32_t days;
    return datetime_parse_date(text, &days);
}

static bool format_time(Str text)
{
    int64_t us;
    return datetime_parse_time(text, &us);
}

static bool format_timestamp(Str text)
{
    int64_t us;
    bool zone;
    return datetime_parse_timestamp(text, &us, &zone);
}

static bool format_uuid(Str text)
{
    uint8_t bytes[16];
    return text.len == 36 && uuid_parse(text, bytes);
}

static bool format_integer(Str text)
{
    if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+')) text = str_slice(text, 1, text.len);
    return all_of(text, DIGIT);
}

static bool format_decimal(Str text)
{
    double value;
    return text.len && (class_of(text.ptr[text.len - 1]) & DIGIT) &&
           number_parse_double(text, &value) == NUMBER_OK;
}

static bool format_boolean(Str text)
{
    return str_eq_nocase(text, STR("true")) || str_eq_nocase(text, STR("false"));
}

static bool format_json(Str text)
{
    return json_validate(text, NULL);
}

/* ---- the net ---- */

static bool ipv4_part(Str part)
{
    int64_t value = 0;
    if (!all_of(part, DIGIT) || part.len > 3 || (part.len > 1 && part.ptr[0] == '0')) return false;
    for (int64_t i = 0; i < part.len; i++) value = value * 10 + (part.ptr[i] - '0');
    return value <= 255;
}

static bool format_ipv4(Str text)
{
    Str part;
    int parts = 0;
    while (str_next_part(&text, '.', &part)) {
        if (++parts > 4 || !ipv4_part(part)) return false;
    }
    return parts == 4;
}

/* Groups of up to four hex digits; *ret_count of them, an IPv4 tail counts as two. */
static bool ipv6_groups(Str text, bool tail, int *ret_count)
{
    Str part;
    *ret_count = 0;
    if (text.len == 0) return true;
    while (str_next_part(&text, ':', &part)) {
        if (tail && !text.ptr && format_ipv4(part)) {
            *ret_count += 2;
            return true;
        }
        if (part.len > 4 || !all_of(part, HEX)) return false;
        *ret_count += 1;
    }
    return true;
}

static bool format_ipv6(Str text)
{
    int64_t gap = str_find(text, STR("::"));
    int before = 0, behind = 0;
    if (gap < 0) return ipv6_groups(text, true, &before) && before == 8;
    Str rest = str_slice(text, gap + 2, text.len);
    return ipv6_groups(str_slice(text, 0, gap), false, &before) &&
           ipv6_groups(rest, true, &behind) && before + behind < 8;
}

static bool format_ip(Str text)
{
    return format_ipv4(text) || format_ipv6(text);
}

static bool format_hostname(Str text)
{
    Str part;
    if (text.len == 0 || text.len > 253) return false;
    while (str_next_part(&text, '.', &part)) {
        if (part.len == 0 || part.len > 63) return false;
        if (part.ptr[0] == '-' || part.ptr[part.len - 1] == '-') return false;
        for (int64_t i = 0; i < part.len; i++) {
            if (part.ptr[i] == '.' || !(class_of(part.ptr[i]) & DOMAIN)) return false;
        }
    }
    return true;
}

/* scheme://authority…, without blanks and control characters. */
static bool format_url(Str text)
{
    int64_t at = str_find(text, STR("://"));
    if (at <= 0 || !(class_of(text.ptr[0]) & ALPHA)) return false;
    for (int64_t i = 0; i < at; i++) {
        if (text.ptr[i] != '+' && !(class_of(text.ptr[i]) & DOMAIN)) return false;
    }
    Str rest = str_slice(text, at + 3, text.len);
    for (int64_t i = 0; i < rest.len; i++) {
        unsigned char c = (unsigned char)rest.ptr[i];
        if (c <= ' ' || c == 0x7f || c == '"' || c == '<' || c == '>') return false;
    }
    return rest.len > 0 && rest.ptr[0] != '/';
}

/* ---- numbers that carry a check ---- */

static bool format_e164(Str text)
{
    return text.len >= 8 && text.len <= 16 && text.ptr[0] == '+' && text.ptr[1] != '0' &&
           all_of(str_slice(text, 1, text.len), DIGIT);
}

/* Luhn's check over the digits, the first of which is no 0; blanks and dashes between them are
 * passed by. */
static bool format_card(Str text)
{
    int sum = 0, count = 0;
    for (int64_t i = text.len - 1; i >= 0; i--) {
        char c = text.ptr[i];
        if ((c == ' ' || c == '-') && i > 0 && i < text.len - 1) continue;
        if (c < '0' || c > '9') return false;
        int digit = c - '0';
        if (count++ % 2) digit = digit < 5 ? digit * 2 : digit * 2 - 9;
        sum += digit;
    }
    return count >= 12 && count <= 19 && sum % 10 == 0 && text.ptr[0] != '0';
}

static bool format_iban(Str text)
{
    char digits[36];
    int64_t len = 0;
    int rest = 0;
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ' ' && i % 5 == 4) continue;
        if (len == 34 || !(class_of(text.ptr[i]) & (ALPHA | DIGIT))) return false;
        digits[len++] = text.ptr[i];
    }
    if (len < 15 || !all_of(str_make(digits, 2), ALPHA)) return false;
    /* The first four go to the end; letters count from 10; the whole is 1 modulo 97. */
    for (int64_t i = 0; i < len; i++) {
        char c = digits[(i + 4) % len];
        if (c >= 'a' && c <= 'z') return false;
        int value = c <= '9' ? c - '0' : c - 'A' + 10;
        rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
    }
    return rest == 1;
}

static bool format_base64(Str text)
{
    int64_t padding = 0;
    if (text.len == 0 || text.len % 4) return false;
    while (padding < 2 && text.ptr[text.len - 1 - padding] == '=') padding++;
    for (int64_t i = 0; i < text.len - padding; i++) {
        char c = text.ptr[i];
        if (c != '+' && c != '/' && !(class_of(c) & (ALPHA | DIGIT))) return false;
    }
    return true;
}

static bool format_ulid(Str text)
{
    static const char OTHERS[] = "ILOUilou";
    if (text.len != 26 || text.ptr[0] > '7' || !all_of(text, ALPHA | DIGIT)) return false;
    for (int64_t i = 0; i < text.len; i++) {
        if (strchr(OTHERS, text.ptr[i])) return false;
    }
    return true;
}

static bool upper_code(Str text, int64_t len)
{
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 'A' || text.ptr[i] > 'Z') return false;
    }
    return text.len == len;
}

static bool format_country(Str text)
{
    return upper_code(text, 2);
}

static bool format_currency(Str text)
{
    return upper_code(text, 3);
}

static const ValueFormat FORMATS[] = {
    {"email", format_email, "an e-mail address"},
    {"uuid", format_uuid, "a UUID"},
    {"url", format_url, "scheme://…"},
    {"hostname", format_hostname, "a host's name"},
    {"ipv4", format_ipv4, "an IPv4 address"},
    {"ipv6", format_ipv6, "an IPv6 address"},
    {"ip", format_ip, "an IPv4 or IPv6 address"},
    {"date", format_date, "YYYY-MM-DD, in the calendar"},
    {"time", format_time, "HH:MM[:SS[.f]]"},
    {"timestamp", format_timestamp, "a date and a time"},
    {"date_time", format_date_time, "a date, or a date and a time"},
    {"integer", format_integer, "digits, with a sign or not"},
    {"decimal", format_decimal, "a number"},
    {"boolean", format_boolean, "true or false"},
    {"json", format_json, "a JSON value"},
    {"base64", format_base64, "base64 with its padding"},
    {"ulid", format_ulid, "a ULID"},
    {"e164", format_e164, "a telephone number, +49…"},
    {"credit_card", format_card, "digits with Luhn's check"},
    {"iban", format_iban, "an account number with its check"},
    {"country_code", format_country, "two capital letters"},
    {"currency_code", format_currency, "three capital letters"},
};

const ValueFormat *value_format_find(Str name)
{
    char text[32];
    if (name.len >= (int64_t)sizeof text) return NULL;
    for (int64_t i = 0; i < name.len; i++) {
        text[i] = name.ptr[i] == '-' || name.ptr[i] == ' ' ? '_' : name.ptr[i];
    }
    for (int64_t i = 0; i < COUNT_OF(FORMATS); i++) {
        if (str_eq_nocase(str_make(text, name.len), str_from(FORMATS[i].name))) return &FORMATS[i];
    }
    return NULL;
}

Str value_format_nearest(Str name)
{
    Str names[COUNT_OF(FORMATS)];
    for (int64_t i = 0; i < COUNT_OF(FORMATS); i++) names[i] = str_from(FORMATS[i].name);
    return str_nearest(name, names, COUNT_OF(FORMATS));
}

const char *value_format_names(void)
{
    return "email, uuid, url, hostname, ipv4, ipv6, ip, date, time, timestamp, date_time, integer, "
           "decimal, boolean, json, base64, ulid, e164, credit_card, iban, country_code, "
           "currency_code";
}
