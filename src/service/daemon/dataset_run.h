/* Checks of datasets. */
#ifndef NEURON_DAEMON_DATASET_RUN_H
#define NEURON_DAEMON_DATASET_RUN_H

#include "service/daemon/daemon_impl.h"

void dataset_run(Daemon *d, Ticket *ticket);
/* The job's last report, and its series. */
MUST_USE Status dataset_restore(Daemon *d, Job *job, Err *err);
/* The pipeline loads the dataset's table. */
bool dataset_is_loaded_by(const Daemon *d, const Job *dataset, const Job *pipeline);
/* Members of an open object: the guide's fields, and the verdict. */
void dataset_report_members(const QualityReport *report, JsonWriter *w);

#endif
