/* From the rules of a set as written to the rules that a check takes. */
#ifndef NEURON_QUALITY_RULES_H
#define NEURON_QUALITY_RULES_H

#include "service/setup/configuration.h"
#include "service/setup/quality_options.h"

/* Fills set->rules from `rules:` and `columns:`. Mistakes are added; FAIL only when memory runs
 * out.
 */
MUST_USE Status quality_rules_make(Configuration *configuration, const QualityOptions *options,
                                   QualitySet *set, Err *err);

/* quality_sets.c: a set from its options, its rules too. */
MUST_USE Status quality_set_make(Configuration *configuration, const QualityOptions *options,
                                 QualitySet *set, Err *err);

/* rule_options.c: what stands beside a rule's kind, into the rule. `map` may be NULL. */
MUST_USE Status rule_options_apply(Configuration *configuration, const YamlNode *map,
                                   QualityRule *rule, Err *err);
/* A list of values: texts, and which had no quotes. */
MUST_USE Status rule_values(Configuration *configuration, const YamlNode *list, QualityRule *rule,
                            Err *err);
/* An expression's syntax, as far as it can be told without the data. */
MUST_USE Status rule_expression_check(Configuration *configuration, const YamlNode *node, Str text,
                                      bool is_key, Err *err);

#endif
