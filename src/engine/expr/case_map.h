/* Upper, lower and title case of UTF-8 text by Unicode's simple mappings. */
#ifndef NEURON_CASE_MAP_H
#define NEURON_CASE_MAP_H

#include "foundation/base/arena.h"

typedef enum CaseMap { CASE_UPPER, CASE_LOWER, CASE_TITLE } CaseMap;

/* *ret_text lives in the arena, or is `text` itself when nothing changes. TITLE: the first letter
 * of each word (of letters and digits) upper, the others lower. */
MUST_USE Status case_map(CaseMap map, Str text, Arena *arena, Str *ret_text, Err *err);

#endif
