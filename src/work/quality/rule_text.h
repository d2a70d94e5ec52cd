/* Rules and thresholds as one line of text: `completeness >= 95`, `> 1%`, `between 1 and 5`. */
#ifndef NEURON_RULE_TEXT_H
#define NEURON_RULE_TEXT_H

#include "work/quality/quality_set.h"

/* A condition alone: `>= 95`, `> 1%`, `= 0`, `between a and b`, `not between a and b`; numbers may
 * have `_` between digits, `%` after them, or units of time (`> 6h`) where `durations`. FAIL:
 * ERR_CONFIG; err->column is where in the text (from 1). */
MUST_USE Status threshold_parse(Str text, bool durations, Threshold *ret_threshold, Err *err);

/* A dataset's rule: `metric`, `metric(columns)`, with or without a condition after it; anything
 * else is a row expression. Texts are slices of `text`; lists live in the arena. FAIL: ERR_CONFIG
 * with column (a metric's name that is nearly right, a condition that can't be read). */
MUST_USE Status rule_parse(Str text, Arena *arena, QualityRule *ret_rule, Err *err);

/* A column's rule by its word (`not_null`, `mean between 1 and 5`). ERR_CONFIG with the nearest
 * word as hint. */
MUST_USE Status column_rule_parse(Str text, QualityRule *ret_rule, Err *err);
/* ERR_CONFIG that says that there is no metric of that name, with the nearest or all as hint. */
MUST_USE Status rule_unknown_metric(Str name, Err *err);
/* A bound's digits without the `_` between them; empty where it is no number. */
MUST_USE Status rule_bound(Str text, Arena *arena, Str *ret_number, Err *err);
/* The word that names a kind in reports: `not_null`. */
const char *rule_kind_name(RuleKind kind);

#endif
