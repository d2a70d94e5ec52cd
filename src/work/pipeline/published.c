/* Asks a pipeline's target what was published; takes out refused rows of what was not. */
#include "work/pipeline/pipeline.h"

enum { OUTCOME_TRIES = 20 };

static Status ask(Sink *sink, Str run_id, Outcome *ret_outcome, Err *err)
{
    SinkCounts counts = {0};
    *ret_outcome = OUTCOME_UNKNOWN;
    for (int32_t i = 0; i < OUTCOME_TRIES && *ret_outcome == OUTCOME_UNKNOWN; i++) {
        TRY(sink_outcome(sink, run_id, 0, ret_outcome, &counts, err));
    }
    if (*ret_outcome != OUTCOME_UNKNOWN) return OK;
    (void)err_set(err, ERR_CONNECT, "whether the run %.*s was published is not known",
                  STR_ARG(run_id));
    return err_hint(err, "try again when the target is back");
}

static SinkReq request(const PipelineConfig *config, const PipelineEnv *env)
{
    return (SinkReq){.location = &config->to,
                     .table = config->table,
                     .mode = config->mode,
                     .key = config->target.key,
                     .key_count = config->target.key_count,
                     .pipeline = config->name,
                     .stop = env->cancelled};
}

Status pipeline_epoch(const PipelineConfig *config, const PipelineEnv *env, int64_t *ret_epoch,
                      Err *err)
{
    SinkReq req = request(config, env);
    Sink *sink = NULL;
    CLEANUP(load_state_done) LoadState state;
    load_state_init(&state);
    TRY(connector_sink(&req, &sink, err));
    Status status = sink->ops->state ? sink_state(sink, &state, err) : OK;
    sink_close(sink);
    if (status == OK) *ret_epoch = state.epoch;
    return status;
}

Status pipeline_published(const PipelineConfig *config, Str run_id, const PipelineEnv *env,
                          bool *ret_published, Err *err)
{
    SinkReq req = request(config, env);
    Sink *sink = NULL;
    Outcome outcome = OUTCOME_NOT_COMMITTED;
    TRY(connector_sink(&req, &sink, err));
    Status status = sink->ops->outcome ? ask(sink, run_id, &outcome, err) : OK;
    sink_close(sink);
    if (status == OK) *ret_published = outcome == OUTCOME_COMMITTED;
    return status;
}

/* ---- refused rows ---- */

static Status forget_rows(Sink *sink, Str run_id, Err *err)
{
    if (!run_id.len) run_id = STR("replayed"); /* nothing is of a run by that name */
    CLEANUP(schema_unref_p) Schema *schema = NULL;
    CLEANUP(position_done) Position position;
    SinkCounts counts = {0};
    SinkRun run = {.run_id = run_id};
    CommitResult result = COMMIT_DONE;
    int32_t port = 0;
    position_init(&position);
    TRY(reject_schema(&schema, err));
    TRY(sink_open(sink, run_id, 0, err));
    TRY(sink_port(sink, PORT_REJECT, sink->req->reject.table, schema, &port, err));
    TRY(sink_begin(sink, 0, err));
    TRY(sink_apply(sink, NULL, &counts, err));
    TRY(sink_commit(sink, &position, &run, &result, err));
    if (result != COMMIT_UNKNOWN) return OK;
    (void)err_set(err, ERR_CONNECT, "the connection was lost at COMMIT");
    return err_hint(err, "rows may still be among the rejects that are not any more: run or replay "
                         "again, to take them out");
}

Status rejects_forget(const Location *location, Str table, Str run_id, Str places,
                      const PipelineEnv *env, Err *err)
{
    SinkReq req = {.location = location,
                   .table = table,
                   .mode = SINK_APPEND,
                   .create = true,
                   .evolve = true,
                   .reject.table = table,
                   .reject.again = run_id.len > 0,
                   .reject.replayed = places,
                   .stop = env->cancelled};
    Sink *sink = NULL;
    TRY(connector_sink(&req, &sink, err));
    Status status = forget_rows(sink, run_id, err);
    sink_close(sink);
    return status;
}
