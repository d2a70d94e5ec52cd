/* The structs of `quality:` that its option tables fill. */
#ifndef NEURON_QUALITY_OPTIONS_H
#define NEURON_QUALITY_OPTIONS_H

#include "foundation/config/option.h"

typedef struct QualityOptions {
    OptionHead head;
    Str from, table, query, schedule;
    const YamlNode *params, *rules, *columns;
    TextList key;
    int64_t min_score, keep, evidence;
    bool mask, at_start;
} QualityOptions;

typedef struct RuleConditions {
    Str must, warn, fail;
    const YamlNode *between;
} RuleConditions;

/* What may stand beside a rule's kind. */
typedef struct RuleOptions {
    OptionHead head;
    Str name, where, format, email, date, to, field;
    RuleConditions conditions;
    int32_t severity, on_fail;
    int64_t evidence;
    TextList formats;
    const YamlNode *values, *columns, *anomaly, *drift;
    bool allow_extra, no_type_change;
} RuleOptions;

typedef struct AnomalyOptions {
    OptionHead head;
    int32_t season;
    Str sensitivity;
    double ignore_below;
} AnomalyOptions;

extern const OptionGroup QUALITY_GROUP, QUALITY_RULE_GROUP, ANOMALY_GROUP;

#endif
