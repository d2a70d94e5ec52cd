/* What is shown and remembered of a dataset's report. */
#ifndef NEURON_DAEMON_DATASET_REPORT_H
#define NEURON_DAEMON_DATASET_REPORT_H

#include "foundation/codec/json_writer.h"
#include "service/daemon/job.h"
#include "store/state/state_store.h"
#include "work/quality/quality_report.h"

/* The job's last report from the store, and its series. */
MUST_USE Status dataset_report_restore(Job *job, const QualitySet *set, StateStore *store,
                                       Err *err);
/* Into the registry of metrics. */
void dataset_report_count(const QualityReport *report);
/* Members of an open object: the guide's fields, and the verdict. */
void dataset_report_members(const QualityReport *report, JsonWriter *w);
/* For the federation: an object of the same members. */
MUST_USE Status dataset_report_letter(const QualityReport *report, Buf *body, Err *err);

#endif
