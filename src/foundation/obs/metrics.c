/* The metrics registry: a closed table of families, series by label values, Prometheus text. */
#include "foundation/obs/metrics.h"

#include <pthread.h>

#include "foundation/base/clock.h"
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "foundation/obs/process_stats.h"

typedef enum FamilyType { COUNTER, GAUGE, HISTOGRAM } FamilyType;

typedef struct Family {
    const char *name;
    FamilyType type;
    const char *labels;
    const char *help;
} Family;

static const Family FAMILIES[METRIC_COUNT] = {
#define METRIC(id, name, type, labels, help) {name, type, labels, help},
#include "foundation/obs/metrics.def"
#undef METRIC
};

static const double BOUNDS[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,  1,
                                2.5,   5,      10,    30,   60,    120,  300, 600,  1800, 3600};
/* The same as they stand in `le`. */
static const char *const BOUND_TEXTS[] = {
    "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5",  "1",
    "2.5",   "5",      "10",    "30",   "60",    "120",  "300", "600",  "1800", "3600"};
enum { BOUND_COUNT = 20, BUCKETS_MAX = 1024 };
static_assert(COUNT_OF(BOUNDS) == BOUND_COUNT && COUNT_OF(BOUND_TEXTS) == BOUND_COUNT,
              "a text for each bound");

typedef struct Series {
    struct Series *next_in_bucket, *next; /* `next`: of its family, in the order they came */
    Metric metric;
    bool gone;
    double value;      /* counter, gauge; histogram: the sum */
    int64_t *observed; /* histogram: BOUND_COUNT + 1 counts, not cumulative */
    Str labels[METRIC_LABELS_MAX];
    char text[]; /* the labels' bytes */
} Series;

