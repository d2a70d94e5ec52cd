/* Checks datasets with their history in the state store. */
#ifndef NEURON_DATASET_CHECK_H
#define NEURON_DATASET_CHECK_H

#include "store/state/state_store.h"
#include "work/quality/quality_run.h"

/* What a check needs; everything is borrowed. env.history is filled here. */
typedef struct DatasetCheck {
    const QualitySet *set;
    StateStore *store; /* NULL: no history, nothing is kept */
    QualityEnv env;
    /* What the federation is told, kept at one moment with the report; NULL: nothing. */
    Status (*letter)(const QualityReport *report, Buf *ret_body, Err *err);
} DatasetCheck;

/* The report, kept in the store. FAIL: the dataset can't be read, or the store not written. */
MUST_USE Status dataset_check(const DatasetCheck *check, QualityReport **ret_report, Err *err);

/* Scores over the last `days`, as one JSON object: average_quality_score, quality_trend,
 * slope_per_day, total_reports, datasets_monitored, points[]; no reports: nulls and 0. `dataset`
 * empty: all. */
MUST_USE Status dataset_trends(StateStore *store, Str dataset, int64_t days, Buf *out, Err *err);

#endif
