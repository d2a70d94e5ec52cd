/* The outbox to the core: running totals of the UTC day and the newest reports, in order. */
#include <stdio.h>

#include "foundation/base/datetime.h"
#include "service/federate/federate_impl.h"

enum { REPORTS_KEPT = 100, REPORTS_BYTES = 30 << 10, ERROR_BYTES = 400 };
#define DAY_KEY STR("federation.day")

typedef struct Day {
    int64_t day; /* days since the epoch */
    int64_t count, good, rows;
    double seconds;
} Day;

typedef struct Fold {
    Day day;
    Buf *list; /* members of the reports' array, newest last */
    FederateLetters *letters;
} Fold;

static void copy_member(JsonWriter *w, const JsonValue *report, const char *from, const char *to)
{
    const JsonValue *value = json_member(report, str_from(from));
    if (!value) return;
    json_key(w, to);
    if (value->kind == JSON_STRING) json_write_text(w, value->text);
    else json_write_raw(w, value->text);
}

static void write_run(JsonWriter *w, const JsonValue *r)
{
    static const char *const SAME[] = {"run_id",         "records_extracted", "records_transformed",
                                       "records_loaded", "duration_seconds",  "success_rate",
                                       "status"};
    copy_member(w, r, "pipeline", "pipeline_name");
    for (int32_t i = 0; i < COUNT_OF(SAME); i++) copy_member(w, r, SAME[i], SAME[i]);
    Str what = json_member_text(json_member(r, STR("error")), STR("what"), STR_NULL);
    if (!what.len) return;
    json_key(w, "error");
    json_write_text(w, str_slice(what, 0, ERROR_BYTES));
}

static void write_check(JsonWriter *w, const JsonValue *r)
{
    static const char *const SAME[] = {"dataset_name", "quality_score", "total_records",
                                       "issues_count", "status"};
    json_key(w, "data_quality_check");
    json_write_bool(w, true);
    if (!json_member(r, STR("dataset_name"))) copy_member(w, r, "dataset", "dataset_name");
    for (int32_t i = 0; i < COUNT_OF(SAME); i++) copy_member(w, r, SAME[i], SAME[i]);
}

static bool is_alert(const StateLetter *letter)
{
    return str_eq(letter->kind, STR("alert"));
}

static void write_alert(JsonWriter *w, const JsonValue *r)
{
    static const char *const SAME[] = {"alert", "status", "severity", "text"};
    for (int32_t i = 0; i < COUNT_OF(SAME); i++) copy_member(w, r, SAME[i], SAME[i]);
}

static Status write_report(const StateLetter *letter, const JsonValue *r, Buf *list, Err *err)
{
    char id[64], at[DATETIME_TEXT_MAX];
    int64_t len =
        snprintf(id, sizeof id, "%lld-%lld", (long long)letter->at_us, (long long)letter->id);
    if (list->len) TRY(buf_append_char(list, ',', err));
    JsonWriter w = json_writer_make(list, err);
    json_object_begin(&w);
    json_key(&w, "report_id");
    json_write_text(&w, str_make(id, len));
    json_key(&w, "at");
    json_write_text(&w, str_make(at, datetime_format_timestamp(letter->at_us, 'T', true, at)));
    if (str_eq(letter->kind, STR("pipeline_run"))) write_run(&w, r);
    else if (is_alert(letter)) write_alert(&w, r);
    else write_check(&w, r);
    json_object_end(&w);
    return json_writer_end(&w);
}

static void count_report(Day *day, const StateLetter *letter, const JsonValue *r)
{
    int64_t rows = 0;
    double seconds = 0;
    Str status = json_member_text(r, STR("status"), STR("success"));
    if (letter->at_us / DATETIME_DAY_US != day->day) return; /* late: listed, but not today's */
    if (!json_int64(json_member(r, STR("records_extracted")), &rows)) {
        (void)json_int64(json_member(r, STR("total_records")), &rows);
    }
    (void)json_double(json_member(r, STR("duration_seconds")), &seconds);
    day->count++;
    day->good += !str_eq(status, STR("failed")) && !str_eq(status, STR("cancelled"));
    day->rows += rows;
    day->seconds += seconds;
}

static Status fold_letter(void *arg, const StateLetter *letter, Err *err)
{
    Fold *fold = arg;
    Arena arena = arena_make(16 << 20);
    JsonValue *report = NULL;
    fold->letters->ids[fold->letters->count++] = letter->id;
    Status status = OK;
    if (json_parse(letter->body, &arena, &report, NULL) == OK) {
        if (!is_alert(letter)) count_report(&fold->day, letter, report);
        status = write_report(letter, report, fold->list, err);
    }
    arena_done(&arena);
    return status;
}

/* What was delivered last: the totals when they are today's, and the reports. */
static Status load_day(Federate *f, Fold *fold, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(FEDERATE_JSON_MAX);
    Arena arena = arena_make(16 << 20);
    JsonValue *root = NULL;
    fold->day.day = clock_now_us() / DATETIME_DAY_US;
    Status status = state_value_get(f->o.store, DAY_KEY, &text, err);
    if (status == OK && text.len && json_parse(buf_str(&text), &arena, &root, NULL) == OK) {
        Day old = {0};
        (void)json_int64(json_member(root, STR("day")), &old.day);
        (void)json_int64(json_member(root, STR("count")), &old.count);
        (void)json_int64(json_member(root, STR("good")), &old.good);
        (void)json_int64(json_member(root, STR("rows")), &old.rows);
        (void)json_double(json_member(root, STR("seconds")), &old.seconds);
        const JsonValue *list = json_member(root, STR("reports"));
        bool today = old.day == fold->day.day;
        if (today) fold->day = old;
        int64_t skip = today && list ? int64_max(list->count - REPORTS_KEPT, 0) : INT64_MAX;
        /* The oldest go first when they are too many bytes. */
        int64_t spare = list ? list->text.len - REPORTS_BYTES : 0;
        for (const JsonValue *at = list ? list->first : NULL; at && status == OK; at = at->next) {
            spare -= at->text.len;
            if (skip-- > 0 || spare + at->text.len > 0) continue;
            if (fold->list->len) status = buf_append_char(fold->list, ',', err);
            if (status == OK) status = buf_append(fold->list, at->text, err);
        }
    }
    arena_done(&arena);
    return status;
}

