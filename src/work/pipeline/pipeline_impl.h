/* What the files of this room share: a pipeline put together, ready to plan or to run. */
#ifndef NEURON_PIPELINE_IMPL_H
#define NEURON_PIPELINE_IMPL_H

#include "work/pipeline/pipeline.h"

enum { PIPELINE_STEPS_MAX = 32 };

typedef struct AssemblyRequests {
    SourceReq source;
    SinkReq sink, reject;
} AssemblyRequests;

/* Where reading begins. */
typedef struct AssemblyCursor {
    Buf from;
    Buf origin; /* Position.origin */
} AssemblyCursor;

/* Source, steps and sink of one run. The requests are borrowed by source and sinks, so that this
 * stays in place from assembly_open to assembly_close. */
typedef struct Assembly {
    const PipelineConfig *config;
    const RunOptions *options;
    const PipelineEnv *env;
    AssemblyRequests req;
    Source *source;
    Sink *sink, *reject_sink; /* reject_sink NULL: the sink's own port, or none allowed */
    SourceInfo info;
    bool info_ready;
    Step *steps[PIPELINE_STEPS_MAX + 1];
    int32_t step_count;
    int32_t own_steps;    /* of them in front: the pipeline's own, which have no number */
    const Schema *schema; /* of what reaches the sink */
    LoadState state;
    bool advance;
    bool fresh;              /* all is read, whatever the watermark says */
    const char *target_note; /* what became of the target, where the run goes on all the same */
    Budget step_budget;
    AssemblyCursor cursor;
    Arena param_arena; /* parameters that are relative to the run's start */
} Assembly;

/* Everything made and described; nothing written yet. */
MUST_USE Status assembly_open(Assembly *assembly, const PipelineConfig *config,
                              const RunOptions *options, const PipelineEnv *env, Err *err);
void assembly_close(Assembly *assembly);

#endif
