/* Characters by their numbers: \0061, \+000061, \u0061, \U00000061, as in U&'…' and unistr. */
#include "engine/expr/unicode_escape.h"

int32_t unicode_put(uint32_t code, char *ret_text)
{
    int32_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int32_t i = n - 1; i > 0; i--, code >>= 6) ret_text[i] = (char)(0x80 | (code & 0x3f));
    ret_text[0] = (char)(n == 1 ? code : (0xf00u >> n) | code);
    return n;
}

bool unicode_hex(Str text, int32_t count, uint32_t *ret_value)
{
    uint32_t value = 0;
    if (text.len < count) return false;
    for (int32_t i = 0; i < count; i++) {
        char c = text.ptr[i], letter = (char)(c | 32);
        bool digit = c >= '0' && c <= '9';
        if (!digit && (letter < 'a' || letter > 'f')) return false;
        value = value * 16 + (uint32_t)(digit ? c - '0' : letter - 'a' + 10);
    }
    *ret_value = value;
    return true;
}

/* One escape after its mark; 0: none. */
static int64_t read_code(Str rest, bool letters, uint32_t *ret_code)
{
    char kind = rest.len > 0 ? rest.ptr[0] : 0;
    bool letter = kind == '+' || (letters && (kind == 'u' || kind == 'U'));
    int32_t digits = kind == '+' ? 6 : letter && kind == 'U' ? 8 : 4;
    return unicode_hex(str_slice(rest, letter, rest.len), digits, ret_code) ? digits + letter : 0;
}

int64_t unicode_unescape(Str text, char escape, bool letters, char *ret_text, int64_t *ret_len)
{
    int64_t len = 0;
    for (int64_t at = 0; at < text.len;) {
        if (text.ptr[at] != escape || (at + 1 < text.len && text.ptr[at + 1] == escape)) {
            at += text.ptr[at] == escape;
            ret_text[len++] = text.ptr[at++];
            continue;
        }
        uint32_t code = 0, low = 0;
        int64_t read = read_code(str_slice(text, at + 1, text.len), letters, &code);
        int64_t next = at + 1 + read;
        bool high = code >= 0xd800 && code < 0xdc00;
        if (read > 0 && high && next < text.len && text.ptr[next] == escape) {
            int64_t second = read_code(str_slice(text, next + 1, text.len), letters, &low);
            code = unicode_pair(code, low);
            next += 1 + second;
        }
        if (read == 0 || !unicode_is_char(code)) return at;
        len += unicode_put(code, ret_text + len);
        at = next;
    }
    *ret_len = len;
    return -1;
}
