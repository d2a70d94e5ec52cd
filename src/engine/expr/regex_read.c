/* What the readers of regular expressions share: characters, escapes, classes. */
#include "engine/expr/regex_read.h"

Status regex_bad(const RegexReader *r, const char *what, Err *err)
{
    return err_set(err, ERR_EXPRESSION, "invalid regular expression: %s at %lld", what,
                   (long long)r->at + 1);
}

Status regex_put_char(Buf *out, uint32_t c, Err *err)
{
    bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z' && c < 0x80);
    if (plain) return buf_append_char(out, (char)c, err);
    return buf_printf(out, err, "\\x{%x}", c);
}

static bool hex_digit(char c, uint32_t *ret_digit)
{
    bool digit = c >= '0' && c <= '9', letter = (c | 32) >= 'a' && (c | 32) <= 'f';
    *ret_digit = (uint32_t)(digit ? c - '0' : (c | 32) - 'a' + 10);
    return digit || letter;
}

static Status read_digits(RegexReader *r, uint32_t base, int32_t min, int32_t max, uint32_t *ret,
                          Err *err)
{
    uint32_t value = 0, digit;
    int32_t count = 0;
    while (count < max && r->at < r->text.len && hex_digit(r->text.ptr[r->at], &digit) &&
           digit < base) {
        if (value > 0x10ffff) return regex_bad(r, "character out of range", err);
        value = value * base + digit;
        r->at++;
        count++;
    }
    bool character = value > 0 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
    if (count < min || !character) return regex_bad(r, "invalid escape \\ sequence", err);
    *ret = value;
    return OK;
}

Status regex_read_escape(RegexReader *r, uint32_t *ret_char, Err *err)
{
    static const char NAMES[] = "abBefnrtv";
    static const char VALUES[] = "\a\b\\\033\f\n\r\t\v";
    if (r->at >= r->text.len) return regex_bad(r, "invalid escape \\ sequence", err);
    char c = r->text.ptr[r->at];
    bool letter = ((c | 32) >= 'a' && (c | 32) <= 'z'), digit = c >= '0' && c <= '9';
    if (!letter && !digit) {
        *ret_char = regex_next_char(r);
        return OK;
    }
    const char *name = strchr(NAMES, c);
    r->at++;
    if (name) {
        *ret_char = (uint8_t)VALUES[name - NAMES];
        return OK;
    }
    if (c == 'u') return read_digits(r, 16, 4, 4, ret_char, err);
    if (c == 'U') return read_digits(r, 16, 8, 8, ret_char, err);
    if (c == 'x') return read_digits(r, 16, 1, 255, ret_char, err);
    if (c == 'c' && r->at < r->text.len && (regex_peek(r, 0) & 31) != 0) {
        *ret_char = regex_next_char(r) & 31;
        return OK;
    }
    r->at--;
    if (digit) return read_digits(r, 8, 1, 3, ret_char, err);
    return regex_bad(r, "invalid escape \\ sequence", err);
}

const char *regex_class_of(char c)
{
    switch (c) {
    case 'd':
        return "[0-9]";
    case 'D':
        return "[^0-9]";
    case 's':
        return "[" REGEX_SPACES "]";
    case 'S':
        return "[^" REGEX_SPACES "]";
    case 'w':
        return REGEX_WORD;
    case 'W':
        return "[^" REGEX_WORDS "]";
    default:
        return NULL;
    }
}