Status federate_reports(Federate *f, Buf *out, FederateLetters *ret_letters, Err *err)
{
    CLEANUP(buf_done) Buf list = buf_make(FEDERATE_JSON_MAX);
    Fold fold = {.list = &list, .letters = ret_letters};
    ret_letters->count = 0;
    TRY(load_day(f, &fold, err));
    TRY(state_outbox_peek(f->o.store, FEDERATE_LETTERS, fold_letter, &fold, err));
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    const struct {
        const char *key;
        int64_t value;
    } NUMBERS[] = {{"day", fold.day.day},
                   {"count", fold.day.count},
                   {"good", fold.day.good},
                   {"rows", fold.day.rows}};
    for (int32_t i = 0; i < COUNT_OF(NUMBERS); i++) {
        json_key(&w, NUMBERS[i].key);
        json_write_int64(&w, NUMBERS[i].value);
    }
    json_key(&w, "seconds");
    json_write_double(&w, fold.day.seconds);
    json_key(&w, "reports");
    json_array_begin(&w);
    if (list.len) json_write_raw(&w, buf_str(&list));
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

/* The day's totals and what is in them change at one moment, so that no report is counted twice. */
void federate_reports_done(Federate *f, const Buf *day, const FederateLetters *letters)
{
    Err err = {0};
    if (state_outbox_done(f->o.store, letters->ids, letters->count, DAY_KEY, buf_str(day), &err) !=
        OK) {
        LOG_ERR(LOG_ERROR, "federation", "the outbox can't be emptied", &err);
    }
}

/* ---- analytics ---- */

static void write_clamped(JsonWriter *w, const char *key, double value)
{
    json_key(w, key);
    json_write_int64(w, value > INT32_MAX ? INT32_MAX : value < 0 ? 0 : (int64_t)value);
}

static Status analytics_body(const Federate *f, const Buf *day, Buf *out, Err *err)
{
    Arena arena = arena_make(16 << 20);
    JsonValue *root = NULL;
    int64_t count = 0, good = 0, rows = 0;
    double seconds = 0;
    Status status = json_parse(buf_str(day), &arena, &root, err);
    if (status == OK) {
        (void)json_int64(json_member(root, STR("count")), &count);
        (void)json_int64(json_member(root, STR("good")), &good);
        (void)json_int64(json_member(root, STR("rows")), &rows);
        (void)json_double(json_member(root, STR("seconds")), &seconds);
        JsonWriter w = json_writer_make(out, err);
        json_object_begin(&w);
        write_clamped(&w, "requestCount", (double)count);
        write_clamped(&w, "successfulRequests", (double)good);
        write_clamped(&w, "failedRequests", (double)(count - good));
        write_clamped(&w, "averageResponseTime", count ? seconds * 1000 / (double)count : 0);
        write_clamped(&w, "totalDataProcessed", (double)rows);
        write_clamped(&w, "errorRate", count ? 100.0 * (double)(count - good) / (double)count : 0);
        write_clamped(&w, "uptime", (double)((clock_mono_ns() - f->started_ns) / FEDERATE_S_NS));
        json_key(&w, "customMetrics");
        json_write_raw(&w, buf_str(day));
        json_object_end(&w);
        status = json_writer_end(&w);
    }
    arena_done(&arena);
    return status;
}

/* While the core can't take analytics the heartbeat carries them; it is asked again each hour. */
void federate_analytics(Federate *f)
{
    Err err = {0};
    FederateLetters letters;
    int64_t now_ns = clock_mono_ns();
    if (f->no_analytics && now_ns < f->analytics_ns) return;
    CLEANUP(buf_done) Buf day = buf_make(FEDERATE_JSON_MAX);
    CLEANUP(buf_done) Buf body = buf_make(FEDERATE_BODY_MAX);
    Status status = federate_reports(f, &day, &letters, &err);
    if (status == OK && letters.count == 0) return;
    if (status == OK) status = analytics_body(f, &day, &body, &err);
    if (status != OK) {
        LOG_ERR(LOG_ERROR, "federation", "reports can't be sent", &err);
        return;
    }
    Arena arena = arena_make(16 << 20);
    Call call = {.operation = "analytics",
                 .method = "POST",
                 .path = STR("/api/api-neurons/analytics/report"),
                 .body = buf_str(&body),
                 .status = 200,
                 .needed = "id",
                 .kind = JSON_NUMBER};
    Outcome outcome = federate_call(f, &call, &arena, NULL);
    arena_done(&arena);
    if (outcome == CALL_OK) {
        f->no_analytics = false;
        federate_reports_done(f, &day, &letters);
    } else if (outcome == CALL_REFUSED || outcome == CALL_STRANGE || outcome == CALL_GONE) {
        if (!f->no_analytics) {
            LOG(LOG_WARN, "federation", "it takes no analytics; the heartbeat carries them");
        }
        f->no_analytics = true;
        f->analytics_ns = now_ns + 3600 * FEDERATE_S_NS;
        f->beat_ns = int64_min(f->beat_ns, now_ns);
    }
}
