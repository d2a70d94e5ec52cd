/* Scores of datasets over time, and whether they rise or fall. */
#include "foundation/base/clock.h"
#include "foundation/base/datetime.h"
#include "foundation/codec/json_writer.h"
#include "service/watch/dataset_check.h"
#include "work/quality/quality_trend.h"

enum { NAMES_MAX = 1000 };

typedef struct Scores {
    Arena arena;
    TrendPoint *points;
    Str *verdicts;
    int64_t count, capacity;
    Str names[NAMES_MAX]; /* by series */
    int32_t name_count;
    double sum;
} Scores;

static Status series_of(Scores *s, Str dataset, int32_t *ret_series, Err *err)
{
    *ret_series = 0;
    while (*ret_series < s->name_count && !str_eq(s->names[*ret_series], dataset)) *ret_series += 1;
    if (*ret_series < s->name_count) return OK;
    if (s->name_count == NAMES_MAX) return err_set(err, ERR_LIMIT, "too many datasets");
    TRY(arena_copy(&s->arena, dataset, &s->names[s->name_count], err));
    s->name_count++;
    return OK;
}

static Status take_score(void *arg, const StateReport *report, Err *err)
{
    Scores *s = arg;
    if (s->count == s->capacity) return OK;
    TrendPoint *point = &s->points[s->count];
    TRY(series_of(s, report->dataset, &point->series, err));
    TRY(arena_copy(&s->arena, report->verdict, &s->verdicts[s->count], err));
    point->at_us = report->at_us;
    point->value = report->score;
    s->sum += report->score;
    s->count++;
    return OK;
}

static void write_points(JsonWriter *w, const Scores *s)
{
    json_key(w, "points");
    json_array_begin(w);
    for (int64_t i = s->count - 1; i >= 0; i--) {
        char at[DATETIME_TEXT_MAX];
        json_object_begin(w);
        json_key(w, "dataset_name");
        json_write_text(w, s->names[s->points[i].series]);
        json_key(w, "timestamp");
        json_write_text(w,
                        str_make(at, datetime_format_timestamp(s->points[i].at_us, 'T', true, at)));
        json_key(w, "quality_score");
        json_write_double(w, s->points[i].value);
        json_key(w, "verdict");
        json_write_text(w, s->verdicts[i]);
        json_object_end(w);
    }
    json_array_end(w);
}

static Status write_trends(const Scores *s, Str dataset, int64_t days, Buf *out, Err *err)
{
    Trend trend = {0};
    TRY(trend_find(s->points, s->count, &trend, err));
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "days");
    json_write_int64(&w, days);
    json_key(&w, "dataset_name");
    json_write_text_or_null(&w, dataset.len ? dataset : STR_NULL);
    json_key(&w, "average_quality_score");
    if (s->count) json_write_double(&w, s->sum / (double)s->count);
    else json_write_null(&w);
    json_key(&w, "quality_trend");
    json_write_text_or_null(&w, s->count ? str_from(trend_name(trend.kind)) : STR_NULL);
    json_key(&w, "slope_per_day");
    if (s->count) json_write_double(&w, trend.slope);
    else json_write_null(&w);
    json_key(&w, "total_reports");
    json_write_int64(&w, s->count);
    json_key(&w, "datasets_monitored");
    json_write_int64(&w, s->name_count);
    write_points(&w, s);
    json_object_end(&w);
    return json_writer_end(&w);
}

Status dataset_trends(StateStore *store, Str dataset, int64_t days, Buf *out, Err *err)
{
    Scores s = {.arena = arena_make(64 << 20), .capacity = TREND_POINTS_MAX};
    s.points = ARENA_ARRAY(&s.arena, TrendPoint, s.capacity);
    s.verdicts = ARENA_ARRAY(&s.arena, Str, s.capacity);
    Status status = s.points && s.verdicts ? OK : err_memory(err);
    int64_t since_us = clock_now_us() - days * DATETIME_DAY_US;
    if (status == OK) {
        status = state_report_list(store, dataset, since_us, s.capacity, take_score, &s, err);
    }
    if (status == OK) status = write_trends(&s, dataset, days, out, err);
    arena_done(&s.arena);
    return status;
}
