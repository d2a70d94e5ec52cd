/* Borrowed text: a pointer and a length; never assumed to end in NUL. */
#ifndef NEURON_STR_H
#define NEURON_STR_H

#include <string.h>

#include "foundation/base/macro.h"

/* Two words, passed by value. Borrows: whoever owns the bytes says how long they live. */
typedef struct Str {
    const char *ptr; /* may be NULL only when len is 0 */
    int64_t len;     /* bytes, >= 0 */
} Str;

#define STR(literal) ((Str){("" literal), (int64_t)sizeof(literal) - 1})
#define STR_NULL ((Str){NULL, 0})
/* For "%.*s" in format strings: printf("%.*s", STR_ARG(s)). Cuts at 4096 bytes. */
#define STR_ARG(s) ((s).len > 4096 ? 4096 : (int)(s).len), ((s).ptr ? (s).ptr : "")

static inline Str str_make(const char *ptr, int64_t len)
{
    return (Str){ptr, len};
}

/* A view of a NUL-terminated string; NULL gives the empty Str. */
static inline Str str_from(const char *text)
{
    return text ? (Str){text, (int64_t)strlen(text)} : STR_NULL;
}

static inline bool str_eq(Str a, Str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, (size_t)a.len) == 0);
}

/* Equal when ASCII letters are compared without case. */
bool str_eq_nocase(Str a, Str b);

/* Byte order (C collation): < 0, 0 or > 0. */
int str_compare(Str a, Str b);

/* Cut to [from, to), clamped to the text. */
Str str_slice(Str s, int64_t from, int64_t to);

/* Without ASCII white space at both ends. */
Str str_trim(Str s);

bool str_starts(Str s, Str prefix);
bool str_ends(Str s, Str suffix);
bool str_starts_nocase(Str s, Str prefix);

/* Index of the first byte or of the first occurrence; -1 when absent. */
int64_t str_find_char(Str s, char c);
int64_t str_find(Str s, Str needle);
int64_t str_find_nocase(Str s, Str needle); /* ASCII case is free */

/* Split off the part before the next `sep`; *rest becomes what follows (STR_NULL at the end).
 * Returns false when *rest was already exhausted (ptr NULL). */
bool str_next_part(Str *rest, char sep, Str *ret_part);

/* Edit distance (insert, delete, replace, swap of neighbours), for suggestions; texts longer
 * than 64 bytes are compared by their first 64. */
int64_t str_distance(Str a, Str b);

/* The nearest of `count` names, or STR_NULL when none is near enough to suggest (distance at most
 * a third of the length, at least 1 and at most 3; ASCII case is free). */
Str str_nearest(Str name, const Str *names, int64_t count);

/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms, <= U+10FFFF). */
bool str_is_utf8(Str s);

/* Bytes of the longest well-formed UTF-8 prefix. */
int64_t str_utf8_prefix(Str s);

/* As PostgreSQL reads a boolean: true, yes, on, 1 and their opposites, in any case, blanks around,
 * and beginnings of them that are clear. False: it is none. */
bool str_parse_bool(Str text, bool *ret_value);

/* Copy what fits into `to`, never half a character of UTF-8, and a NUL after it; size >= 1. */
void str_to_array(char *to, int64_t size, Str s);

#endif
