/* One check of a dataset on a worker's thread: kept in the store, counted, told. */
#include "foundation/base/mem.h"
#include "foundation/codec/json_tree.h"
#include "service/daemon/check_notes.h"
#include "service/daemon/dataset_run.h"
#include "service/watch/dataset_check.h"

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

Status dataset_restore(Daemon *d, Job *job, Err *err)
{
    const QualitySet *set = &d->config->quality[job->index];
    TRY(state_report_list(d->store, job->name, 0, 1, take_last, job, err));
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

bool dataset_is_loaded_by(const Daemon *d, const Job *dataset, const Job *pipeline)
{
    const QualitySet *set = &d->config->quality[dataset->index];
    const PipelineConfig *p = &d->config->pipelines[pipeline->index];
    return str_eq(p->to.text, set->from.text) && str_eq(p->table, set->table);
}

/* ---- a check ---- */

static void count_report(const QualityReport *report)
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

/* For the federation. */
static Status letter_write(const QualityReport *report, Buf *body, Err *err)
{
    JsonWriter w = json_writer_make(body, err);
    json_object_begin(&w);
    dataset_report_members(report, &w);
    json_object_end(&w);
    return json_writer_end(&w);
}

static void remember(Daemon *d, Job *job, const QualityReport *report)
{
    pthread_mutex_lock(&d->lock);
    job->report.has = true;
    job->report.score = report->score;
    job->report.rows = report->total_records;
    job->report.issues = quality_report_issues(report);
    job->last.run_us = report->at_us;
    job->last.success_us = report->at_us;
    job->last.failing_since_us = 0;
    job->last.error[0] = 0;
    str_to_array(job->last.status, sizeof job->last.status,
                 str_from(verdict_name(report->verdict)));
    pthread_mutex_unlock(&d->lock);
}

static void tell_report(const QualityReport *report, Str trigger)
{
    bool good = report->verdict < VERDICT_FAIL;
    LOG(good ? LOG_INFO : LOG_WARN, "quality", good ? "check passed" : "check failed",
        log_text("dataset", report->dataset), log_text("trigger", trigger),
        log_text("verdict", str_from(verdict_name(report->verdict))),
        log_int("score", (int64_t)report->score), log_int("rows", report->total_records),
        log_int("issues", quality_report_issues(report)),
        log_int("duration_ms", report->duration_ns / 1000000));
}

/* A check that did not run is no pass: it is told, counted, and degrades the neuron's health. */
static void tell_failure(Daemon *d, Job *job, const Err *why)
{
    bool cancelled = why->kind == ERR_CANCELLED;
    LOG_ERR(cancelled ? LOG_WARN : LOG_ERROR, "quality", "the check could not run", why,
            log_text("dataset", job->name));
    if (cancelled) return;
    metrics_add(METRIC_ERRORS, 1, LABELS(STR("quality"), str_from(err_kind_name(why->kind))));
    pthread_mutex_lock(&d->lock);
    if (!job->last.failing_since_us) job->last.failing_since_us = clock_now_us();
    str_to_array(job->last.error, sizeof job->last.error, str_from(why->message));
    job->last.kind = why->kind;
    str_to_array(job->last.status, sizeof job->last.status, STR("error"));
    pthread_mutex_unlock(&d->lock);
}

void dataset_run(Daemon *d, Ticket *ticket)
{
    Job *job = ticket->job;
    Err err = {0};
    CLEANUP(quality_report_free_p) QualityReport *report = NULL;
    DatasetCheck check = {.set = &d->config->quality[job->index],
                          .store = d->store,
                          .env = {.budget = &d->budget, .cancelled = &job->cancelled},
                          .letter = d->config->options.federation.url.len ? letter_write : NULL};
    if (dataset_check(&check, &report, &err) == OK) {
        count_report(report);
        alerts_wake(atomic_load(&d->alerts));
        remember(d, job, report);
        tell_report(report, str_from(ticket->trigger));
    } else {
        tell_failure(d, job, &err);
    }
    if (strcmp(ticket->trigger, "federation") == 0) {
        check_note_end(d, str_from(ticket->run_id), job, report, &err);
    }
    mem_free(ticket);
}
