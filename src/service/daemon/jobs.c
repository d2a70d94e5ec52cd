/* The table of jobs: what runs, when, where, and what it waits for. */
#include "service/daemon/jobs.h"

#include "foundation/base/mem.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/dataset_report.h"

/* ---- the table ---- */

static Status job_init(Daemon *d, Job *job, JobKind kind, Str name, Str schedule, Err *err)
{
    job->kind = kind;
    job->name = name;
    job->ticks.next_us = job->ticks.missed_us = INT64_MAX;
    TRY(arena_printf(&d->config->arena, &job->tick_name, err, "%s:%.*s",
                     kind == JOB_PIPELINE ? "pipeline" : "dataset", STR_ARG(name)));
    if (schedule.len == 0) return OK;
    if (job_set_schedule(d, job, schedule, err) == OK) return OK;
    return err_prefix(err, "%.*s: ", STR_ARG(name));
}

static void pipeline_series(Str name)
{
    static const char *const STATUSES[] = {"success", "failed", "skipped", "cancelled"};
    static const char *const STAGES[] = {"extracted", "transformed", "loaded", "rejected",
                                         "dropped"};
    for (int32_t i = 0; i < COUNT_OF(STATUSES); i++) {
        metrics_add(METRIC_PIPELINE_RUNS, 0, LABELS(name, str_from(STATUSES[i])));
    }
    for (int32_t i = 0; i < COUNT_OF(STAGES); i++) {
        metrics_add(METRIC_PIPELINE_ROWS, 0, LABELS(name, str_from(STAGES[i])));
    }
    metrics_add(METRIC_PIPELINE_ATTEMPTS_FAILED, 0, LABELS(name));
    metrics_set(METRIC_PIPELINE_RUNNING, 0, LABELS(name));
}

static Status load_last_run(void *arg, const StateRun *run, Err *err UNUSED)
{
    Job *job = arg;
    if (!run->finished_us) return OK;
    if (job->last.run_us == 0) {
        job->last.run_us = run->finished_us;
        str_to_array(job->last.status, sizeof job->last.status, run->status);
    }
    if (job->last.success_us == 0 && str_eq(run->status, STR("success"))) {
        job->last.success_us = run->finished_us;
        job->ticks.fresh = true;
    }
    return OK;
}

/* ---- what they wait for ---- */

/* The pipeline loads the dataset's table. */
static bool is_loaded_by(const Daemon *d, const Job *dataset, const Job *pipeline)
{
    const QualitySet *set = &d->config->quality[dataset->index];
    const PipelineConfig *p = &d->config->pipelines[pipeline->index];
    return str_eq(p->to.text, set->from.text) && str_eq(p->table, set->table);
}

static bool is_after(const Daemon *d, const Job *job, const PipelineOptions *o, const Job *other)
{
    if (other->kind != JOB_PIPELINE) return false;
    if (job->kind == JOB_DATASET) return is_loaded_by(d, job, other);
    for (int32_t i = 0; i < o->when.after.count; i++) {
        if (str_eq(o->when.after.items[i], other->name)) return true;
    }
    return false;
}

static Status job_link(Daemon *d, Job *job, Err *err)
{
    const PipelineOptions *o =
        job->kind == JOB_PIPELINE ? d->config->options.pipelines.items[job->index] : NULL;
    if (o && o->when.after.count == 0) return OK;
    int32_t count = 0;
    for (int32_t i = 0; i < d->table.job_count; i++)
        count += is_after(d, job, o, &d->table.jobs[i]);
    if (count == 0) return OK;
    job->ticks.after = ARENA_ARRAY(&d->config->arena, Job *, count);
    if (!job->ticks.after) return err_memory(err);
    for (int32_t i = 0; i < d->table.job_count; i++) {
        if (is_after(d, job, o, &d->table.jobs[i]))
            job->ticks.after[job->ticks.after_count++] = &d->table.jobs[i];
    }
    return OK;
}

/* ---- all of them ---- */

static Status tables_new(Daemon *d, Err *err)
{
    int64_t count = d->config->pipeline_count + d->config->quality_count;
    d->table.jobs = mem_array(count + 1, (int64_t)sizeof *d->table.jobs);
    if (!d->table.jobs) return err_memory(err);
    return places_new(&d->table.places, d->config, count, err);
}

