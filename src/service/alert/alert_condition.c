/* Conditions judged: series to values, values to samples, samples compared. */
#include "service/alert/alert_condition.h"

enum { SERIES_MAX = METRIC_SERIES_MAX };

/* The series of one vector, copied out of the registry. */
typedef struct Series {
    Str labels[METRIC_LABELS_MAX];
    double value;
} Series;

typedef struct Collect {
    const AlertVector *vector;
    Arena *arena;
    Series *items;
    int32_t count, label_count, capacity;
    bool no_memory;
} Collect;

static bool matches(const AlertVector *v, const Str *labels)
{
    for (int32_t i = 0; i < v->match_count; i++) {
        const AlertMatch *m = &v->matches[i];
        if (str_eq(labels[m->label], m->value) == m->negated) return false;
    }
    return true;
}

static bool grow(Collect *c)
{
    int32_t capacity = c->capacity ? c->capacity * 2 : 32;
    Series *items = ARENA_ARRAY(c->arena, Series, capacity);
    if (!items) return false;
    if (c->count) memcpy(items, c->items, (size_t)c->count * sizeof *items);
    c->items = items;
    c->capacity = capacity;
    return true;
}

/* Under the registry's lock. */
static void collect(void *arg, const Str *labels, double value)
{
    Collect *c = arg;
    if (c->no_memory || c->count == SERIES_MAX || !matches(c->vector, labels)) return;
    if (c->count == c->capacity && !grow(c)) {
        c->no_memory = true;
        return;
    }
    Series *s = &c->items[c->count];
    s->value = value;
    for (int32_t i = 0; i < c->label_count; i++) {
        if (arena_copy(c->arena, labels[i], &s->labels[i], NULL) != OK) c->no_memory = true;
    }
    c->count++;
}

static int32_t label_count_of(Metric metric)
{
    Str rest = str_from(metrics_label_names(metric)), name;
    int32_t count = 0;
    while (rest.len && str_next_part(&rest, ',', &name)) count++;
    return count;
}

static double value_of(const AlertVector *v, const Series *s, int32_t label_count,
                       AlertWindows *windows, int64_t now_us)
{
    if (v->function == FUNCTION_VALUE) return s->value;
    if (v->function == FUNCTION_AGE) return (double)now_us / 1e6 - s->value;
    double more = alert_windows_increase(windows, v, s->labels, label_count, s->value, now_us);
    return v->function == FUNCTION_RATE ? more / ((double)v->window_us / 1e6) : more;
}

static bool same_labels(const AlertSample *a, const AlertSample *b)
{
    if (a->label_count != b->label_count) return false;
    for (int32_t i = 0; i < a->label_count; i++) {
        if (!str_eq(a->labels[i].value, b->labels[i].value)) return false;
    }
    return true;
}

static AlertSample *sample_at(AlertSamples *samples, const AlertSample *like)
{
    for (int32_t i = 0; i < samples->count; i++) {
        if (same_labels(&samples->items[i], like)) return &samples->items[i];
    }
    return NULL;
}

/* Folds the value into its sample; `threshold` counts the values until the end. */
static void fold(AlertAggregate aggregate, AlertSamples *samples, const AlertSample *one)
{
    AlertSample *s = aggregate == AGGREGATE_NONE ? NULL : sample_at(samples, one);
    if (!s) {
        s = &samples->items[samples->count++];
        *s = *one;
        s->threshold = 1;
        if (aggregate == AGGREGATE_COUNT) s->value = 1;
        return;
    }
    s->threshold++;
    if (aggregate == AGGREGATE_MAX) s->value = one->value > s->value ? one->value : s->value;
    else if (aggregate == AGGREGATE_MIN) s->value = one->value < s->value ? one->value : s->value;
    else if (aggregate == AGGREGATE_COUNT) s->value++;
    else s->value += one->value;
}

static void name_labels(const AlertVector *v, const Series *s, AlertSample *sample)
{
    Str rest = str_from(metrics_label_names(v->metric)), name;
    for (int32_t i = 0; rest.len && str_next_part(&rest, ',', &name); i++) {
        if (v->aggregate != AGGREGATE_NONE && !(v->by & (1U << i))) continue;
        sample->labels[sample->label_count++] = (AlertLabel){name, s->labels[i]};
    }
}

