/* Whether values rise or fall over time: Mann-Kendall's test and Theil and Sen's slope. */
#include "work/quality/quality_trend.h"

#include <math.h>
#include <stdlib.h>

#include "foundation/base/mem.h"

#define DAY_US 86400e6
/* The two-sided 95 % quantile of the normal distribution. */
#define Z_95 1.959963984540054

const char *trend_name(TrendKind kind)
{
    static const char *const NAMES[] = {"stable", "improving", "declining"};
    return NAMES[kind];
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_series_and_value(const void *a, const void *b)
{
    const TrendPoint *x = a, *y = b;
    if (x->series != y->series) return x->series < y->series ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

/* Variance of Kendall's S of one series under no trend; the values are sorted. */
static double variance(const TrendPoint *points, int64_t count)
{
    double n = (double)count, sum = n * (n - 1) * (2 * n + 5);
    for (int64_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && points[end].value == points[i].value; end++) continue;
        double t = (double)(end - i);
        sum -= t * (t - 1) * (2 * t + 5);
    }
    return sum / 18;
}

static double variance_of_all(TrendPoint *points, int64_t count)
{
    double sum = 0;
    qsort(points, (size_t)count, sizeof *points, by_series_and_value);
    for (int64_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && points[end].series == points[i].series; end++) continue;
        sum += variance(points + i, end - i);
    }
    return sum;
}

Status trend_find(const TrendPoint *points, int64_t count, Trend *ret_trend, Err *err)
{
    if (count > TREND_POINTS_MAX) {
        points += count - TREND_POINTS_MAX;
        count = TREND_POINTS_MAX;
    }
    double *slopes = mem_array(count * (count - 1) / 2 + 1, (int64_t)sizeof *slopes);
    TrendPoint *sorted = mem_array(count + 1, (int64_t)sizeof *sorted);
    if (!slopes || !sorted) {
        mem_free(slopes);
        mem_free(sorted);
        return err_memory(err);
    }
    int64_t pairs = 0, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sorted[i] = points[i];
        for (int64_t j = i + 1; j < count; j++) {
            int64_t us = points[j].at_us - points[i].at_us;
            if (points[i].series != points[j].series || us == 0) continue;
            double rise = points[j].value - points[i].value;
            slopes[pairs++] = rise / ((double)us / DAY_US);
            if (rise != 0) sum += (rise > 0) == (us > 0) ? 1 : -1;
        }
    }
    Trend trend = {0};
    double all = variance_of_all(sorted, count);
    if (pairs) {
        qsort(slopes, (size_t)pairs, sizeof *slopes, by_value);
        trend.slope =
            pairs % 2 ? slopes[pairs / 2] : (slopes[pairs / 2 - 1] + slopes[pairs / 2]) / 2;
        trend.slope += 0.0; /* no -0 */
    }
    if (all > 0 && sum != 0) trend.z = ((double)sum - (sum > 0 ? 1 : -1)) / sqrt(all);
    if (trend.z > Z_95) trend.kind = TREND_IMPROVING;
    if (trend.z < -Z_95) trend.kind = TREND_DECLINING;
    mem_free(slopes);
    mem_free(sorted);
    *ret_trend = trend;
    return OK;
}
