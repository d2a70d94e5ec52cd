/* Borrowed text: comparison, search, distance, UTF-8. */
#include "foundation/base/str.h"

static char lower_ascii(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(Str a, Str b)
{
    return a.len == b.len && str_starts_nocase(a, b);
}

int str_compare(Str a, Str b)
{
    int64_t len = int64_min(a.len, b.len);
    int order = len ? memcmp(a.ptr, b.ptr, (size_t)len) : 0;
    if (order != 0) return order;
    return (a.len > b.len) - (a.len < b.len);
}

Str str_slice(Str s, int64_t from, int64_t to)
{
    from = int64_min(int64_max(from, 0), s.len);
    to = int64_min(int64_max(to, from), s.len);
    return str_make(s.ptr ? s.ptr + from : NULL, to - from);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

Str str_trim(Str s)
{
    while (s.len && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_space(s.ptr[s.len - 1])) s.len--;
    return s;
}

bool str_starts(Str s, Str prefix)
{
    return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

bool str_ends(Str s, Str suffix)
{
    return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

bool str_starts_nocase(Str s, Str prefix)
{
    if (s.len < prefix.len) return false;
    for (int64_t i = 0; i < prefix.len; i++) {
        if (lower_ascii(s.ptr[i]) != lower_ascii(prefix.ptr[i])) return false;
    }
    return true;
}

int64_t str_find_char(Str s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, (size_t)s.len) : NULL;
    return at ? at - s.ptr : -1;
}

int64_t str_find(Str s, Str needle)
{
    if (needle.len == 0) return 0;
    if (s.len < needle.len) return -1;
    const char *at = memmem(s.ptr, (size_t)s.len, needle.ptr, (size_t)needle.len);
    return at ? at - s.ptr : -1;
}

int64_t str_find_nocase(Str s, Str needle)
{
    for (int64_t i = 0; i + needle.len <= s.len; i++) {
        if (str_eq_nocase(str_slice(s, i, i + needle.len), needle)) return i;
    }
    return -1;
}

bool str_next_part(Str *rest, char sep, Str *ret_part)
{
    if (!rest->ptr) return false;
    int64_t at = str_find_char(*rest, sep);
    if (at < 0) {
        *ret_part = *rest;
        *rest = STR_NULL;
        return true;
    }
    *ret_part = str_slice(*rest, 0, at);
    *rest = str_make(rest->ptr + at + 1, rest->len - at - 1);
    return true;
}

enum { DISTANCE_MAX = 64 };

int64_t str_distance(Str a, Str b)
{
    a = str_slice(a, 0, DISTANCE_MAX);
    b = str_slice(b, 0, DISTANCE_MAX);
    int64_t rows[3][DISTANCE_MAX + 1];
    for (int64_t j = 0; j <= b.len; j++) rows[0][j] = j;
    for (int64_t i = 1; i <= a.len; i++) {
        int64_t *row = rows[i % 3];
        const int64_t *above = rows[(i + 2) % 3];
        const int64_t *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int64_t j = 1; j <= b.len; j++) {
            int64_t cost = a.ptr[i - 1] != b.ptr[j - 1];
            int64_t best = int64_min(above[j] + 1, row[j - 1] + 1);
            best = int64_min(best, above[j - 1] + cost);
            bool swapped =
                i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1];
            row[j] = swapped ? int64_min(best, above2[j - 2] + 1) : best;
        }
    }
    return rows[a.len % 3][b.len];
}

static Str lower_into(Str s, char *to)
{
    s = str_slice(s, 0, DISTANCE_MAX);
    for (int64_t i = 0; i < s.len; i++) to[i] = lower_ascii(s.ptr[i]);
    return str_make(to, s.len);
}

Str str_nearest(Str name, const Str *names, int64_t count)
{
    char name_lower[DISTANCE_MAX];
    char other_lower[DISTANCE_MAX];
    Str lower = lower_into(name, name_lower);
    int64_t limit = int64_min(int64_max(name.len / 3, 1), 3);
    Str best = STR_NULL;
    for (int64_t i = 0; i < count; i++) {
        int64_t distance = str_distance(lower, lower_into(names[i], other_lower));
        if (distance > limit || (best.ptr && distance == limit)) continue;
        best = names[i];
        limit = distance;
    }
    return best;
}

/* Length of the well-formed character at the start of s, 0 when there is none (Unicode 15, table
 * 3-7). */
static int64_t utf8_char(const uint8_t *s, int64_t len)
{
    uint8_t c = s[0];
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    int64_t need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (len < need) return 0;
    for (int64_t i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
    }
    bool overlong = (c == 0xe0 && s[1] < 0xa0) || (c == 0xf0 && s[1] < 0x90);
    bool outside = (c == 0xed && s[1] > 0x9f) || (c == 0xf4 && s[1] > 0x8f);
    return overlong || outside ? 0 : need;
}

int64_t str_utf8_prefix(Str s)
{
    const uint8_t *bytes = (const uint8_t *)s.ptr;
    int64_t i = 0;
    while (i < s.len) {
        uint64_t word = 0x80;
        if (s.len - i >= 8) memcpy(&word, bytes + i, 8);
        uint64_t high = word & UINT64_C(0x8080808080808080);
        if (!high) {
            i += 8;
            continue;
        }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        /* ASCII in front of the first other byte. */
        i += __builtin_ctzll(high) / 8;
#endif
        int64_t step = utf8_char(bytes + i, s.len - i);
        if (step == 0) return i;
        i += step;
    }
    return i;
}

bool str_is_utf8(Str s)
{
    return str_utf8_prefix(s) == s.len;
}

void str_to_array(char *to, int64_t size, Str s)
{
    int64_t len = s.len < size ? s.len : size - 1;
    while (len > 0 && len < s.len && ((uint8_t)s.ptr[len] & 0xC0) == 0x80) len--;
    if (len > 0) memcpy(to, s.ptr, (size_t)len);
    to[len] = 0;
}

bool str_parse_bool(Str text, bool *ret_value)
{
    static const char *const WORDS[][2] = {
        {"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};
    text = str_trim(text);
    if (text.len == 0 || str_eq_nocase(text, STR("o"))) return false;
    for (size_t i = 0; i < COUNT_OF(WORDS) * 2; i++) {
        if (!str_starts_nocase(str_from(WORDS[i / 2][i % 2]), text)) continue;
        *ret_value = i % 2;
        return true;
    }
    return false;
}