static struct {
    pthread_mutex_t lock;
    Series *buckets[BUCKETS_MAX];
    Series *first[METRIC_COUNT], *last[METRIC_COUNT];
    int32_t count[METRIC_COUNT];
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int32_t label_count(Metric metric)
{
    const char *labels = FAMILIES[metric].labels;
    int32_t count = labels[0] ? 1 : 0;
    for (; *labels; labels++) count += *labels == ',';
    return count;
}

static uint64_t series_hash(Metric metric, const Str *labels, int32_t count)
{
    uint64_t hash = (uint64_t)metric;
    for (int32_t i = 0; i < count; i++) hash = hash_64(labels[i], hash);
    return hash % BUCKETS_MAX;
}

static bool series_is(const Series *s, Metric metric, const Str *labels, int32_t count)
{
    if (s->metric != metric) return false;
    for (int32_t i = 0; i < count; i++) {
        if (!str_eq(s->labels[i], labels[i])) return false;
    }
    return true;
}

static Series *series_make(Metric metric, const Str *labels, int32_t count)
{
    int64_t bytes = 0;
    for (int32_t i = 0; i < count; i++) bytes += labels[i].len;
    bool histogram = FAMILIES[metric].type == HISTOGRAM;
    int64_t *observed = histogram ? mem_array(BOUND_COUNT + 1, 8) : NULL;
    Series *s = mem_zalloc((int64_t)sizeof *s + bytes);
    if (!s || (histogram && !observed)) {
        mem_free(s);
        mem_free(observed);
        return NULL;
    }
    s->metric = metric;
    s->observed = observed;
    char *at = s->text;
    for (int32_t i = 0; i < count; i++) {
        if (labels[i].len) memcpy(at, labels[i].ptr, (size_t)labels[i].len);
        s->labels[i] = str_make(at, labels[i].len);
        at += labels[i].len;
    }
    return s;
}

static Series *series_find(Metric metric, const Str *labels, int32_t count, uint64_t hash)
{
    Series *s = registry.buckets[hash];
    while (s && !series_is(s, metric, labels, count)) s = s->next_in_bucket;
    return s;
}

static Series *series_add(Metric metric, const Str *labels, int32_t count, uint64_t hash)
{
    Series *s =
        registry.count[metric] < METRIC_SERIES_MAX ? series_make(metric, labels, count) : NULL;
    if (!s) return NULL;
    s->next_in_bucket = registry.buckets[hash];
    registry.buckets[hash] = s;
    if (registry.last[metric]) registry.last[metric]->next = s;
    else registry.first[metric] = s;
    registry.last[metric] = s;
    registry.count[metric]++;
    return s;
}

/* The series, made when missing. Where there is no room, its family's drop is counted. Under the
 * lock. */
static Series *series_get(Metric metric, const Str *labels)
{
    int32_t count = label_count(metric);
    uint64_t hash = series_hash(metric, labels, count);
    Series *s = series_find(metric, labels, count, hash);
    if (!s) s = series_add(metric, labels, count, hash);
    if (s) {
        s->gone = false;
        return s;
    }
    Str name = str_from(FAMILIES[metric].name);
    hash = series_hash(METRIC_SERIES_DROPPED, &name, 1);
    s = series_find(METRIC_SERIES_DROPPED, &name, 1, hash);
    if (!s) s = series_add(METRIC_SERIES_DROPPED, &name, 1, hash);
    if (s) s->value++;
    return NULL;
}

void metrics_add(Metric metric, double amount, const Str *labels)
{
    pthread_mutex_lock(&registry.lock);
    Series *s = series_get(metric, labels);
    if (s) s->value += amount;
    pthread_mutex_unlock(&registry.lock);
}

void metrics_set(Metric metric, double value, const Str *labels)
{
    pthread_mutex_lock(&registry.lock);
    Series *s = series_get(metric, labels);
    if (s) s->value = value;
    pthread_mutex_unlock(&registry.lock);
}

void metrics_observe(Metric metric, double value, const Str *labels)
{
    assert(FAMILIES[metric].type == HISTOGRAM);
    pthread_mutex_lock(&registry.lock);
    Series *s = series_get(metric, labels);
    int32_t bucket = 0;
    while (bucket < BOUND_COUNT && value > BOUNDS[bucket]) bucket++;
    if (s) {
        s->value += value;
        s->observed[bucket]++;
    }
    pthread_mutex_unlock(&registry.lock);
}

void metrics_remove(Metric metric, const Str *labels)
{
    int32_t count = label_count(metric);
    pthread_mutex_lock(&registry.lock);
    Series *s = series_find(metric, labels, count, series_hash(metric, labels, count));
    if (s) {
        s->gone = true;
        s->value = 0;
        if (s->observed) memset(s->observed, 0, (BOUND_COUNT + 1) * sizeof *s->observed);
    }
    pthread_mutex_unlock(&registry.lock);
}

void metrics_clock_set(int64_t step_us)
{
    int64_t now_us = clock_now_us();
    pthread_mutex_lock(&registry.lock);
    for (int32_t metric = 0; metric < METRIC_COUNT; metric++) {
        if (!str_ends(str_from(FAMILIES[metric].name), STR("_timestamp_seconds"))) continue;
        for (Series *s = registry.first[metric]; s; s = s->next) {
            int64_t at_us = clock_moment_move((int64_t)(s->value * 1e6), step_us, now_us);
            s->value = (double)at_us / 1e6;
        }
    }
    pthread_mutex_unlock(&registry.lock);
}

static int64_t series_count(const Series *s)
{
    int64_t total = 0;
    for (int32_t i = 0; i <= BOUND_COUNT; i++) total += s->observed[i];
    return total;
}

static double series_value(const Series *s)
{
    return s->observed ? (double)series_count(s) : s->value;
}

bool metrics_value(Metric metric, const Str *labels, double *ret_value)
{
    int32_t count = label_count(metric);
    pthread_mutex_lock(&registry.lock);
    const Series *s = series_find(metric, labels, count, series_hash(metric, labels, count));
    bool found = s && !s->gone;
    if (found) *ret_value = series_value(s);
    pthread_mutex_unlock(&registry.lock);
    return found;
}

void metrics_each(Metric metric, void (*each)(void *arg, const Str *labels, double value),
                  void *arg)
{
    pthread_mutex_lock(&registry.lock);
    for (const Series *s = registry.first[metric]; s; s = s->next) {
        if (!s->gone) each(arg, s->labels, series_value(s));
    }
    pthread_mutex_unlock(&registry.lock);
}

const char *metrics_name(Metric metric)
{
    return FAMILIES[metric].name;
}

Metric metrics_find(Str name)
{
    int32_t at = 0;
    while (at < METRIC_COUNT && !str_eq(name, str_from(FAMILIES[at].name))) at++;
    return (Metric)at;
}

int32_t metrics_label(Metric metric, Str label)
{
    Str rest = str_from(FAMILIES[metric].labels), name;
    for (int32_t at = 0; str_next_part(&rest, ',', &name); at++) {
        if (str_eq(name, label)) return at;
    }
    return -1;
}

const char *metrics_label_names(Metric metric)
{
    return FAMILIES[metric].labels;
}

void metrics_reset(void)
{
    pthread_mutex_lock(&registry.lock);
    for (int32_t i = 0; i < METRIC_COUNT; i++) {
        for (Series *s = registry.first[i], *next; s; s = next) {
            next = s->next;
            mem_free(s->observed);
            mem_free(s);
        }
        registry.first[i] = registry.last[i] = NULL;
        registry.count[i] = 0;
    }
    memset(registry.buckets, 0, sizeof registry.buckets);
    pthread_mutex_unlock(&registry.lock);
}

/* ---- text ---- */

/* Runs of plain characters as they are. */
static Status put_label_value(Buf *out, Str value, Err *err)
{
    int64_t from = 0;
    for (int64_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c != '\\' && c != '"' && c != '\n') continue;
        TRY(buf_append(out, str_slice(value, from, i), err));
        TRY(buf_append_char(out, '\\', err));
        TRY(buf_append_char(out, c == '\n' ? 'n' : c, err));
        from = i + 1;
    }
    return buf_append(out, str_slice(value, from, value.len), err);
}

