/* What Control tells of datasets: their last report, reports, trends; and how checks are started.
 */
#include "service/daemon/control_calls.h"
#include "service/daemon/daemon_state.h"
#include "service/watch/dataset_check.h"

static void write_int(JsonWriter *w, const char *key, int64_t value, bool known)
{
    json_key(w, key);
    if (known) json_write_int64(w, value);
    else json_write_null(w);
}

/* Under the lock. */
static void write_dataset(Daemon *d, const Job *job, JsonWriter *w)
{
    const QualitySet *set = &d->config->quality[job->index];
    json_object_begin(w);
    json_key_text_or_null(w, "name", job->name);
    json_key_text_or_null(w, "from", set->from.text);
    json_key_text_or_null(w, "table", set->table);
    json_key_text_or_null(w, "schedule", job->ticks.text);
    json_key_time(w, "next_check", job->ticks.next_us);
    json_key_bool(w, "paused", job->paused);
    json_key_text_or_null(w, "state", str_from(job_state(d, job)));
    json_key_bool(w, "running", job->running);
    json_key(w, "queued");
    json_write_int64(w, job->queued);
    json_key(w, "quality_score");
    if (job->report.has) json_write_double(w, job->report.score);
    else json_write_null(w);
    json_key(w, "min_score");
    json_write_double(w, set->min_score);
    json_key_text_or_null(w, "verdict", str_from(job->last.status));
    json_key_time(w, "last_check", job->last.run_us);
    write_int(w, "total_records", job->report.rows, job->report.has);
    write_int(w, "issues_count", job->report.issues, job->report.has);
    json_key(w, "rules");
    json_write_int64(w, set->rule_count);
    json_key_time(w, "failing_since", job->last.failing_since_us);
    json_key_text_or_null(w, "last_error", str_from(job->last.error));
    json_object_end(w);
}

Status control_quality_list(void *arg, Buf *out, Err *err)
{
    Daemon *d = arg;
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "quality");
    json_array_begin(&w);
    pthread_mutex_lock(&d->lock);
    for (int32_t i = 0; i < d->table.job_count; i++) {
        if (d->table.jobs[i].kind == JOB_DATASET) write_dataset(d, &d->table.jobs[i], &w);
    }
    pthread_mutex_unlock(&d->lock);
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

static Status no_dataset(Daemon *d, Str name, Err *err)
{
    const QualitySet *found = NULL;
    if (configuration_quality(d->config, name, &found, err) == OK) {
        return err_set(err, ERR_NOT_FOUND, "the set %.*s names no dataset", STR_ARG(name));
    }
    if (err) err->kind = ERR_NOT_FOUND;
    return FAIL;
}

static Status each_report(void *arg, const StateReport *report, Err *err UNUSED)
{
    json_write_raw(arg, report->report);
    return OK;
}

Status control_quality_reports(void *arg, const ControlFilter *filter, Buf *out, Err *err)
{
    Daemon *d = arg;
    if (!job_find(d, JOB_DATASET, filter->name)) return no_dataset(d, filter->name, err);
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "reports");
    json_array_begin(&w);
    TRY(state_report_list(d->store, filter->name, 0, filter->limit, each_report, &w, err));
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

Status control_quality_check(void *arg, Str dataset, Str trigger, char *ret_check_id, Buf *out,
                             Err *err)
{
    Daemon *d = arg;
    char id[RUN_ID_SIZE];
    Job *job = job_find(d, JOB_DATASET, dataset);
    if (!job) return no_dataset(d, dataset, err);
    TRY(job_enqueue(d, job, trigger, id, err));
    if (ret_check_id) {
        memcpy(ret_check_id, id, RUN_ID_SIZE);
        check_note_begin(&d->notes, str_from(id), job);
    }
    LOG(LOG_INFO, "control", "check asked for", log_text("dataset", dataset),
        log_text("trigger", trigger));
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key_text_or_null(&w, "dataset", dataset);
    json_key_text_or_null(&w, "status", STR("queued"));
    json_object_end(&w);
    return json_writer_end(&w);
}

Status control_check_get(void *arg, Str check_id, Buf *out, Err *err)
{
    Daemon *d = arg;
    return check_note_write(&d->notes, check_id, out, err);
}

Status control_quality_trends(void *arg, Str dataset, int64_t days, Buf *out, Err *err)
{
    Daemon *d = arg;
    if (dataset.len && !job_find(d, JOB_DATASET, dataset)) return no_dataset(d, dataset, err);
    return dataset_trends(d->store, dataset, days, out, err);
}
