/* Whether values rise or fall over time: Mann-Kendall's test and Theil and Sen's slope. */
#ifndef NEURON_QUALITY_TREND_H
#define NEURON_QUALITY_TREND_H

#include "foundation/base/err.h"

typedef struct TrendPoint {
    int32_t series; /* only points of one series are compared with each other */
    int64_t at_us;
    double value;
} TrendPoint;

typedef enum TrendKind { TREND_STABLE, TREND_IMPROVING, TREND_DECLINING } TrendKind;

typedef struct Trend {
    TrendKind kind; /* by a two-sided test at 95 % */
    double slope;   /* per day: the median of all pairs' slopes; 0 without pairs */
    double z;       /* Mann-Kendall's, summed over the series; ties are corrected for */
} Trend;

enum { TREND_POINTS_MAX = 2000 };
/* Points in any order; of more than TREND_POINTS_MAX the last ones count. Points of one moment are
 * no pair. FAIL only when memory runs out. */
MUST_USE Status trend_find(const TrendPoint *points, int64_t count, Trend *ret_trend, Err *err);
const char *trend_name(TrendKind kind);

#endif
