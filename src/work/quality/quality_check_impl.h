/* What the files of a check share: the states that are fed. */
#ifndef NEURON_QUALITY_CHECK_IMPL_H
#define NEURON_QUALITY_CHECK_IMPL_H

#include "work/quality/quality_check.h"
#include "work/quality/repeat_count.h"
#include "work/quality/row_hasher.h"
#include "work/quality/text_scan.h"
#include "work/quality/value_set.h"

/* Rows that a `where` lets through. */
typedef struct WhereState {
    Str text;
    Expr *expr;
    uint64_t *bits;
    Str error; /* the first failure; its rules are errors then */
} WhereState;

/* Repeats in some columns of some rows. */
typedef struct RepeatState {
    const int32_t *columns;
    int32_t count;
    int32_t where;   /* -1: all rows */
    bool skip_nulls; /* rows with a NULL in a column don't count */
    RepeatCount *repeats;
    RepeatResult result;
    int64_t wanted; /* rows of evidence */
} RepeatState;

/* Numbers of a column: count, ends, sum, and mean and squares of their distances from `origin`
 * (Welford, merged as Chan does). Integers and decimals are added and compared exactly; once a
 * double is among them, the doubles count. NaN has no place in any of it and is counted apart. */
typedef struct Moments {
    int64_t count, nans;
    bool inexact;                   /* a double was among the values */
    bool overflow;                  /* the exact sum needs more than 38 digits */
    Decimal origin;                 /* the first value; 0 where that is a double */
    Decimal total, lowest, highest; /* where !inexact; total: where !overflow */
    double mean, squares, min, max, sum;
} Moments;

typedef struct ConsistencyState {
    int64_t mails, good_mails, dates, good_dates;
    int32_t email, date; /* columns; -1: none */
    bool dates_counted;  /* by the column's type_profile */
} ConsistencyState;

typedef struct RuleState {
    const QualityRule *rule;
    Str error; /* not empty: it can't be evaluated */
    const int32_t *columns;
    int32_t count;
    int32_t where, repeats; /* -1: none */
    Expr *good;             /* row rules: true (or NULL) for good rows */
    int64_t considered, failed;
    ConsistencyState consistency;
    Moments moments;
    int64_t newest_us, future; /* future: times after now, which newest_us leaves out */
    ValueSet *set;             /* values of the other side, or those named */
    Evidence *evidence;
    int32_t evidence_count, evidence_max;
} RuleState;

typedef struct ColumnState {
    TypeProfile type_profile;
    TextScan scan; /* of texts of a text file */
    int64_t lines[VALUE_CLASS_COUNT][TYPE_PROFILE_ROWS_KEPT];
} ColumnState;

enum { UNREAD_MAX = 3 };

/* Room for the batch at hand. */
typedef struct CheckScratch {
    int64_t rows;
    uint64_t *words;
    Hash128 *hashes;
    uint64_t *bad, *mask;
} CheckScratch;

struct QualityCheck {
    CheckOptions o;
    Arena arena; /* of what lives as long as the check */
    int64_t rows, unreadable;
    Evidence unread[UNREAD_MAX]; /* the first that could not be read */
    int32_t unread_count;
    ColumnState *columns;
    WhereState *wheres;
    int32_t where_count;
    RepeatState *repeats;
    int32_t repeat_count;
    int32_t whole; /* the repeats of whole rows; -1: not counted */
    RuleState *rules;
    int32_t rule_count;
    Schema *loose; /* columns without values are DYNAMIC; NULL: rows are judged as they came */
    int32_t *key;
    int32_t key_count;
    RowHasher mix;
    CheckScratch scratch;
    RejectList rejects;
};

/* rule_compile.c */
MUST_USE Status check_compile(QualityCheck *check, Err *err);
/* rule_measure.c: one rule over a batch; the bits of failed rows of row rules in check->bad. */
MUST_USE Status rule_measure(QualityCheck *check, RuleState *state, const Batch *batch, Err *err);
/* cell_text.c: text of a value that is not NULL: the column's bytes where it is text, else written
 * to `to`. */
MUST_USE Status value_text(const Column *column, int64_t row, Buf *to, Str *ret_text, Err *err);
/* The schema of the rows as they are judged. */
static inline const Schema *check_schema(const QualityCheck *check)
{
    return check->loose ? check->loose : check->o.schema;
}
/* char(n) of SQL: blanks at the end are no part of the value. */
static inline bool check_is_padded(const Field *field)
{
    Str native = field->native;
    return field->type == TYPE_TEXT &&
           (str_starts(native, STR("character(")) || str_eq(native, STR("bpchar")));
}
/* column_moments.c */
/* Rows that hold NaN, which is in no range. */
void mark_nans(const Column *column, uint64_t *bits);
double moments_mean(const Moments *moments);
MUST_USE Status moments_add(RuleState *state, const Column *column, const uint64_t *mask, Err *err);
void moments_merge(Moments *moments, const Moments *next);
/* rule_evidence.c: rows of check->bad, up to what is wanted. */
MUST_USE Status evidence_add(QualityCheck *check, RuleState *state, const Batch *batch, Err *err);
/* rule_judge.c */
MUST_USE Status check_judge(QualityCheck *check, QualityReport *report, Err *err);
MUST_USE Status anomaly_judge(QualityCheck *check, const RuleState *state, RuleResult *result,
                              Arena *arena, Err *err);

static inline const uint64_t *rule_mask(const QualityCheck *check, const RuleState *state)
{
    return state->where < 0 ? NULL : check->wheres[state->where].bits;
}

#endif
