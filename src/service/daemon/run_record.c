/* What the state store keeps of a run; a store that can't be written stops none. */
#include "service/daemon/run_record.h"

#include "foundation/base/mem.h"
#include "service/daemon/daemon_state.h"

static void store_failed(const char *what, const Err *err, const Ticket *ticket)
{
    metrics_add(METRIC_ERRORS, 1, LABELS(STR("state"), str_from(err_kind_name(err->kind))));
    LOG_ERR(LOG_ERROR, "state", what, err, log_text("run_id", str_from(ticket->run_id)));
}

void run_record_put(Daemon *d, const Ticket *ticket, const char *status, int64_t started_us)
{
    Err err = {0};
    StateRun run = {
        .run_id = str_from(ticket->run_id),
        .pipeline = ticket->job->name,
        .trigger = str_from(ticket->trigger),
        .status = str_from(status),
        .scheduled_us = ticket->scheduled_us,
        .started_us = started_us,
        .attempts = ticket->attempts,
    };
    if (state_run_put(d->store, &run, &err) == OK) return;
    store_failed(started_us ? "a run's start could not be kept" : "a waiting run could not be kept",
                 &err, ticket);
}

static Status finish(Daemon *d, const Ticket *ticket, const RunResult *r, Str status, Err *err)
{
    CLEANUP(buf_done) Buf json = buf_make(ANSWER_MAX);
    TRY(run_result_json(r, false, &json, err));
    int64_t now_us = clock_now_us();
    StateLetter letter = {.kind = STR("pipeline_run"), .body = buf_str(&json), .at_us = now_us};
    bool told = d->config->options.federation.url.len > 0;
    return state_run_finish(d->store, str_from(ticket->run_id), status, now_us, r->attempts,
                            buf_str(&json), told ? &letter : NULL, err);
}

void run_record_finish(Daemon *d, const Ticket *ticket, const RunResult *result, Str status)
{
    Err err = {0};
    if (finish(d, ticket, result, status, &err) == OK) return;
    store_failed("a run's end could not be kept", &err, ticket);
}

void run_record_failure(Daemon *d, const Ticket *ticket, const Err *why)
{
    Err err = {0};
    Str kind = str_from(err_kind_name(why->kind));
    if (state_attempt_failed(d->store, ticket->job->name, str_from(ticket->run_id), clock_now_us(),
                             kind, &err) == OK) {
        return;
    }
    store_failed("a failed attempt could not be kept", &err, ticket);
}

void run_record_skip(Daemon *d, Ticket *ticket, Str why)
{
    RunResult result;
    run_result_init(&result);
    result.status = RUN_SKIPPED;
    str_to_array(result.pipeline, sizeof result.pipeline, ticket->job->name);
    str_to_array(result.run_id, sizeof result.run_id, str_from(ticket->run_id));
    str_to_array(result.message, sizeof result.message, why);
    LOG(LOG_INFO, "scheduler", "run skipped", log_text("job", ticket->job->tick_name),
        log_text("run_id", str_from(ticket->run_id)), log_text("reason", why));
    if (ticket->job->kind == JOB_PIPELINE) {
        run_record_finish(d, ticket, &result, STR("skipped"));
    }
    run_result_done(&result);
    mem_free(ticket);
}
