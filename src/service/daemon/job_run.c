/* One ticket on a worker's thread: a run of a pipeline, kept in the store, counted, told. */
#include "service/daemon/job_run.h"

#include "foundation/base/mem.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/dataset_run.h"
#include "service/daemon/run_lease.h"
#include "service/daemon/run_record.h"

static void count_rows(Str name, const RunResult *r)
{
    int64_t dropped = 0;
    for (int32_t i = 0; i < r->drop_count; i++) dropped += r->drops[i].rows;
    metrics_add(METRIC_PIPELINE_ROWS, (double)r->rows.extracted, LABELS(name, STR("extracted")));
    metrics_add(METRIC_PIPELINE_ROWS, (double)r->rows.transformed,
                LABELS(name, STR("transformed")));
    metrics_add(METRIC_PIPELINE_ROWS, (double)r->rows.loaded, LABELS(name, STR("loaded")));
    metrics_add(METRIC_PIPELINE_ROWS, (double)r->rows.rejected, LABELS(name, STR("rejected")));
    metrics_add(METRIC_PIPELINE_ROWS, (double)dropped, LABELS(name, STR("dropped")));
}

static void count_run(const Job *job, const RunResult *r, Str status)
{
    metrics_add(METRIC_PIPELINE_RUNS, 1, LABELS(job->name, status));
    metrics_observe(METRIC_PIPELINE_DURATION, (double)r->duration_ns / 1e9, LABELS(job->name));
    count_rows(job->name, r);
    double now = (double)clock_now_us() / 1e6;
    metrics_set(METRIC_PIPELINE_LAST_RUN, now, LABELS(job->name));
    if (r->status == RUN_SUCCESS) metrics_set(METRIC_PIPELINE_LAST_SUCCESS, now, LABELS(job->name));
}

static void remember(Daemon *d, Job *job, Str status, const Err *err)
{
    int64_t now_us = clock_now_us();
    bool good = str_eq(status, STR("success"));
    pthread_mutex_lock(&d->lock);
    job->last.run_us = now_us;
    str_to_array(job->last.status, sizeof job->last.status, status);
    str_to_array(job->last.error, sizeof job->last.error, good ? STR_NULL : str_from(err->message));
    job->last.kind = err->kind;
    if (good) job->last.success_us = now_us;
    if (good) job->ticks.fresh = true;
    if (good) job->last.failing_since_us = 0;
    else if (str_eq(status, STR("failed")) && !job->last.failing_since_us)
        job->last.failing_since_us = now_us;
    pthread_mutex_unlock(&d->lock);
}

static void note_failure(Daemon *d, const Ticket *ticket, const Err *why)
{
    Str kind = str_from(err_kind_name(why->kind));
    metrics_add(METRIC_PIPELINE_ATTEMPTS_FAILED, 1, LABELS(ticket->job->name));
    metrics_add(METRIC_ERRORS, 1, LABELS(STR("pipeline"), kind));
    run_record_failure(d, ticket, why);
    alerts_wake(atomic_load(&d->beside.alerts));
}

/* The run waits again, in the store too. Owns the ticket. */
static void run_again(Daemon *d, Ticket *ticket, int64_t wait_us)
{
    run_record_put(d, ticket, "queued", 0);
    ticket->not_before_ns = clock_mono_ns() + wait_us * 1000;
    ticket_push(d, ticket);
}

static Str status_text(RunStatus status)
{
    static const char *const NAMES[] = {"success", "failed", "skipped", "cancelled"};
    return str_from(NAMES[status]);
}

