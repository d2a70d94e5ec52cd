/* PostgreSQL's advanced regular expressions, written anew for PCRE2. */
#ifndef NEURON_REGEX_PATTERN_H
#define NEURON_REGEX_PATTERN_H

#include "foundation/base/buf.h"

/* What the flags of a function, or the options that a pattern begins with, ask for. */
typedef struct RegexOptions {
    bool fold;      /* i: letters match in any case */
    bool expanded;  /* x: white space and comments are left out */
    bool literal;   /* q: the pattern is plain text */
    bool dot_stops; /* n, m, p: . and [^…] match no newline */
    bool lines;     /* n, m, w: ^ and $ match at each line */
} RegexOptions;

typedef struct RegexPattern {
    bool fold;
    int32_t groups;  /* that capture */
    bool shortest;   /* the whole match is the shortest one (the first quantifier is lazy) */
    bool competes;   /* several ends are possible: PCRE2's first one need not be the right one */
    bool references; /* \1 … */
} RegexPattern;

/* Takes PostgreSQL's letters (i, c, n, m, p, q, s, t, w, x; g is the caller's); false: another. */
bool regex_options_read(Str letters, RegexOptions *options);

/* Appends the pattern for PCRE2 (to be compiled with UTF and DOTALL, and CASELESS where `fold`).
 * The classes are those of a UTF-8 locale. ERR_EXPRESSION for what isn't well formed, with the
 * place in the pattern, and for basic and extended expressions (options b and e). */
MUST_USE Status regex_pattern_read(Str pattern, RegexOptions options, Buf *out,
                                   RegexPattern *ret_pattern, Err *err);

/* SQL's pattern (SIMILAR TO) as such a regular expression, anchored at both ends; with two marks
 * (the escape and a double quote) the part between them is the first group. `escape`: one
 * character, or empty for none. ERR_EXPRESSION. */
MUST_USE Status regex_from_similar(Str pattern, Str escape, Buf *out, Err *err);

#endif
