/* The step `check`: quality rules over the rows on their way to be published. */
#ifndef NEURON_STEP_CHECK_H
#define NEURON_STEP_CHECK_H

#include "work/quality/quality_check.h"
#include "work/step/step.h"

/* Everything is borrowed for the step's life. */
typedef struct StepCheckOptions {
    const QualitySet *set;
    OnFail on_fail; /* of rules that don't say their own; UNSET: warn */
    Budget *budget; /* may be NULL */
    Str spool_folder;
    int64_t now_us;
} StepCheckOptions;

/* Rows pass as they are. A row that fails a row rule with on_fail reject is refused; at the end a
 * failed rule with on_fail stop fails the run (ERR_QUALITY), so that nothing is published; the rest
 * is only told. Rules about the whole dataset can't refuse rows: under a step's reject they warn.
 * FAIL: ERR_CONFIG when a rule with reject or stop can't be evaluated on these columns. */
MUST_USE Status step_check_new(int32_t number, const StepCheckOptions *options, const Schema *in,
                               Step **ret_step, Err *err);
/* What the check found as one JSON object: dataset_name, verdict, quality_score, total_records,
 * rejected, issues[]. *ret_is false, and nothing written, when the step is no check or has not
 * ended. */
MUST_USE Status step_check_result(const Step *step, bool *ret_is, Buf *out, Err *err);
/* A line for each rule that warned, or that failed or couldn't be evaluated under on_fail warn:
 * rows are published although it did. Nothing is appended when the step is no check or has not
 * ended. */
MUST_USE Status step_check_warnings(const Step *step, Buf *lines, Err *err);

#endif
