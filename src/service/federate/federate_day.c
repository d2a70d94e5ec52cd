/* Totals of a day, and the durations of its requests by classes. */
#include "service/federate/federate_day.h"

#include <math.h>

#include "foundation/base/datetime.h"
#include "service/federate/federate_body.h"

#define CLASSES_OF_A_DOUBLING 3.0

static int32_t bucket_of(double ms)
{
    if (!(ms > 1)) return 0;
    double at = ceil(log2(ms) * CLASSES_OF_A_DOUBLING);
    return (int32_t)fmin(at, DAY_BUCKETS - 1);
}

void day_count(Day *day, int64_t times, int64_t good, double seconds_each)
{
    if (times <= 0) return;
    seconds_each = isfinite(seconds_each) ? fmax(seconds_each, 0) : 0;
    day->count += times;
    day->good += int64_min(int64_max(good, 0), times);
    day->seconds += seconds_each * (double)times;
    day->buckets[bucket_of(seconds_each * 1000)] += times;
}

void day_up(Day *day, int64_t from_us, int64_t to_us)
{
    int64_t begin_us = day->day * DATETIME_DAY_US, end_us = begin_us + DATETIME_DAY_US;
    int64_t more = int64_min(to_us, end_us) - int64_max(from_us, begin_us);
    if (more > 0) day->up_us = int64_min(day->up_us + more, DATETIME_DAY_US);
}

void day_sample(Day *day, double cpu, double memory, double disk)
{
    day->cpu += cpu;
    day->memory += memory;
    day->disk += disk;
    day->samples++;
}

double day_quantile_ms(const Day *day, double q)
{
    int64_t wanted = (int64_t)ceil(q * (double)day->count), seen = 0;
    if (day->count == 0) return 0;
    for (int32_t i = 0; i < DAY_BUCKETS; i++) {
        seen += day->buckets[i];
        if (seen < wanted) continue;
        /* The middle of the class; the first one holds everything up to 1 ms. */
        return i ? exp2((i - 0.5) / CLASSES_OF_A_DOUBLING) : fmin(day_mean_ms(day), 1);
    }
    return 0;
}

double day_mean_ms(const Day *day)
{
    return day->count ? day->seconds * 1000 / (double)day->count : 0;
}

double day_error_rate(const Day *day)
{
    return day->count ? 100.0 * (double)(day->count - day->good) / (double)day->count : 0;
}

double day_mean_sample(const Day *day, double sum)
{
    return day->samples ? sum / (double)day->samples : 0;
}

/* ---- kept ---- */

typedef struct Field {
    const char *key;
    int64_t offset;
} Field;

#define FIELD(name, member)                                                                        \
    {                                                                                              \
        name, (int64_t)offsetof(Day, member)                                                       \
    }
static const Field WHOLE[] = {
    FIELD("day", day),     FIELD("count", count),     FIELD("good", good),      FIELD("rows", rows),
    FIELD("up_us", up_us), FIELD("samples", samples), FIELD("dropped", dropped)};
static const Field REAL[] = {FIELD("seconds", seconds), FIELD("cpu", cpu), FIELD("memory", memory),
                             FIELD("disk", disk)};

void day_write(const Day *day, JsonWriter *w)
{
    for (int32_t i = 0; i < COUNT_OF(WHOLE); i++) {
        int64_t value = 0;
        memcpy(&value, (const char *)day + WHOLE[i].offset, sizeof value);
        json_key_int64(w, WHOLE[i].key, value);
    }
    for (int32_t i = 0; i < COUNT_OF(REAL); i++) {
        double value = 0;
        memcpy(&value, (const char *)day + REAL[i].offset, sizeof value);
        body_double(w, REAL[i].key, value);
    }
    json_key(w, "buckets");
    json_array_begin(w);
    for (int32_t i = 0; i < DAY_BUCKETS; i++) json_write_int64(w, day->buckets[i]);
    json_array_end(w);
}

void day_read(Day *day, const JsonValue *root)
{
    *day = (Day){0};
    for (int32_t i = 0; i < COUNT_OF(WHOLE); i++) {
        int64_t value = 0;
        (void)json_int64(json_member(root, str_from(WHOLE[i].key)), &value);
        memcpy((char *)day + WHOLE[i].offset, &value, sizeof value);
    }
    for (int32_t i = 0; i < COUNT_OF(REAL); i++) {
        double value = 0;
        (void)json_double(json_member(root, str_from(REAL[i].key)), &value);
        memcpy((char *)day + REAL[i].offset, &value, sizeof value);
    }
    const JsonValue *list = json_member(root, STR("buckets"));
    const JsonValue *at = list && list->kind == JSON_ARRAY ? list->first : NULL;
    for (int32_t i = 0; at && i < DAY_BUCKETS; at = at->next) {
        (void)json_int64(at, &day->buckets[i++]);
    }
}

void day_show(const Day *day, JsonWriter *w)
{
    char date[DATETIME_TEXT_MAX];
    int64_t len = datetime_format_date((int32_t)day->day, date);
    body_text(w, "date", str_make(date, len), DATETIME_TEXT_MAX);
    json_key_int64(w, "count", day->count);
    json_key_int64(w, "good", day->good);
    json_key_int64(w, "rows", day->rows);
    body_double(w, "seconds", day->seconds);
    json_key_int64(w, "reports_dropped", day->dropped);
}
