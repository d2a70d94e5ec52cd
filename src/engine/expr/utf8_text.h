/* Characters of UTF-8 text: counted and found. */
#ifndef NEURON_UTF8_TEXT_H
#define NEURON_UTF8_TEXT_H

#include "foundation/base/str.h"

/* Characters of well-formed text. */
static inline int64_t utf8_count(Str text)
{
    int64_t count = 0;
    for (int64_t i = 0; i < text.len; i++) count += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

/* Byte where character `n` (from 0) begins; the end when there are fewer. */
static inline int64_t utf8_offset(Str text, int64_t n)
{
    int64_t i = 0;
    for (; i < text.len; i++) {
        if (((uint8_t)text.ptr[i] & 0xc0) == 0x80) continue;
        if (n-- == 0) return i;
    }
    return i;
}

/* Characters [from, from + count), both clamped. */
static inline Str utf8_slice(Str text, int64_t from, int64_t count)
{
    if (count <= 0) return str_slice(text, 0, 0);
    int64_t start = utf8_offset(text, from < 0 ? 0 : from);
    Str rest = str_slice(text, start, text.len);
    return str_slice(rest, 0, utf8_offset(rest, count));
}

/* The character at byte `at`. */
static inline Str utf8_char_at(Str text, int64_t at)
{
    Str rest = str_slice(text, at, text.len);
    return str_slice(rest, 0, utf8_offset(rest, 1));
}

#endif
