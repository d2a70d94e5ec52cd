/* The streams' numbers in the registry of metrics; what no longer is leaves it. */
#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "foundation/obs/metrics.h"
#include "service/daemon/part_streams.h"

static void set(Metric metric, double value, Str name)
{
    metrics_set(metric, value, LABELS(name));
}

static void type_metrics(const StreamConfig *config, StreamTypeStats *type)
{
    const struct {
        const char *outcome;
        int64_t count;
    } COUNTS[] = {{"processed", atomic_load(&type->emitted)},
                  {"filtered", atomic_load(&type->filtered)},
                  {"failed", atomic_load(&type->failed)}};
    for (int32_t i = 0; i < COUNT_OF(COUNTS); i++) {
        metrics_set(METRIC_STREAM_MESSAGES, (double)COUNTS[i].count,
                    LABELS(config->name, type->type, str_from(COUNTS[i].outcome)));
    }
}

static bool is_running(StreamStats *stats)
{
    return atomic_load(&stats->state) == STREAM_RUNNING;
}

/* ---- lag, by partition ---- */

/* Partitions of one stream that the registry has. */
typedef struct LagSeries {
    Str stream, topic;
    int64_t parts[METRIC_SERIES_MAX];
    int32_t count;
} LagSeries;

static void note_series(void *arg, const Str *labels, double value UNUSED)
{
    LagSeries *series = arg;
    int64_t part = 0;
    bool ours = str_eq(labels[0], series->stream) && str_eq(labels[1], series->topic);
    if (!ours || series->count == METRIC_SERIES_MAX) return;
    if (number_parse_int64(labels[2], &part) != NUMBER_OK) return;
    series->parts[series->count++] = part;
}

static const SourceLag *lag_of(const SourceStats *lag, int64_t part)
{
    for (int32_t i = 0; i < lag->part_count; i++) {
        if (lag->parts[i].part == part) return &lag->parts[i];
    }
    return NULL;
}

static void set_lag(const LagSeries *series, const SourceLag *part)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%d", part->part);
    const Str *labels = LABELS(series->stream, series->topic, str_from(number));
    if (part->messages >= 0) {
        metrics_set(METRIC_STREAM_LAG_RECORDS, (double)part->messages, labels);
    }
    if (part->us >= 0) metrics_set(METRIC_STREAM_LAG_SECONDS, (double)part->us / 1e6, labels);
}

static void drop_lag(const LagSeries *series, int64_t part)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%lld", (long long)part);
    const Str *labels = LABELS(series->stream, series->topic, str_from(number));
    metrics_remove(METRIC_STREAM_LAG_RECORDS, labels);
    metrics_remove(METRIC_STREAM_LAG_SECONDS, labels);
}

/* A partition that went to another member of the group is no longer ours to tell of: a series that
 * stays would be an alert that never ends. */
static void lag_metrics(const StreamConfig *config, const SourceStats *lag)
{
    LagSeries *series = mem_zalloc((int64_t)sizeof *series);
    if (!series) return;
    series->stream = config->name;
    series->topic = config->topic;
    metrics_each(METRIC_STREAM_LAG_RECORDS, note_series, series);
    metrics_each(METRIC_STREAM_LAG_SECONDS, note_series, series);
    for (int32_t i = 0; i < series->count; i++) {
        if (!lag_of(lag, series->parts[i])) drop_lag(series, series->parts[i]);
    }
    for (int32_t i = 0; i < lag->part_count; i++) set_lag(series, &lag->parts[i]);
    mem_free(series);
}

/* ---- all ---- */

/* A stream that can't go on takes no more lag: the time grows all the same. The series goes when it
 * runs again. */
static void trouble_metrics(const StreamConfig *config, StreamStats *stats)
{
    const Str *labels = LABELS(config->name, config->topic, STR("stalled"));
    StreamState state = (StreamState)atomic_load(&stats->state);
    int64_t since_us = atomic_load(&stats->trouble_since_us);
    bool stalled = state == STREAM_WAITING || state == STREAM_FAILED || state == STREAM_HELD;
    if (!stalled || since_us == 0) {
        metrics_remove(METRIC_STREAM_LAG_SECONDS, labels);
        return;
    }
    int64_t lag_us = int64_max(atomic_load(&stats->lag_us), 0) + clock_now_us() - since_us;
    metrics_set(METRIC_STREAM_LAG_SECONDS, (double)lag_us / 1e6, labels);
}

static SourceStats lag_now(StreamStats *stats)
{
    pthread_mutex_lock(&stats->mutex);
    SourceStats lag = stats->lag;
    pthread_mutex_unlock(&stats->mutex);
    return lag;
}

void streams_metrics(const StreamTable *streams)
{
    for (int32_t i = 0; i < streams->count; i++) {
        const StreamConfig *config = stream_config(streams->items[i]);
        StreamStats *stats = stream_stats(streams->items[i]);
        for (int32_t k = 0; k < stats->type_count; k++) type_metrics(config, &stats->types[k]);
        metrics_set(METRIC_STREAM_MESSAGES, (double)atomic_load(&stats->ledger.dead_lettered),
                    LABELS(config->name, STR(""), STR("dead_letter")));
        metrics_set(METRIC_STREAM_MESSAGES, (double)atomic_load(&stats->unknown),
                    LABELS(config->name, STR(""), STR("unknown")));
        set(METRIC_STREAM_REBALANCES, (double)atomic_load(&stats->rebalances), config->name);
        set(METRIC_STREAM_LEDGER_GAP, (double)atomic_load(&stats->ledger.gap), config->name);
        set(METRIC_STREAM_RUNNING, is_running(stats), config->name);
        set(METRIC_STREAM_HELD, atomic_load(&stats->state) == STREAM_HELD, config->name);
        set(METRIC_STREAM_RESTARTS, (double)atomic_load(&stats->restarts), config->name);
        SourceStats lag = lag_now(stats);
        lag_metrics(config, &lag);
        trouble_metrics(config, stats);
    }
}

void streams_metrics_forget(const StreamTable *streams)
{
    static const Metric OF_A_STREAM[] = {METRIC_STREAM_RUNNING, METRIC_STREAM_HELD,
                                         METRIC_STREAM_LEDGER_GAP};
    for (int32_t i = 0; i < streams->count; i++) {
        const StreamConfig *config = stream_config(streams->items[i]);
        const SourceStats none = {0};
        lag_metrics(config, &none);
        metrics_remove(METRIC_STREAM_LAG_SECONDS,
                       LABELS(config->name, config->topic, STR("stalled")));
        for (int32_t k = 0; k < COUNT_OF(OF_A_STREAM); k++) {
            metrics_remove(OF_A_STREAM[k], LABELS(config->name));
        }
    }
}