static void tell(const Ticket *ticket, const RunResult *r, const Err *why)
{
    const Job *job = ticket->job;
    Str id = str_from(ticket->run_id);
    run_result_log(r);
    if (r->status == RUN_SUCCESS) {
        LOG(LOG_INFO, "pipeline", "run succeeded", log_text("pipeline", job->name),
            log_text("run_id", id), log_int("extracted", r->rows.extracted),
            log_int("loaded", r->rows.loaded), log_int("rejected", r->rows.rejected),
            log_int("duration_ms", r->duration_ns / 1000000));
        return;
    }
    LOG_ERR(r->status == RUN_CANCELLED ? LOG_WARN : LOG_ERROR, "pipeline",
            r->status == RUN_CANCELLED ? "run cancelled" : "run failed", why,
            log_text("pipeline", job->name), log_text("run_id", id),
            log_int("attempt", r->attempts));
}

/* What becomes of a run that ended. Owns the ticket. */
static void settle(Daemon *d, Ticket *ticket, const PipelineConfig *pipeline, RunResult *r,
                   const Err *why)
{
    bool failed = r->status == RUN_FAILED;
    ticket->attempts++;
    r->attempts = (int32_t)ticket->attempts;
    tell(ticket, r, why);
    if (r->status == RUN_SUCCESS || failed) {
        links_note(&d->links, pipeline->from.text, pipeline->to.text, failed ? why : NULL);
    }
    if (failed) note_failure(d, ticket, why);
    /* Cut off by the end of the neuron: it is taken up again at the next start. */
    bool cut = r->status == RUN_CANCELLED && atomic_load(&d->life.draining);
    if (cut) ticket->attempts--;
    if (cut || (failed && err_is_retriable(why) && ticket->attempts < pipeline->retry.attempts)) {
        remember(d, ticket->job, status_text(r->status), why);
        run_again(d, ticket, cut ? 0 : pipeline->retry.wait_us);
        return;
    }
    count_run(ticket->job, r, status_text(r->status));
    run_record_finish(d, ticket, r, status_text(r->status));
    remember(d, ticket->job, status_text(r->status), why);
    mem_free(ticket);
}

/* Another neuron on the same state store runs the pipeline just now: a tick is skipped, what was
 * asked for waits, and so does a missed tick that is made up for. Owns the ticket. */
static void run_elsewhere(Daemon *d, Ticket *ticket)
{
    static const char *const TICKS[] = {"schedule", "start"};
    enum { WAIT_US = 1000000 };
    bool tick = false;
    for (int32_t i = 0; i < COUNT_OF(TICKS); i++) tick |= strcmp(ticket->trigger, TICKS[i]) == 0;
    if (!tick) {
        run_again(d, ticket, WAIT_US);
        return;
    }
    metrics_add(METRIC_PIPELINE_TICKS_SKIPPED, 1, LABELS(ticket->job->name, STR("overlap")));
    run_record_skip(d, ticket, STR("Another neuron runs it"));
}

static void run_pipeline(Daemon *d, Ticket *ticket)
{
    Job *job = ticket->job;
    Err err = {0};
    RunResult result;
    run_result_init(&result);
    PipelineConfig pipeline = d->config->pipelines[job->index];
    int32_t attempts = pipeline.retry.attempts;
    /* The wait between attempts is the queue's, so that no thread waits. */
    pipeline.retry.attempts = 1;
    PipelineEnv env = {.budget = &d->budget, .cancelled = &job->cancelled};
    RunOptions options = {.run_id = str_from(ticket->run_id)};
    metrics_set(METRIC_PIPELINE_RUNNING, 1, LABELS(job->name));
    run_record_put(d, ticket, "running", clock_now_us());
    IGNORE(pipeline_run(&pipeline, &options, &env, &result, &err)); /* it is in the result */
    metrics_set(METRIC_PIPELINE_RUNNING, 0, LABELS(job->name));
    pipeline.retry.attempts = attempts;
    settle(d, ticket, &pipeline, &result, &err);
    run_result_done(&result);
}

void job_run(Daemon *d, Ticket *ticket)
{
    const Job *job = ticket->job;
    if (job->kind == JOB_DATASET) {
        dataset_run(d, ticket);
    } else if (!run_lease_take(d, job)) {
        run_elsewhere(d, ticket);
    } else {
        run_pipeline(d, ticket);
        run_lease_drop(d, job);
    }
}
