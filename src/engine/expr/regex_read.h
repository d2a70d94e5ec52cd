/* What the readers of regular expressions share. */
#ifndef NEURON_REGEX_READ_H
#define NEURON_REGEX_READ_H

#include "engine/expr/regex_pattern.h"

/* The classes of a UTF-8 locale of glibc, as PostgreSQL asks it; fits for [ ]. */
#define REGEX_SPACES                                                                               \
    "\\x{9}-\\x{d} \\x{1680}\\x{2000}-\\x{2006}\\x{2008}-\\x{200a}\\x{2028}\\x{2029}\\x{205f}"     \
    "\\x{3000}"
#define REGEX_ALNUM "\\p{Alphabetic}\\p{Nd}"
#define REGEX_WORDS REGEX_ALNUM "_"
#define REGEX_WORD "[" REGEX_WORDS "]"

enum { REGEX_DEPTH_MAX = 100, REGEX_GROUPS_MAX = 256 };

typedef enum Greed { GREED_NONE, GREED_GREEDY, GREED_LAZY } Greed;
typedef enum GroupKind { GROUP_CAPTURE, GROUP_PLAIN, GROUP_AROUND } GroupKind;
/* What is in front of the place: a quantifier may follow a plain atom only. */
typedef enum AtomKind { ATOM_NONE, ATOM_PLAIN, ATOM_CONSTRAINT, ATOM_QUANTIFIED } AtomKind;

typedef struct RegexLevel {
    GroupKind kind;
    int32_t group;
    bool around; /* in a constraint: nothing captures, nothing refers */
    bool bar;    /* has a | */
    Greed greed; /* of its branch so far */
} RegexLevel;

typedef struct RegexReader {
    Str text;
    int64_t at;
    RegexOptions options;
    Buf *out;
    RegexPattern *pattern;
    AtomKind atom;
    Greed atom_greed;
    bool quantified; /* some quantifier that isn't {m} was read */
    RegexLevel levels[REGEX_DEPTH_MAX];
    int32_t depth;
    bool closed[REGEX_GROUPS_MAX]; /* groups that a reference may name */
} RegexReader;

/* FAIL: "invalid regular expression: WHAT at PLACE". */
Status regex_bad(const RegexReader *reader, const char *what, Err *err);
MUST_USE Status regex_put_char(Buf *out, uint32_t c, Err *err);
/* A character by its escape; the reader is after the backslash. */
MUST_USE Status regex_read_escape(RegexReader *reader, uint32_t *ret_char, Err *err);
/* \d \s \w and their complements as a bracket expression; NULL: the letter is none of them. */
const char *regex_class_of(char letter);

/* [[:<:]] or [[:>:]] */
bool regex_at_word_edge(const RegexReader *reader);
/* From [ to ]. */
MUST_USE Status regex_read_bracket(RegexReader *reader, Err *err);

/* The byte `ahead`, 0 at the end. */
static inline char regex_peek(const RegexReader *r, int64_t ahead)
{
    return r->at + ahead < r->text.len ? r->text.ptr[r->at + ahead] : 0;
}

/* The character here; the text is well-formed UTF-8 and not at its end. */
static inline uint32_t regex_next_char(RegexReader *r)
{
    uint8_t first = (uint8_t)r->text.ptr[r->at++];
    int32_t more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t c = more ? first & (0x3fu >> more) : first;
    for (; more > 0 && r->at < r->text.len; more--)
        c = c << 6 | ((uint8_t)r->text.ptr[r->at++] & 0x3f);
    return c;
}

#endif
