/* Characters by their numbers: \0061, \+000061, \u0061, \U00000061, as in U&'…' and unistr. */
#ifndef NEURON_UNICODE_ESCAPE_H
#define NEURON_UNICODE_ESCAPE_H

#include "foundation/base/str.h"

/* UTF-8 of a code point (not a surrogate, not 0): at most 4 bytes; returns how many. */
int32_t unicode_put(uint32_t code, char *ret_text);

/* The escapes of `text`, which is as long as the result at least; `letters`: \u and \U count too.
 * Surrogates come in pairs. Returns -1, or the byte of the first escape that is none; *ret_len is
 * the length of what was written. */
int64_t unicode_unescape(Str text, char escape, bool letters, char *ret_text, int64_t *ret_len);

/* `count` hex digits from the start; false: there are not so many. */
bool unicode_hex(Str text, int32_t count, uint32_t *ret_value);

/* Whether the code point stands for a character. */
static inline bool unicode_is_char(uint32_t code)
{
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* The character of a pair of surrogates; 0: they are no pair. */
static inline uint32_t unicode_pair(uint32_t high, uint32_t low)
{
    bool pair = high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000;
    return pair ? 0x10000 + ((high & 0x3ff) << 10 | (low & 0x3ff)) : 0;
}

#endif
