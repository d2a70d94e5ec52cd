/* Conditions over metrics: `max(neuron_stream_lag_seconds) by (stream) > 5m`. */
#ifndef NEURON_ALERT_CONDITION_H
#define NEURON_ALERT_CONDITION_H

#include "foundation/base/arena.h"
#include "foundation/obs/metrics.h"

/* The language is a small part of Prometheus's, so that a condition means the same there:
 *   condition  = comparison { "and" comparison }
 *   comparison = vector ( > | >= | < | <= | == | != ) ( number | vector )
 *   vector     = sum|max|min|avg|count [by (labels)] ( values ) [by (labels)] | values
 *   values     = increase|rate ( selector [ "[" duration "]" ] ) | age ( selector ) | selector
 *   selector   = metric [ "{" label = "text" | label != "text" { , … } "}" ]
 * `age` is the time since a metric that holds a moment. A number may be written 85% (0.85), 5m
 * (300 seconds), 2GB. A histogram's value is its count. */

enum { ALERT_MATCHES_MAX = 8, ALERT_PARTS_MAX = 4 };

typedef enum AlertAggregate {
    AGGREGATE_NONE,
    AGGREGATE_SUM,
    AGGREGATE_MAX,
    AGGREGATE_MIN,
    AGGREGATE_AVG,
    AGGREGATE_COUNT
} AlertAggregate;
typedef enum AlertFunction {
    FUNCTION_VALUE,
    FUNCTION_INCREASE,
    FUNCTION_RATE,
    FUNCTION_AGE
} AlertFunction;
typedef enum AlertCompare {
    COMPARE_GREATER,
    COMPARE_GREATER_EQUAL,
    COMPARE_LESS,
    COMPARE_LESS_EQUAL,
    COMPARE_EQUAL,
    COMPARE_NOT_EQUAL
} AlertCompare;

typedef struct AlertMatch {
    int32_t label; /* its place in the metric's labels */
    bool negated;
    Str value;
} AlertMatch;

typedef struct AlertVector {
    Metric metric;
    AlertFunction function;
    int64_t window_us; /* of increase and rate */
    AlertAggregate aggregate;
    uint32_t by; /* bit per label of the metric that stays */
    AlertMatch matches[ALERT_MATCHES_MAX];
    int32_t match_count;
} AlertVector;

typedef struct AlertComparison {
    AlertVector left, right;
    AlertCompare compare;
    bool constant; /* `threshold` instead of `right` */
    double threshold;
} AlertComparison;

typedef struct AlertCondition {
    AlertComparison parts[ALERT_PARTS_MAX];
    int32_t part_count;
} AlertCondition;

/* Texts in the condition live in the arena. FAIL: ERR_CONFIG with the column (from 1) in `text`; an
 * unknown metric or label with the nearest one as hint. */
MUST_USE Status alert_condition_parse(Str text, Arena *arena, AlertCondition *ret_condition,
                                      Err *err);

/* True when it is about what neurons with one state store have in common: pipelines and datasets.
 */
bool alert_condition_is_shared(const AlertCondition *condition);

typedef struct AlertLabel {
    Str name, value;
} AlertLabel;

/* One value and whether the condition holds for it. */
typedef struct AlertSample {
    AlertLabel labels[METRIC_LABELS_MAX];
    int32_t label_count;
    double value, threshold;
    bool holds;
} AlertSample;

typedef struct AlertSamples {
    AlertSample *items;
    int32_t count;
} AlertSamples;

/* What counters were, for increase and rate. A counter that is there when the windows are first
 * looked at counts from then; one that comes later counts from 0. */
typedef struct AlertWindows AlertWindows;
/* The exact increase of a series since a moment, where somebody keeps it over restarts; false: not
 * known, the window is used. */
typedef bool (*AlertExact)(void *arg, Metric metric, const Str *labels, int64_t since_us,
                           double *ret_increase);
MUST_USE Status alert_windows_new(AlertExact exact, void *arg, AlertWindows **ret_windows,
                                  Err *err);
void alert_windows_free(AlertWindows *windows);
DEFINE_FREE_P(AlertWindows, alert_windows_free)

/* The wall clock was set: windows are as long as they were. */
void alert_windows_clock_set(AlertWindows *windows, int64_t step_us);

/* The samples of the condition now (µs since the epoch), all of them in the arena. One thread. */
MUST_USE Status alert_condition_run(const AlertCondition *condition, AlertWindows *windows,
                                    int64_t now_us, Arena *arena, AlertSamples *ret_samples,
                                    Err *err);

/* ---- between the files of this room ---- */
/* Labels are the metric's, all of them; `value` is the counter's now. */
double alert_windows_increase(AlertWindows *windows, const AlertVector *vector, const Str *labels,
                              int32_t label_count, double value, int64_t now_us);
/* After each round of conditions. */
void alert_windows_round(AlertWindows *windows);

#endif
