/* Runs a check over a dataset: source, batches, report. */
#ifndef NEURON_QUALITY_RUN_H
#define NEURON_QUALITY_RUN_H

#include "connect/connector.h"
#include "work/quality/quality_check.h"

/* What a run works with. Everything is borrowed. */
typedef struct QualityEnv {
    Budget *budget;
    Str spool_folder;
    const _Atomic bool *cancelled;
    CheckHistory history;
    Str where; /* only rows for which it is true; empty: all */
    void (*progress)(void *arg, int64_t rows, int64_t rows_estimate);
    void *progress_arg;
} QualityEnv;

/* FAIL when the dataset can't be read; what is wrong with its rows is in the report. The set must
 * outlive the report. */
MUST_USE Status quality_run(const QualitySet *set, const QualityEnv *env,
                            QualityReport **ret_report, Err *err);

#endif
