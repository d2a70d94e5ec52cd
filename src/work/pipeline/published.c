/* Asks a pipeline's target what was published. */
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
                     .key = config->key,
                     .key_count = config->key_count,
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
    TRY(registry_sink(env->registry, &req, &sink, err));
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
    TRY(registry_sink(env->registry, &req, &sink, err));
    Status status = sink->ops->outcome ? ask(sink, run_id, &outcome, err) : OK;
    sink_close(sink);
    if (status == OK) *ret_published = outcome == OUTCOME_COMMITTED;
    return status;
}
