/* Quality rules as they are configured: what to measure, and which values are good. */
#ifndef NEURON_QUALITY_SET_H
#define NEURON_QUALITY_SET_H

#include "connect/source.h"
#include "foundation/base/decimal.h"
#include "work/quality/value_format.h"

/* What a rule measures. */
typedef enum RuleKind {
    RULE_COMPLETENESS, /* % of cells that are not NULL */
    RULE_UNIQUENESS,   /* % of rows that are no repeat of an earlier row */
    RULE_CONSISTENCY,  /* lowest of: valid e-mails %, valid dates % */
    RULE_NULL_SHARE,   /* % of cells that are NULL */
    RULE_REPEAT_SHARE, /* % of rows that are repeats */
    RULE_ROW_COUNT,
    RULE_DUPLICATES, /* rows that repeat an earlier row in `columns` (none: in all) */
    RULE_NOT_NULL,   /* NULLs of a column */
    RULE_UNIQUE,     /* rows whose value of a column came before, NULLs aside */
    RULE_MISSING,    /* NULLs and `values` */
    RULE_ACCEPTED,   /* values that are not among `values` */
    RULE_FORMAT,     /* values that have not the `format` */
    RULE_RANGE,      /* values outside [values[0], values[1]] */
    RULE_ROW,        /* rows for which `expression` is false or fails */
    RULE_RELATION,   /* values that the other column does not have */
    RULE_FRESHNESS,  /* age of the newest value, in seconds */
    RULE_SCHEMA,     /* columns that are missing, extra, or of another type */
    RULE_MIN,
    RULE_MAX,
    RULE_MEAN,
    RULE_SUM,
    RULE_DEVIATION, /* of the sample */
    RULE_MIN_LENGTH,
    RULE_MAX_LENGTH,
    RULE_MEAN_LENGTH,
    RULE_READABLE, /* rows of the source that could not be read; made by the run itself */
} RuleKind;

typedef enum ThresholdOp {
    THRESHOLD_NONE,
    THRESHOLD_LESS,
    THRESHOLD_LESS_EQUAL,
    THRESHOLD_GREATER,
    THRESHOLD_GREATER_EQUAL,
    THRESHOLD_EQUAL,
    THRESHOLD_NOT_EQUAL,
    THRESHOLD_BETWEEN,
    THRESHOLD_NOT_BETWEEN,
} ThresholdOp;

/* A condition on a rule's value. `percent`: of the rows that the rule looked at. */
typedef struct Threshold {
    ThresholdOp op;
    double low, high; /* high: of the two BETWEENs */
    bool exact;       /* low, high as they were written are in the next two */
    Decimal exact_low, exact_high;
    bool percent;
    bool duration; /* low, high are seconds */
    Str text;      /* as written */
} Threshold;

typedef enum Severity { SEVERITY_AUTO, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH } Severity;
/* What a failed rule does to rows that are about to be published; UNSET: as the step says. */
typedef enum OnFail { ON_FAIL_UNSET, ON_FAIL_WARN, ON_FAIL_REJECT, ON_FAIL_STOP } OnFail;
typedef enum Season { SEASON_NONE, SEASON_DAY_OF_WEEK, SEASON_HOUR_OF_DAY } Season;

/* The value is judged by the values of earlier reports. */
typedef struct Anomaly {
    bool on;
    Season season;
    double sensitivity;  /* allowed robust deviations */
    double ignore_below; /* share of the expected value that never counts */
} Anomaly;

/* Another dataset that a rule compares with. */
typedef struct OtherData {
    bool on;
    Location location;
    Str table;
    Str field;     /* RULE_RELATION */
    double margin; /* RULE_ROW_COUNT: share of the other count that it may differ by */
} OtherData;

typedef struct SchemaWish {
    const Field *columns; /* names, and types where given (`native` not empty) */
    int32_t column_count;
    bool allow_extra, no_type_change;
} SchemaWish;

/* Of the rule in the file; 0: none. */
typedef struct RulePlace {
    int64_t line, column;
} RulePlace;

typedef struct RuleValues {
    const Str *items;
    const bool *plain; /* items[i] was written without quotes */
    int32_t count;
} RuleValues;

/* RULE_CONSISTENCY */
typedef struct ConsistencyRule {
    Str email, date;    /* the columns' names; empty: email, date where there are */
    const Str *layouts; /* of dates (strftime); count 0: ISO 8601 */
    int32_t layout_count;
} ConsistencyRule;

typedef struct QualityRule {
    RuleKind kind;
    Str name;   /* unique within its set */
    Str column; /* of column rules */
    const Str *columns;
    int32_t column_count;
    Str expression, where;
    RulePlace place;
    Threshold must, warn, fail; /* op NONE: not given */
    Severity severity;
    OnFail on_fail;
    int32_t evidence;  /* rows shown; -1: the set's */
    RuleValues listed; /* RULE_MISSING, ACCEPTED, RANGE */
    const ValueFormat *format;
    ConsistencyRule consistency;
    Anomaly anomaly;
    OtherData other;
    SchemaWish schema;
} QualityRule;

/* One dataset and its rules. Texts live in the configuration's arena. */
typedef struct QualitySet {
    Str name;
    Location from;
    Str table, query;
    const SourceParam *params;
    int32_t param_count;
    const Str *key; /* names bad rows */
    int32_t key_count;
    const QualityRule *rules;
    int32_t rule_count;
    Str schedule;  /* empty: none */
    bool at_start; /* with a schedule: also when the neuron starts */
    double min_score;
    int64_t keep; /* reports */
    int32_t evidence;
    bool mask; /* values are not shown */
} QualitySet;

/* The guide's three rules at 95, 99 and 90. */
extern const QualityRule QUALITY_DEFAULT_RULES[3];

static inline bool rule_is_row(RuleKind kind)
{
    return kind == RULE_NOT_NULL || (kind >= RULE_MISSING && kind <= RULE_RELATION);
}
/* Its value is a share in percent by itself. */
static inline bool rule_is_share(RuleKind kind)
{
    return kind <= RULE_REPEAT_SHARE;
}
/* Its value is a number of rows, of which a share can be told. */
static inline bool rule_counts_rows(RuleKind kind)
{
    return (kind >= RULE_DUPLICATES && kind <= RULE_RELATION) || kind == RULE_READABLE;
}

#endif