static Status put_label(Buf *out, bool first, Str name, Str value, Err *err)
{
    TRY(buf_append_char(out, first ? '{' : ',', err));
    TRY(buf_append(out, name, err));
    TRY(buf_append(out, STR("=\""), err));
    TRY(put_label_value(out, value, err));
    return buf_append_char(out, '"', err);
}

/* {a="x",b="y"} with `le` after when given; nothing when there is none. */
static Status put_labels(Buf *out, const Series *s, Str le, Err *err)
{
    Str rest = str_from(FAMILIES[s->metric].labels), name;
    bool first = true;
    for (int32_t i = 0; rest.len && str_next_part(&rest, ',', &name); i++) {
        TRY(put_label(out, first, name, s->labels[i], err));
        first = false;
    }
    if (le.len) TRY(put_label(out, first, STR("le"), le, err));
    return first && !le.len ? OK : buf_append_char(out, '}', err);
}

static Status put_value(Buf *out, double value, Err *err)
{
    char text[NUMBER_TEXT_MAX];
    bool whole = value > -1e15 && value < 1e15 && !((double)(int64_t)value < value) &&
                 !((double)(int64_t)value > value);
    int64_t len =
        whole ? number_format_int64((int64_t)value, text) : number_format_double(value, text);
    Str number = str_make(text, len);
    if (str_eq(number, STR("Infinity"))) number = STR("+Inf");
    if (str_eq(number, STR("-Infinity"))) number = STR("-Inf");
    return buf_append(out, number, err);
}

static Status put_sample(Buf *out, const Series *s, Str suffix, Str le, double value, Err *err)
{
    TRY(buf_append(out, str_from(FAMILIES[s->metric].name), err));
    TRY(buf_append(out, suffix, err));
    TRY(put_labels(out, s, le, err));
    TRY(buf_append_char(out, ' ', err));
    TRY(put_value(out, value, err));
    return buf_append_char(out, '\n', err);
}

static Status put_histogram(Buf *out, const Series *s, Err *err)
{
    int64_t total = 0;
    for (int32_t i = 0; i < BOUND_COUNT; i++) {
        total += s->observed[i];
        TRY(put_sample(out, s, STR("_bucket"), str_from(BOUND_TEXTS[i]), (double)total, err));
    }
    total += s->observed[BOUND_COUNT];
    TRY(put_sample(out, s, STR("_bucket"), STR("+Inf"), (double)total, err));
    TRY(put_sample(out, s, STR("_sum"), STR_NULL, s->value, err));
    return put_sample(out, s, STR("_count"), STR_NULL, (double)total, err);
}

static bool family_is_empty(Metric metric)
{
    const Series *s = registry.first[metric];
    while (s && s->gone) s = s->next;
    return !s;
}

static Status put_family(Buf *out, Metric metric, bool openmetrics, Err *err)
{
    static const char *const TYPES[] = {"counter", "gauge", "histogram"};
    const Family *f = &FAMILIES[metric];
    Str name = str_from(f->name);
    if (openmetrics && f->type == COUNTER) name = str_slice(name, 0, name.len - 6);
    TRY(buf_printf(out, err, "# HELP %.*s %s\n# TYPE %.*s %s\n", STR_ARG(name), f->help,
                   STR_ARG(name), TYPES[f->type]));
    for (const Series *s = registry.first[metric]; s; s = s->next) {
        if (s->gone) continue;
        if (f->type == HISTOGRAM) TRY(put_histogram(out, s, err));
        else TRY(put_sample(out, s, STR_NULL, STR_NULL, s->value, err));
    }
    return OK;
}

void metrics_read_process(void)
{
    ProcessStats stats = process_stats_read();
    metrics_set(METRIC_PROCESS_CPU, stats.cpu_seconds, NO_LABELS);
    metrics_set(METRIC_PROCESS_RESIDENT, (double)stats.resident_bytes, NO_LABELS);
    metrics_set(METRIC_PROCESS_FDS, (double)stats.open_fds, NO_LABELS);
    metrics_set(METRIC_PROCESS_MAX_FDS, (double)stats.max_fds, NO_LABELS);
    metrics_set(METRIC_PROCESS_START, stats.start_seconds, NO_LABELS);
}

Status metrics_write(bool openmetrics, Buf *out, Err *err)
{
    metrics_read_process();
    Status status = OK;
    pthread_mutex_lock(&registry.lock);
    for (int32_t i = 0; i < METRIC_COUNT && status == OK; i++) {
        if (!family_is_empty((Metric)i)) status = put_family(out, (Metric)i, openmetrics, err);
    }
    pthread_mutex_unlock(&registry.lock);
    if (status == OK && openmetrics) status = buf_append(out, STR("# EOF\n"), err);
    return status;
}
