/* What Control tells of pipelines and runs, and how runs are started and cancelled. */
#include "foundation/base/mem.h"
#include "service/daemon/control_calls.h"
#include "service/daemon/daemon_state.h"

static Status no_pipeline(Daemon *d, Str name, Err *err)
{
    const PipelineConfig *found = NULL;
    if (configuration_pipeline(d->config, name, &found, err) == OK) {
        return err_set(err, ERR_NOT_FOUND, "the pipeline %.*s does not run here", STR_ARG(name));
    }
    if (err) err->kind = ERR_NOT_FOUND;
    return FAIL;
}

/* Under the lock. */
static void write_pipeline(Daemon *d, const Job *job, JsonWriter *w)
{
    static const char *const MODES[] = {"append", "upsert", "replace", "mirror"};
    const PipelineConfig *p = &d->config->pipelines[job->index];
    json_object_begin(w);
    json_key_text_or_null(w, "name", job->name);
    json_key_text_or_null(w, "schedule", job->ticks.text);
    json_key_time(w, "next_run", job->ticks.next_us);
    json_key_bool(w, "paused", job->paused);
    json_key_text_or_null(w, "state", str_from(job_state(d, job)));
    json_key_bool(w, "running", job->running);
    json_key_text_or_null(w, "run_id", job->running ? str_from(job->run_id) : STR_NULL);
    json_key(w, "queued");
    json_write_int64(w, job->queued);
    json_key_text_or_null(w, "last_status", str_from(job->last.status));
    json_key_time(w, "last_run", job->last.run_us);
    json_key_time(w, "last_success", job->last.success_us);
    json_key_time(w, "failing_since", job->last.failing_since_us);
    json_key_text_or_null(w, "last_error", str_from(job->last.error));
    json_key_text_or_null(w, "from", p->from.text);
    json_key_text_or_null(w, "to", p->to.text);
    json_key_text_or_null(w, "table", p->table);
    json_key_text_or_null(w, "mode", str_from(MODES[p->mode]));
    json_object_end(w);
}

void control_pipelines_write(Daemon *d, JsonWriter *w)
{
    json_array_begin(w);
    pthread_mutex_lock(&d->lock);
    for (int32_t i = 0; i < d->table.job_count; i++) {
        if (d->table.jobs[i].kind == JOB_PIPELINE) write_pipeline(d, &d->table.jobs[i], w);
    }
    pthread_mutex_unlock(&d->lock);
    json_array_end(w);
}

Status control_pipeline_list(void *arg, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "pipelines");
    control_pipelines_write(arg, &w);
    json_object_end(&w);
    return json_writer_end(&w);
}

Status control_pipeline_get(void *arg, Str name, Buf *out, Err *err)
{
    Daemon *d = arg;
    const Job *job = job_find(d, JOB_PIPELINE, name);
    if (!job) return no_pipeline(d, name, err);
    JsonWriter w = json_writer_make(out, err);
    pthread_mutex_lock(&d->lock);
    write_pipeline(d, job, &w);
    pthread_mutex_unlock(&d->lock);
    return json_writer_end(&w);
}

static void write_run(JsonWriter *w, const StateRun *run)
{
    json_object_begin(w);
    json_key_text_or_null(w, "run_id", run->run_id);
    json_key_text_or_null(w, "pipeline", run->pipeline);
    json_key_text_or_null(w, "trigger", run->trigger);
    json_key_text_or_null(w, "status", run->status);
    json_key_time(w, "scheduled_for", run->scheduled_us);
    json_key_time(w, "started_at", run->started_us);
    json_key_time(w, "finished_at", run->finished_us);
    json_key(w, "attempts");
    json_write_int64(w, run->attempts);
    json_key(w, "result");
    if (run->result.len) json_write_raw(w, run->result);
    else json_write_null(w);
    json_object_end(w);
}

static Status each_run(void *arg, const StateRun *run, Err *err UNUSED)
{
    write_run(arg, run);
    return OK;
}

Status control_run_start(void *arg, Str pipeline, Str trigger, char *ret_run_id, Buf *out, Err *err)
{
    Daemon *d = arg;
    char run_id[RUN_ID_SIZE];
    Job *job = job_find(d, JOB_PIPELINE, pipeline);
    if (!job) return no_pipeline(d, pipeline, err);
    TRY(job_enqueue(d, job, trigger, run_id, err));
    if (ret_run_id) memcpy(ret_run_id, run_id, RUN_ID_SIZE);
    LOG(LOG_INFO, "control", "run asked for", log_text("pipeline", pipeline),
        log_text("run_id", str_from(run_id)), log_text("trigger", trigger));
    JsonWriter w = json_writer_make(out, err);
    TRY(state_run_get(d->store, str_from(run_id), each_run, &w, err));
    return json_writer_end(&w);
}

Status control_run_list(void *arg, const ControlFilter *f, Buf *out, Err *err)
{
    Daemon *d = arg;
    StateRunFilter filter = {
        .pipeline = f->name, .status = f->status, .before = f->before, .limit = f->limit};
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "runs");
    json_array_begin(&w);
    TRY(state_run_list(d->store, &filter, each_run, &w, err));
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

Status control_run_get(void *arg, Str run_id, Buf *out, Err *err)
{
    Daemon *d = arg;
    JsonWriter w = json_writer_make(out, err);
    TRY(state_run_get(d->store, run_id, each_run, &w, err));
    return json_writer_end(&w);
}

static bool cancel_running(Daemon *d, Str run_id)
{
    for (int32_t i = 0; i < d->table.job_count; i++) {
        Job *job = &d->table.jobs[i];
        if (!job->running || !str_eq(str_from(job->run_id), run_id)) continue;
        atomic_store(&job->cancelled, true);
        return true;
    }
    return false;
}

Status control_run_cancel(void *arg, Str run_id, Buf *out, Err *err)
{
    Daemon *d = arg;
    pthread_mutex_lock(&d->lock);
    bool running = cancel_running(d, run_id);
    Ticket *waiting = running ? NULL : ticket_withdraw(d, run_id);
    pthread_mutex_unlock(&d->lock);
    if (waiting) {
        int64_t attempts = waiting->attempts;
        mem_free(waiting);
        TRY(state_run_finish(d->store, run_id, STR("cancelled"), clock_now_us(), attempts, STR_NULL,
                             NULL, err));
    } else if (!running) {
        CLEANUP(buf_done) Buf known = buf_make(ANSWER_MAX);
        TRY(control_run_get(d, run_id, &known, err));
        return err_set(err, ERR_LIMIT, "run %.*s has ended", STR_ARG(run_id));
    }
    return control_run_get(d, run_id, out, err);
}
