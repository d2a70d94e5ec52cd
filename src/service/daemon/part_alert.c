/* Alerts as a part of the daemon: fresh gauges, exact counts of failed attempts. */
#include "service/daemon/part_alert.h"

#include "service/daemon/control_calls.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/machine_gauges.h"

#define LEAD_HOLD_US INT64_C(10000000)

static Status last_success(void *arg, const StateRun *run, Err *err UNUSED)
{
    const Job *job = arg;
    double at = (double)run->finished_us / 1e6;
    if (run->finished_us) metrics_set(METRIC_PIPELINE_LAST_SUCCESS, at, LABELS(job->name));
    return OK;
}

static Status last_report(void *arg, const StateReport *report, Err *err UNUSED)
{
    const Job *job = arg;
    metrics_set(METRIC_QUALITY_SCORE, report->score, LABELS(job->name));
    metrics_set(METRIC_QUALITY_LAST, (double)report->at_us / 1e6, LABELS(job->name));
    return OK;
}

/* What another neuron with the same store did last is true here as well. */
static void shared_gauges(Daemon *d)
{
    for (int32_t i = 0; d->self.number && i < d->table.job_count; i++) {
        Job *job = &d->table.jobs[i];
        StateRunFilter filter = {
            .pipeline = job->name, .status = STR("success"), .limit = 1, .brief = true};
        Status status = job->kind == JOB_PIPELINE
                            ? state_run_list(d->store, &filter, last_success, job, NULL)
                            : state_report_list(d->store, job->name, 0, 1, last_report, job, NULL);
        if (status != OK) return; /* the round itself will tell of the store */
    }
}

static void refresh(void *arg)
{
    Daemon *d = arg;
    metrics_read_process();
    machine_gauges_read(d->config->options.state);
    streams_metrics(&d->streams);
    workers_metrics(d);
    shared_gauges(d);
}

/* One of the neurons with the same store judges what they have in common. */
static bool leads(void *arg)
{
    const Daemon *d = arg;
    bool mine = false;
    if (!d->self.number) return true;
    int64_t hold_us = LEAD_HOLD_US + 3 * d->config->alerts.interval_us;
    return state_lease_take(d->store, STR("alerts"), hold_us, &mine, NULL) == OK && mine;
}

/* Failed attempts are in the store: a restart forgets none. */
static bool exact(void *arg, Metric metric, const Str *labels, int64_t since_us, double *ret_more)
{
    const Daemon *d = arg;
    int64_t count = 0;
    if (metric != METRIC_PIPELINE_ATTEMPTS_FAILED) return false;
    if (state_attempts_failed(d->store, labels[0], since_us, &count, NULL) != OK) return false;
    *ret_more = (double)count;
    return true;
}

Status part_alert_start(Daemon *d, Err *err)
{
    AlertOptions options = {.neuron_id = d->self.identity,
                            .shared_id = d->config->options.neuron.id,
                            .leads = leads,
                            .settings = &d->config->alerts,
                            .store = d->store,
                            .refresh = refresh,
                            .exact = exact,
                            .arg = d};
    Alerts *alerts = NULL;
    TRY(alerts_start(&options, &alerts, err));
    atomic_store(&d->beside.alerts, alerts);
    return OK;
}

void part_alert_stop(Daemon *d)
{
    Alerts *alerts = atomic_exchange(&d->beside.alerts, NULL);
    alerts_stop(alerts);
    if (alerts && d->self.number) IGNORE(state_lease_drop(d->store, STR("alerts"), NULL));
}

Status control_alert_list(void *arg, Buf *out, Err *err)
{
    Daemon *d = arg;
    Alerts *alerts = atomic_load(&d->beside.alerts);
    if (alerts) return alerts_list(alerts, out, err);
    return buf_append(out, STR("{\"alerts\":[]}"), err);
}

Status control_alert_silence(void *arg, const ControlSilence *silence, Buf *out, Err *err)
{
    Daemon *d = arg;
    Alerts *alerts = atomic_load(&d->beside.alerts);
    if (alerts) return alerts_silence(alerts, silence, out, err);
    return err_set(err, ERR_NOT_FOUND, "alerts are not running");
}