Status jobs_make(Daemon *d, Err *err)
{
    const Configuration *c = d->config;
    TRY(tables_new(d, err));
    for (int32_t i = 0; i < c->pipeline_count; i++) {
        Job *job = &d->table.jobs[d->table.job_count++];
        const PipelineOptions *o = c->options.pipelines.items[i];
        job->index = i;
        job->ticks.at_start = o->when.at_start;
        job->ticks.catch_up = (CatchUp)o->when.catch_up;
        job->ticks.overlap = (Overlap)o->when.overlap;
        TRY(job_init(d, job, JOB_PIPELINE, c->pipelines[i].name, o->when.schedule, err));
        places_add(&d->table.places, job, c, &c->pipelines[i].from);
        places_add(&d->table.places, job, c, &c->pipelines[i].to);
        pipeline_series(job->name);
        StateRunFilter filter = {.pipeline = job->name, .limit = 100, .brief = true};
        TRY(state_run_list(d->store, &filter, load_last_run, job, err));
    }
    for (int32_t i = 0; i < c->quality_count; i++) {
        const QualitySet *set = &c->quality[i];
        if (!set->from.connector) continue; /* a set for `check` steps only */
        Job *job = &d->table.jobs[d->table.job_count++];
        job->index = i;
        job->ticks.at_start = set->at_start;
        job->ticks.catch_up = CATCH_UP_LAST;
        TRY(job_init(d, job, JOB_DATASET, set->name, set->schedule, err));
        places_add(&d->table.places, job, c, &set->from);
        TRY(dataset_report_restore(job, set, d->store, err));
    }
    for (int32_t i = 0; i < d->table.job_count; i++) TRY(job_link(d, &d->table.jobs[i], err));
    return OK;
}

Job *job_find(Daemon *d, JobKind kind, Str name)
{
    for (int32_t i = 0; i < d->table.job_count; i++) {
        if (d->table.jobs[i].kind == kind && str_eq(d->table.jobs[i].name, name))
            return &d->table.jobs[i];
    }
    return NULL;
}

/* Checked first, then put in the place of the old one. `text` empty: no schedule. */
Status job_set_schedule(Daemon *d, Job *job, Str text, Err *err)
{
    Schedule schedule = {0};
    Str copy = STR_NULL;
    if (text.len) TRY(schedule_parse(text, &schedule, err));
    pthread_mutex_lock(&d->lock);
    Status status = arena_copy(&d->config->arena, text, &copy, err);
    if (status == OK) {
        schedule_done(&job->ticks.schedule);
        job->ticks.schedule = schedule;
        job->ticks.scheduled = text.len > 0;
        job->ticks.text = copy;
        job->ticks.next_us = job->ticks.scheduled
                                 ? schedule_next(&schedule, store_clock_now(&d->time.store))
                                 : INT64_MAX;
        job->ticks.missed_us = INT64_MAX;
    }
    pthread_mutex_unlock(&d->lock);
    if (status != OK) schedule_done(&schedule);
    return status;
}

const char *job_state(const Daemon *d, const Job *job)
{
    if (job->running) return "running";
    if (job->queued == 0) return job->paused ? "paused" : "idle";
    if (job->retrying > 0) return "retrying";
    for (const Ticket *t = d->queue.first; t; t = t->next) {
        if (t->job == job && t->waits_ns) return "waiting";
    }
    return "queued";
}

void jobs_clock_set(Daemon *d, int64_t step_us)
{
    int64_t now_us = clock_now_us();
    pthread_mutex_lock(&d->lock);
    d->life.started_us = clock_moment_move(d->life.started_us, step_us, now_us);
    for (int32_t i = 0; i < d->table.job_count; i++) {
        Job *job = &d->table.jobs[i];
        int64_t *moments[] = {&job->last.run_us, &job->last.success_us,
                              &job->last.failing_since_us};
        for (int32_t k = 0; k < COUNT_OF(moments); k++) {
            *moments[k] = clock_moment_move(*moments[k], step_us, now_us);
        }
    }
    pthread_mutex_unlock(&d->lock);
}

void jobs_done(Daemon *d)
{
    for (int32_t i = 0; i < d->table.job_count; i++)
        schedule_done(&d->table.jobs[i].ticks.schedule);
    places_done(&d->table.places);
    mem_free(d->table.jobs);
    d->table.jobs = NULL;
    d->table.job_count = 0;
}
