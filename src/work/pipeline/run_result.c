/* The result object of a run, as JSON. */
#include <math.h>

#include "foundation/codec/json_writer.h"
#include "foundation/obs/log.h"
#include "work/pipeline/pipeline.h"

void run_result_init(RunResult *result)
{
    *result = (RunResult){
        .watermark = buf_make(1 << 20), .warnings = buf_make(1 << 20), .checks = buf_make(1 << 26)};
}

void run_result_done(RunResult *result)
{
    buf_done(&result->watermark);
    buf_done(&result->warnings);
    buf_done(&result->checks);
}

void run_result_log(const RunResult *result)
{
    Str lines = buf_str(&result->warnings), line = STR_NULL;
    while (lines.len && str_next_part(&lines, '\n', &line)) {
        LOG(LOG_WARN, "pipeline", "a run warns", log_text("pipeline", str_from(result->pipeline)),
            log_text("warning", line));
    }
}

static const char *status_name(RunStatus status)
{
    static const char *const NAMES[] = {"success", "failed", "skipped", "cancelled"};
    return NAMES[status];
}

static void write_seconds(JsonWriter *w, const char *key, int64_t ns)
{
    json_key(w, key);
    json_write_double(w, (double)(ns / 1000) / 1e6);
}

/* Shares of what was extracted, 100 when nothing was; to four digits after the point. */
static double percent(int64_t part, int64_t whole)
{
    return whole == 0 ? 100 : round((double)part / (double)whole * 1e6) / 1e4;
}

static void write_counts(JsonWriter *w, const RunResult *r)
{
    json_key_int64(w, "records_extracted", r->rows.extracted);
    json_key_int64(w, "records_transformed", r->rows.transformed);
    json_key(w, "records_dropped");
    json_object_begin(w);
    for (int32_t i = 0; i < r->drop_count; i++)
        json_key_int64(w, r->drops[i].step, r->drops[i].rows);
    json_object_end(w);
    json_key_int64(w, "records_rejected", r->rows.rejected);
    json_key_int64(w, "records_loaded", r->rows.loaded);
    json_key_int64(w, "inserted", r->rows.inserted);
    json_key_int64(w, "updated", r->rows.updated);
    json_key_int64(w, "unchanged", r->rows.unchanged);
    if (r->rows.deleted) json_key_int64(w, "deleted", r->rows.deleted);
    json_key_int64(w, "records_processed", r->rows.loaded);
}

static void write_warnings(JsonWriter *w, const RunResult *r)
{
    Str lines = buf_str(&r->warnings), line = STR_NULL;
    json_key(w, "warnings");
    json_array_begin(w);
    while (lines.len && str_next_part(&lines, '\n', &line)) json_write_text(w, line);
    json_array_end(w);
}

static void write_error(JsonWriter *w, const RunResult *r)
{
    json_key(w, "error");
    if (r->status == RUN_SUCCESS) {
        json_write_null(w);
        return;
    }
    json_object_begin(w);
    json_key(w, "kind");
    json_write_text(w, str_from(err_kind_name(r->error.kind)));
    json_key(w, "what");
    json_write_text(w, str_from(r->error.message));
    json_key(w, "where");
    json_write_text_or_null(w, str_from(r->error.where[0] ? r->error.where : NULL));
    json_key(w, "sqlstate");
    json_write_text_or_null(w, str_from(r->error.sqlstate[0] ? r->error.sqlstate : NULL));
    json_key(w, "hint");
    json_write_text_or_null(w, str_from(r->error.hint[0] ? r->error.hint : NULL));
    json_object_end(w);
}

static void write_times(JsonWriter *w, const RunResult *r)
{
    write_seconds(w, "duration_seconds", r->duration_ns);
    json_key(w, "phases");
    json_object_begin(w);
    write_seconds(w, "read", r->read_ns);
    write_seconds(w, "steps", r->steps_ns);
    write_seconds(w, "stage", r->stage_ns);
    write_seconds(w, "publish", r->publish_ns);
    json_object_end(w);
}

Status run_result_json(const RunResult *r, bool indent UNUSED, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "pipeline");
    json_write_text_or_null(&w, str_from(r->pipeline[0] ? r->pipeline : NULL));
    json_key(&w, "run_id");
    json_write_text(&w, str_from(r->run_id));
    json_key(&w, "status");
    json_write_text(&w, str_from(status_name(r->status)));
    json_key(&w, "message");
    json_write_text(&w, str_from(r->message));
    write_counts(&w, r);
    write_times(&w, r);
    json_key(&w, "quality_score");
    json_write_double(&w, percent(r->rows.loaded, r->rows.extracted));
    json_key(&w, "success_rate");
    json_write_double(&w, percent(r->rows.loaded, r->rows.extracted));
    json_key(&w, "watermark");
    Str watermark = buf_str(&r->watermark);
    json_write_text_or_null(&w, watermark.len ? watermark : STR_NULL);
    json_key_int64(&w, "bytes", r->bytes);
    json_key(&w, "rows_per_second");
    double seconds = (double)r->duration_ns / 1e9;
    json_write_double(&w, seconds > 0 ? round((double)r->rows.extracted / seconds) : 0);
    json_key_int64(&w, "attempts", r->attempts);
    json_key(&w, "checks");
    json_array_begin(&w);
    if (r->checks.len) json_write_raw(&w, buf_str(&r->checks));
    json_array_end(&w);
    write_warnings(&w, r);
    write_error(&w, r);
    json_object_end(&w);
    return json_writer_end(&w);
}
