/* A quality check: rules compiled against a schema, fed with batches, judged at the end. */
#ifndef NEURON_QUALITY_CHECK_H
#define NEURON_QUALITY_CHECK_H

#include "work/quality/quality_report.h"

typedef struct PastValue {
    int64_t at_us;
    double value;
} PastValue;

/* What earlier reports of the dataset say; newest first. `arg` NULL functions: no history. */
typedef struct CheckHistory {
    void *arg;
    /* Up to `max` values of a rule. */
    int64_t (*values)(void *arg, Str rule, PastValue *ret_values, int64_t max);
    /* The column's type in the last report; STR_NULL: there was none. */
    Str (*type)(void *arg, Str column);
    bool (*any)(void *arg);
} CheckHistory;

/* Everything is borrowed for the check's life. */
typedef struct CheckOptions {
    const QualitySet *set;
    const Schema *schema;
    bool text_file; /* texts of text columns are looked into for types */
    /* Columns whose `native` is empty were read as texts: what they are is found on the way. Only
     * where quality_set_needs_types is false. */
    bool untyped;
    bool no_repeats; /* the dataset's repeats are not counted (nobody looks at them) */
    Budget *budget;  /* may be NULL */
    Str spool_folder;
    int64_t now_us;
    CheckHistory history;
    /* The line of a row of the batch at hand, 0: unknown. May be NULL. */
    int64_t (*line)(void *arg, const Batch *batch, int64_t row);
    void *line_arg;
    /* The other side of relationships and row counts. May be NULL: such rules are errors. */
    const struct OtherSide *other;
} CheckOptions;

/* Reads other datasets for rules that compare. */
typedef struct OtherSide {
    void *arg;
    Status (*count)(void *arg, const OtherData *other, int64_t *ret_rows, Err *err);
    /* Gives every batch of the column to `each`. */
    Status (*values)(void *arg, const OtherData *other,
                     Status (*each)(void *to, const Column *column, Err *err), void *to, Err *err);
} OtherSide;

typedef struct QualityCheck QualityCheck;

/* A rule that can't be compiled (no such column, a wrong type) becomes `error` in the report, with
 * its reason; FAIL only for memory and the like. */
MUST_USE Status quality_check_new(const CheckOptions *options, QualityCheck **ret_check, Err *err);
void quality_check_free(QualityCheck *check);
DEFINE_FREE_P(QualityCheck, quality_check_free)
/* The rows of a batch. `ret_bad` (may be NULL): (rows + 63) / 64 words, gets the bit of each row
 * that a rule with on_fail reject refuses; `ret_reasons` (may be NULL) gets each such row once, by
 * its first such rule. */
MUST_USE Status quality_check_update(QualityCheck *check, const Batch *batch, uint64_t *ret_bad,
                                     RejectList *ret_reasons, Err *err);
/* Read as texts, equal values may have been written differently (1.5 and 1.50): the count of
 * repeats holds only for typed columns, and the check must be run with them. */
bool quality_check_needs_types(const QualityCheck *check);
bool quality_set_needs_types(const QualitySet *set);
/* Rows of the source that could not be read (reject schema). */
MUST_USE Status quality_check_unreadable(QualityCheck *check, const Batch *rejects, Err *err);
/* `next`, a check of the same options, saw the rows after those of `check`. It is empty
 * afterwards. */
MUST_USE Status quality_check_merge(QualityCheck *check, QualityCheck *next, Err *err);
/* Why the set's rule of that index can't be evaluated; empty: it can. */
Str quality_check_error(const QualityCheck *check, int32_t rule);
int64_t quality_check_rows(const QualityCheck *check);
/* Repeats are known by their numbers only. The last row (from 0) that is shown as one; -1: none is.
 * Reading the same rows again up to it gives their lines, keys and values: */
int64_t quality_check_last_repeat(const QualityReport *report);
MUST_USE Status quality_check_address(QualityCheck *check, const Batch *batch, int64_t first_row,
                                      QualityReport *report, Err *err);
/* Judge; the check takes nothing more. */
MUST_USE Status quality_check_finish(QualityCheck *check, QualityReport **ret_report, Err *err);

#endif
