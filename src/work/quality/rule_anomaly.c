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
    double width = a->sensitivity * DEVIATION_FACTOR * median(gaps, count);
    /* Counts vary by their root at least; shares and the rest by what is too small to matter. */
    if (r->rule->kind == RULE_ROW_COUNT || r->failed_rows >= 0) {
        width = fmax(width, 3 * sqrt(fabs(middle)));
    }
    width = fmax(width, a->ignore_below * fabs(middle));
    bool inside = fabs(r->value - middle) <= width;
    r->verdict = inside ? VERDICT_PASS : VERDICT_FAIL;
    r->has_limit = true;
    r->must = true;
    r->limit = middle;
    if (!inside) r->severity = state->rule->severity ? state->rule->severity : SEVERITY_MEDIUM;
    double low = middle - width;
    if (r->rule->kind == RULE_ROW_COUNT || r->failed_rows >= 0) low = fmax(low, 0);
    TRY(arena_printf(arena, &r->threshold, err, "%.6g to %.6g", low, middle + width));
    return arena_printf(arena, &r->error, err, "by %lld earlier reports", (long long)count);
}
