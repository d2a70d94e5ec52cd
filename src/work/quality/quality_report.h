/* What a quality check found: verdict, score, every rule with its value and evidence. */
#ifndef NEURON_QUALITY_REPORT_H
#define NEURON_QUALITY_REPORT_H

#include "work/quality/quality_set.h"
#include "work/quality/type_profile.h"

typedef enum Verdict {
    VERDICT_PASS,
    VERDICT_LEARNING, /* not enough history to judge by */
    VERDICT_WARN,
    VERDICT_FAIL,
    VERDICT_ERROR, /* could not be evaluated: never taken for a pass */
} Verdict;
const char *verdict_name(Verdict verdict);
const char *severity_name(Severity severity);

/* A failed row: where it stands, and by which key and value. */
typedef struct Evidence {
    int64_t row;  /* from 1, in the order read */
    int64_t line; /* of the file; 0: unknown */
    Str key;      /* JSON object; empty: no key named */
    Str value;    /* JSON; empty: the rule has no single column */
    Str reason;   /* of expressions that failed; else empty */
} Evidence;

typedef struct RuleResult {
    const QualityRule *rule;
    Verdict verdict;
    bool has_value;
    double value;
    bool exact; /* the value is exact_sum / exact_count, and is compared as that */
    Decimal exact_sum;
    int64_t exact_count;
    const char *unit; /* "%", "s" or "" */
    Str threshold;    /* the condition that decided, as written */
    bool must;        /* it should hold; else it should not */
    bool has_limit;   /* `limit` is its number */
    double limit;
    Severity severity;               /* of warn, fail, error */
    int64_t considered, failed_rows; /* failed_rows -1: rows don't fail this rule */
    Evidence *evidence;
    int32_t evidence_count;
    Str error; /* VERDICT_ERROR: why; else a remark, or empty */
} RuleResult;

typedef struct ColumnResult {
    Str name, type;
    int64_t nulls;
    bool mixed;
    TypeProfile type_profile;
    int64_t lines[VALUE_CLASS_COUNT][TYPE_PROFILE_ROWS_KEPT]; /* 0: unknown */
} ColumnResult;

/* Texts and lists live in the arena; rules belong to the set, which must live as long. */
typedef struct QualityReport {
    Arena arena;
    Str dataset;
    int64_t at_us, duration_ns;
    int64_t total_records, repeats, unreadable;
    double null_percentage, duplicate_percentage;
    double score, min_score;
    Verdict verdict;
    int32_t type_issues;
    const RuleResult *rules;
    int32_t rule_count;
    const ColumnResult *columns;
    int32_t column_count;
    Str location;
} QualityReport;

void quality_report_free(QualityReport *report);
DEFINE_FREE_P(QualityReport, quality_report_free)

int32_t quality_report_count(const QualityReport *report, Verdict verdict);
/* Issues as the guide counts them: types that don't go together, rules that failed or could not be
 * evaluated. */
int32_t quality_report_issues(const QualityReport *report);

/* The value as a decimal where it is one, however many digits. */
bool report_exact(const RuleResult *result, Decimal *ret_value);
/* The rule's value with its unit, for people: 97.5 %, 12, 3 h. */
MUST_USE Status report_value(const RuleResult *result, Buf *out, Err *err);
/* Why it did not pass, in words; nothing when there is nothing to say. */
MUST_USE Status report_why(const RuleResult *result, Buf *out, Err *err);

typedef enum ReportFormat {
    REPORT_TABLE,
    REPORT_JSON,
    REPORT_HTML,
    REPORT_MARKDOWN,
    REPORT_JUNIT,
} ReportFormat;
/* By name; ERR_USAGE. */
MUST_USE Status report_format_find(Str name, ReportFormat *ret_format, Err *err);
/* JSON is one object without a line break at its end. `color`: of the table. */
MUST_USE Status quality_report_write(const QualityReport *report, ReportFormat format, bool color,
                                     Buf *out, Err *err);

#endif
