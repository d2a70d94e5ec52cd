/* A report of a check: as metrics, as JSON, and as an earlier life of the neuron left it. */
#include "service/daemon/dataset_report.h"

#include "foundation/codec/json_tree.h"
#include "foundation/obs/metrics.h"

static Str severity_label(const QualityRule *rule)
{
    return rule->severity ? str_from(severity_name(rule->severity)) : STR("auto");
}

/* One series per state; the one that holds is 1. */
static void status_series(Str dataset, const QualityRule *rule, int32_t verdict)
{
    for (int32_t i = VERDICT_PASS; i <= VERDICT_ERROR; i++) {
        metrics_set(
            METRIC_QUALITY_STATUS, i == verdict,
            LABELS(dataset, rule->name, severity_label(rule), str_from(verdict_name((Verdict)i))));
    }
}

void dataset_report_count(const QualityReport *report)
{
    Str name = report->dataset;
    metrics_set(METRIC_QUALITY_SCORE, report->score, LABELS(name));
    metrics_set(METRIC_QUALITY_MIN_SCORE, report->min_score, LABELS(name));
    metrics_set(METRIC_QUALITY_LAST, (double)report->at_us / 1e6, LABELS(name));
    metrics_add(METRIC_QUALITY_ROWS, (double)report->total_records, LABELS(name));
    metrics_observe(METRIC_QUALITY_DURATION, (double)report->duration_ns / 1e9, LABELS(name));
    for (int32_t i = 0; i < report->rule_count; i++) {
        const RuleResult *r = &report->rules[i];
        status_series(name, r->rule, (int32_t)r->verdict);
        if (r->has_value) metrics_set(METRIC_QUALITY_VALUE, r->value, LABELS(name, r->rule->name));
        if (r->failed_rows > 0) {
            metrics_add(METRIC_QUALITY_FAILED_ROWS, (double)r->failed_rows,
                        LABELS(name, r->rule->name));
        }
    }
}

void dataset_report_members(const QualityReport *report, JsonWriter *w)
{
    json_key(w, "data_quality_check");
    json_write_bool(w, true);
    json_key_text(w, "dataset_name", report->dataset);
    json_key(w, "quality_score");
    json_write_double(w, report->score);
    json_key(w, "total_records");
    json_write_int64(w, report->total_records);
    json_key(w, "issues_count");
    json_write_int64(w, quality_report_issues(report));
    json_key_text(w, "status", STR("success"));
    json_key_text(w, "verdict", str_from(verdict_name(report->verdict)));
    json_key(w, "duration_seconds");
    json_write_double(w, (double)report->duration_ns / 1e9);
}

Status dataset_report_letter(const QualityReport *report, Buf *body, Err *err)
{
    JsonWriter w = json_writer_make(body, err);
    json_object_begin(&w);
    dataset_report_members(report, &w);
    json_object_end(&w);
    return json_writer_end(&w);
}

/* ---- what an earlier life found ---- */

static Status take_last(void *arg, const StateReport *report, Err *err UNUSED)
{
    Job *job = arg;
    Arena arena = arena_make(64 << 20);
    JsonValue *root = NULL;
    job->report.has = true;
    job->report.score = report->score;
    job->last.run_us = report->at_us;
    str_to_array(job->last.status, sizeof job->last.status, report->verdict);
    if (json_parse(report->report, &arena, &root, NULL) == OK) {
        (void)json_int64(json_member(root, STR("total_records")), &job->report.rows);
        (void)json_int64(json_member(root, STR("issues_count")), &job->report.issues);
    }
    arena_done(&arena);
    return OK;
}

Status dataset_report_restore(Job *job, const QualitySet *set, StateStore *store, Err *err)
{
    TRY(state_report_list(store, job->name, 0, 1, take_last, job, err));
    metrics_set(METRIC_QUALITY_MIN_SCORE, set->min_score, LABELS(job->name));
    metrics_add(METRIC_QUALITY_ROWS, 0, LABELS(job->name));
    for (int32_t i = 0; i < set->rule_count; i++) {
        metrics_add(METRIC_QUALITY_FAILED_ROWS, 0, LABELS(job->name, set->rules[i].name));
    }
    if (!job->report.has) return OK;
    metrics_set(METRIC_QUALITY_SCORE, job->report.score, LABELS(job->name));
    metrics_set(METRIC_QUALITY_LAST, (double)job->last.run_us / 1e6, LABELS(job->name));
    return OK;
}
