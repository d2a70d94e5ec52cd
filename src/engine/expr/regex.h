/* Compiled regular expressions: PostgreSQL's, matched by PCRE2 within limits. */
#ifndef NEURON_REGEX_H
#define NEURON_REGEX_H

#include "engine/expr/regex_pattern.h"

/* Used by one thread at a time: it holds its last match. */
typedef struct Regex Regex;

/* ERR_EXPRESSION for what isn't well formed. */
MUST_USE Status regex_new(Str pattern, RegexOptions options, Regex **ret_regex, Err *err);
void regex_free(Regex *regex);

/* Whether it matches at or after byte `from`; -1: it took too many steps. */
int regex_test(Regex *regex, Str text, int64_t from);
/* The same, with the places of the match and its groups for regex_group. */
int regex_find(Regex *regex, Str text, int64_t from);
int32_t regex_groups(const Regex *regex);
/* Group n of the last match (0: the whole); false: it took no part. */
bool regex_group(const Regex *regex, int32_t n, int64_t *ret_from, int64_t *ret_to);

#endif
