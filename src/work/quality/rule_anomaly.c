/* Judges a value by those of earlier reports: median and absolute deviations, by season. */
#include <math.h>
#include <stdlib.h>

#include "foundation/base/datetime.h"
#include "work/quality/quality_check_impl.h"

enum { PAST_MAX = 400, PAST_LEAST = 7 };
/* Makes the median of absolute deviations comparable with a standard deviation. */
#define DEVIATION_FACTOR 1.4826

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static bool same_season(Season season, int64_t a_us, int64_t b_us)
{
    int64_t a = a_us / 3600000000, b = b_us / 3600000000;
    if (season == SEASON_HOUR_OF_DAY) return a % 24 == b % 24;
    if (season == SEASON_DAY_OF_WEEK) return a / 24 % 7 == b / 24 % 7;
    return true;
}

/* What a metric is decides how far it moves without a reason (docs/quality.md says so to users). */
typedef struct Bounds {
    double least_width;
    double low, high; /* no value is ever outside */
} Bounds;

static double spread(const Moments *m)
{
    return m->count > 1 ? sqrt(m->squares / (double)(m->count - 1)) : 0;
}

static Bounds bounds_of(const RuleState *state, double middle)
{
    RuleKind kind = state->rule->kind;
    const Moments *m = &state->moments;
    if (rule_is_share(kind)) return (Bounds){1, 0, 100};
    if (kind == RULE_FRESHNESS) return (Bounds){fmax(60, 0.1 * middle), 0, (double)INFINITY};
    if (kind == RULE_ROW_COUNT || rule_counts_rows(kind)) {
        /* Counts vary by their root at least. A dataset that had rows is never expected empty. */
        double low = kind == RULE_ROW_COUNT && middle > 0 ? 1 : 0;
        return (Bounds){3 * sqrt(fmax(middle, 1)), low, (double)INFINITY};
    }
    if (kind == RULE_SCHEMA) return (Bounds){0, 0, (double)INFINITY};
    double width = 0.01 * fmax(fabs(middle), spread(m));
    /* A mean moves by its standard error. */
    bool mean = kind == RULE_MEAN || kind == RULE_MEAN_LENGTH;
    if (mean && m->count) width = fmax(width, 3 * spread(m) / sqrt((double)m->count));
    bool positive = kind == RULE_DEVIATION || kind >= RULE_MIN_LENGTH;
    return (Bounds){width, positive ? 0 : -(double)INFINITY, (double)INFINITY};
}

Status anomaly_judge(QualityCheck *check, const RuleState *state, RuleResult *r, Arena *arena,
                     Err *err)
{
    const Anomaly *a = &state->rule->anomaly;
    const CheckHistory *history = &check->o.history;
    PastValue past[PAST_MAX];
    double values[PAST_MAX], gaps[PAST_MAX];
    int64_t count = 0, all = 0;
    if (history->values) all = history->values(history->arg, state->rule->name, past, PAST_MAX);
    for (int64_t i = 0; i < all; i++) {
        if (same_season(a->season, past[i].at_us, check->o.now_us)) values[count++] = past[i].value;
    }
    r->severity = SEVERITY_AUTO;
    if (count < PAST_LEAST) {
        r->verdict = VERDICT_LEARNING;
        return arena_printf(arena, &r->error, err, "%lld of %d earlier reports", (long long)count,
                            PAST_LEAST);
    }
    double middle = median(values, count);
    for (int64_t i = 0; i < count; i++) gaps[i] = fabs(values[i] - middle);
    Bounds bounds = bounds_of(state, middle);
    double width = a->sensitivity * DEVIATION_FACTOR * median(gaps, count);
    width = fmax(fmax(width, bounds.least_width), a->ignore_below * fabs(middle));
    double low = fmax(middle - width, bounds.low), high = fmin(middle + width, bounds.high);
    bool inside = r->value >= low && r->value <= high;
    /* Data that is newer than usual is no fault. */
    if (r->rule->kind == RULE_FRESHNESS) inside = r->value <= high;
    r->verdict = inside ? VERDICT_PASS : VERDICT_FAIL;
    r->has_limit = true;
    r->must = true;
    r->limit = middle;
    if (!inside) r->severity = state->rule->severity ? state->rule->severity : SEVERITY_MEDIUM;
    TRY(arena_printf(arena, &r->threshold, err, "%.6g to %.6g", low, high));
    Str note = r->error;
    return arena_printf(arena, &r->error, err, "%.*s%sby %lld earlier reports", STR_ARG(note),
                        note.len ? "; " : "", (long long)count);
}
