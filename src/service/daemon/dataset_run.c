/* One check of a dataset on a worker's thread: kept in the store, counted, told. */
#include "service/daemon/dataset_run.h"

#include "foundation/base/mem.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/dataset_report.h"
#include "service/watch/dataset_check.h"

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
                          .letter =
                              d->config->options.federation.url.len ? dataset_report_letter : NULL};
    if (dataset_check(&check, &report, &err) == OK) {
        dataset_report_count(report);
        alerts_wake(atomic_load(&d->beside.alerts));
        remember(d, job, report);
        tell_report(report, str_from(ticket->trigger));
    } else {
        tell_failure(d, job, &err);
    }
    if (strcmp(ticket->trigger, "federation") == 0) {
        check_note_end(&d->notes, str_from(ticket->run_id), job, report, &err);
    }
    mem_free(ticket);
}