static Status vector_run(const AlertVector *v, AlertWindows *windows, int64_t now_us, Arena *arena,
                         AlertSamples *ret_samples, Err *err)
{
    Collect c = {.vector = v, .arena = arena, .label_count = label_count_of(v->metric)};
    metrics_each(v->metric, collect, &c);
    AlertSamples samples = {.items = ARENA_ARRAY(arena, AlertSample, c.count + 1)};
    if (c.no_memory || !samples.items) return err_memory(err);
    for (int32_t i = 0; i < c.count; i++) {
        AlertSample one = {.value = value_of(v, &c.items[i], c.label_count, windows, now_us)};
        name_labels(v, &c.items[i], &one);
        fold(v->aggregate, &samples, &one);
    }
    for (int32_t i = 0; v->aggregate == AGGREGATE_AVG && i < samples.count; i++) {
        samples.items[i].value /= samples.items[i].threshold;
    }
    *ret_samples = samples;
    return OK;
}

static bool compare(AlertCompare how, double a, double b)
{
    switch (how) {
    case COMPARE_GREATER:
        return a > b;
    case COMPARE_GREATER_EQUAL:
        return a >= b;
    case COMPARE_LESS:
        return a < b;
    case COMPARE_LESS_EQUAL:
        return a <= b;
    case COMPARE_EQUAL:
        return a <= b && a >= b;
    case COMPARE_NOT_EQUAL:
        return a < b || a > b;
    }
    return false;
}

/* Every label that both have is equal. */
static bool fits(const AlertSample *a, const AlertSample *b)
{
    for (int32_t i = 0; i < a->label_count; i++) {
        for (int32_t k = 0; k < b->label_count; k++) {
            if (!str_eq(a->labels[i].name, b->labels[k].name)) continue;
            if (!str_eq(a->labels[i].value, b->labels[k].value)) return false;
        }
    }
    return true;
}

static const AlertSample *partner(const AlertSamples *samples, const AlertSample *of)
{
    for (int32_t i = 0; i < samples->count; i++) {
        if (fits(of, &samples->items[i])) return &samples->items[i];
    }
    return NULL;
}

/* Values without a partner on the right side are no samples. */
static Status comparison_run(const AlertComparison *c, AlertWindows *windows, int64_t now_us,
                             Arena *arena, AlertSamples *ret_samples, Err *err)
{
    AlertSamples left, right = {0};
    TRY(vector_run(&c->left, windows, now_us, arena, &left, err));
    if (!c->constant) TRY(vector_run(&c->right, windows, now_us, arena, &right, err));
    int32_t kept = 0;
    for (int32_t i = 0; i < left.count; i++) {
        AlertSample *s = &left.items[i];
        const AlertSample *other = c->constant ? NULL : partner(&right, s);
        if (!c->constant && !other) continue;
        s->threshold = c->constant ? c->threshold : other->value;
        s->holds = compare(c->compare, s->value, s->threshold);
        left.items[kept++] = *s;
    }
    left.count = kept;
    *ret_samples = left;
    return OK;
}

static bool holds_too(const AlertSamples *samples, const AlertSample *of)
{
    for (int32_t i = 0; i < samples->count; i++) {
        if (samples->items[i].holds && fits(of, &samples->items[i])) return true;
    }
    return false;
}

Status alert_condition_run(const AlertCondition *c, AlertWindows *windows, int64_t now_us,
                           Arena *arena, AlertSamples *ret_samples, Err *err)
{
    AlertSamples all, more;
    TRY(comparison_run(&c->parts[0], windows, now_us, arena, &all, err));
    for (int32_t k = 1; k < c->part_count; k++) {
        TRY(comparison_run(&c->parts[k], windows, now_us, arena, &more, err));
        for (int32_t i = 0; i < all.count; i++) {
            all.items[i].holds = all.items[i].holds && holds_too(&more, &all.items[i]);
        }
    }
    *ret_samples = all;
    return OK;
}

bool alert_condition_is_shared(const AlertCondition *c)
{
    Str name = str_from(metrics_name(c->parts[0].left.metric));
    return str_starts(name, STR("neuron_pipeline_")) || str_starts(name, STR("neuron_quality_"));
}
