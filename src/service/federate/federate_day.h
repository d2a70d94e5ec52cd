/* What a neuron did on one UTC day: running totals that only grow, as the core wants them. */
#ifndef NEURON_FEDERATE_DAY_H
#define NEURON_FEDERATE_DAY_H

#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"

enum { DAY_BUCKETS = 72 };

/* Requests are runs, checks and messages of streams. */
typedef struct Day {
    int64_t day;                  /* since 1970-01-01 */
    int64_t count, good;          /* requests */
    int64_t rows;                 /* extracted or checked, and messages */
    double seconds;               /* that requests took, in all */
    int64_t buckets[DAY_BUCKETS]; /* requests by duration: bounds grow by 2^(1/3) from 1 ms */
    int64_t up_us;                /* in which the neuron was up */
    double cpu, memory, disk;     /* sums of samples, in percent */
    int64_t samples;
    int64_t dropped; /* reports that never reached the core: the outbox was full */
} Day;

/* `times` requests that took so long each. */
void day_count(Day *day, int64_t times, int64_t good, double seconds_each);
/* The neuron was up from one moment to the other (µs since the epoch); what lies before the day
 * does not count. */
void day_up(Day *day, int64_t from_us, int64_t to_us);
void day_sample(Day *day, double cpu, double memory, double disk);
/* Milliseconds that the share `q` of requests did not exceed, at most 13 % off; 0: none. */
double day_quantile_ms(const Day *day, double q);
double day_mean_ms(const Day *day);
/* Percent of the requests that failed. */
double day_error_rate(const Day *day);
double day_mean_sample(const Day *day, double sum);

/* Members of an open object, and back: what is missing is 0. */
void day_write(const Day *day, JsonWriter *w);
void day_read(Day *day, const JsonValue *root);
/* The part that people and the core read: date, count, good, rows, seconds, reports_dropped. */
void day_show(const Day *day, JsonWriter *w);

#endif
