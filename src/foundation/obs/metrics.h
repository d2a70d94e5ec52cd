/* The metrics registry: a closed table of families, series by label values, Prometheus text. */
#ifndef NEURON_METRICS_H
#define NEURON_METRICS_H

#include "foundation/base/buf.h"

typedef enum Metric {
#define METRIC(id, name, type, labels, help) METRIC_##id,
#include "foundation/obs/metrics.def"
#undef METRIC
    METRIC_COUNT
} Metric;

enum { METRIC_LABELS_MAX = 4, METRIC_SERIES_MAX = 5000 };

/* Label values, in the order of the table; as many as the family has labels. Configured names only.
 * metrics_add(METRIC_PIPELINE_RUNS, 1, LABELS(name, STR("success"))); */
#define LABELS(...) ((const Str[METRIC_LABELS_MAX]){__VA_ARGS__})
#define NO_LABELS NULL

/* All are thread-safe and never fail: a series for which there is no room or memory is counted in
 * neuron_metric_series_dropped_total. */
/* Counters and gauges; a counter's amount is >= 0, and 0 makes its series visible. */
void metrics_add(Metric metric, double amount, const Str *labels);
/* Gauges, and counters that are counted elsewhere. */
void metrics_set(Metric metric, double value, const Str *labels);
/* Histograms. Seconds. */
void metrics_observe(Metric metric, double value, const Str *labels);
/* The series no longer exists (a pipeline went with a reload). */
void metrics_remove(Metric metric, const Str *labels);
/* The value of a counter or gauge; false (and nothing written) when there is no such series. */
bool metrics_value(Metric metric, const Str *labels, double *ret_value);

/* The wall clock was set: gauges that hold moments (…_timestamp_seconds) move with it. */
void metrics_clock_set(int64_t step_us);

/* Called for every series of a family, under the registry's lock: `each` must not call back.
 * For histograms the value is the count. */
void metrics_each(Metric metric, void (*each)(void *arg, const Str *labels, double value),
                  void *arg);
const char *metrics_name(Metric metric);
/* The family of that name; METRIC_COUNT when there is none. */
Metric metrics_find(Str name);
/* Position of a label in the family's labels; -1 when it has none of that name. */
int32_t metrics_label(Metric metric, Str label);
/* All of them, with commas between; empty when it has none. */
const char *metrics_label_names(Metric metric);

/* The process's own numbers (process_…) as they are now. */
void metrics_read_process(void);
/* Prometheus text 0.0.4, or OpenMetrics 1.0. Reads the process's own numbers first. */
MUST_USE Status metrics_write(bool openmetrics, Buf *out, Err *err);
/* For tests: forget all series. */
void metrics_reset(void);

#endif
