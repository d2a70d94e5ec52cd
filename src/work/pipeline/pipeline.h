/* Pipelines: one bounded run from a source through steps into a sink, published at one moment. */
#ifndef NEURON_PIPELINE_H
#define NEURON_PIPELINE_H

#include "connect/connector.h"
#include "work/flow/flow.h"
#include "work/quality/quality_set.h"

typedef enum StepKind {
    STEP_SELECT,
    STEP_WHERE,
    STEP_DROP_NULLS,
    STEP_DROP_DUPLICATES,
    STEP_CHECK,
} StepKind;

/* One step as configured. */
typedef struct StepConfig {
    StepKind kind;
    Str text;             /* select, where */
    int64_t line, column; /* of the text's first character in the configuration; 0: command line */
    const Str *columns;   /* drop_nulls, drop_duplicates by; count 0: all */
    int32_t column_count;
    bool keep_last;
    const QualitySet *quality; /* check */
    OnFail on_fail;            /* check: of rules that don't say their own */
} StepConfig;

/* What a run does when its target table isn't the one that the watermark was written with. */
typedef enum EmptiedTarget { EMPTIED_REFUSE, EMPTIED_RELOAD, EMPTIED_CONTINUE } EmptiedTarget;

typedef struct Incremental {
    Str cursor; /* empty: not incremental */
    Str start;
    int64_t overlap_us, overlap_count; /* by time, or by number */
    int64_t lag_us, lag_count;
    bool order_said; /* overlap or lag was given, be it 0 */
    bool nulls_read; /* rows without a cursor are read in each run; else they end it */
    EmptiedTarget emptied;
} Incremental;

/* How rows meet those that the target has. */
typedef struct TargetRules {
    const Str *key;
    int32_t key_count;
    const Str *ignore_for_change;
    int32_t ignore_count;
    bool create, evolve;
    double max_delete;
} TargetRules;

/* Where refused rows go. */
typedef struct RejectTarget {
    bool on;        /* false: the first one ends the run */
    bool elsewhere; /* `to` is a location of its own */
    Location to;
    Str table;
} RejectTarget;

typedef struct RetryRules {
    int32_t attempts;
    int64_t wait_us;
} RetryRules;

/* A pipeline as configured; texts live in the configuration's arena. `copy` fills one by hand. */
typedef struct PipelineConfig {
    Str name; /* empty: copy (no neuron_loads) */
    Location from;
    Location primary; /* of `from`, where that is a standby; no scheme: not given */
    Str from_table, query;
    const SourceParam *params;
    int32_t param_count;
    Incremental incremental;
    const StepConfig *steps;
    int32_t step_count;
    int32_t steps_before; /* left out before the first (a replay); names count from there */
    Location to;
    Str table;
    SinkMode mode;
    TargetRules target;
    int32_t parallel;
    RejectTarget reject;
    RetryRules retry;
    Str config_hash; /* of the pipeline's configuration text */
} PipelineConfig;

/* What the command line adds. */
typedef struct RunOptions {
    bool full_refresh;
    Str since;                  /* inclusive; the watermark stays */
    int64_t rows_max;           /* --limit; 0: all; the watermark stays */
    const SourceRanges *within; /* only rows of these; the watermark stays; NULL: all */
    Str run_id;                 /* empty: a new UUID; given: the same run again (a retry) */
    Str replayed;               /* as SinkReject.replayed */
    const int64_t
        *epoch; /* of the run that was published last, as it was known before: if there was
                   another since, this one is fenced off. NULL: as the target has it */
} RunOptions;

/* What a run works with. */
typedef struct PipelineEnv {
    Budget *budget;
    Str spool_folder;
    void (*progress)(void *arg, const FlowProgress *progress);
    void *progress_arg;
    const _Atomic bool *cancelled;
} PipelineEnv;

typedef enum RunStatus { RUN_SUCCESS, RUN_FAILED, RUN_SKIPPED, RUN_CANCELLED } RunStatus;

typedef struct RunDrop {
    char step[64]; /* "superseded" for rows of a key that came again, "discarded" for those that the
                      target's triggers, rules or policies left out */
    int64_t rows;
} RunDrop;

enum { RUN_DROPS_MAX = 34 };

typedef struct RunRows {
    int64_t extracted, transformed, rejected, loaded, inserted, updated, unchanged, deleted;
} RunRows;

/* The result object of SPEC section 5. */
typedef struct RunResult {
    char pipeline[128];
    char run_id[40];
    RunStatus status;
    char message[512];
    RunRows rows;
    RunDrop drops[RUN_DROPS_MAX];
    int32_t drop_count;
    int64_t duration_ns, read_ns, steps_ns, stage_ns, publish_ns;
    int64_t bytes;
    int32_t attempts;
    Buf watermark; /* the cursor after the run; empty: none */
    Buf warnings;  /* lines: what couldn't be promised, who held the run up */
    Buf checks;    /* what `check` steps found: JSON objects with commas between them */
    Err error;     /* kind and message when failed */
} RunResult;
void run_result_init(RunResult *result);
void run_result_done(RunResult *result);
/* Its warnings into the log, at the top. */
void run_result_log(const RunResult *result);
/* One JSON object, all keys of SPEC, in its order; `indent` for people. */
MUST_USE Status run_result_json(const RunResult *result, bool indent, Buf *out, Err *err);

/* Run once (with the configured retries for errors that can pass). FAIL: the error is also in the
 * result, which is always filled. */
MUST_USE Status pipeline_run(const PipelineConfig *config, const RunOptions *options,
                             const PipelineEnv *env, RunResult *ret_result, Err *err);

/* Did that run publish? False too where the target can't tell: files, topics. */
MUST_USE Status pipeline_published(const PipelineConfig *config, Str run_id, const PipelineEnv *env,
                                   bool *ret_published, Err *err);

/* Take out of a place for refused rows what that run left there (empty: none), and the rows at
 * `places` (a JSON array as SourceReq.places has it; empty: none). Rows that are gone don't matter.
 */
MUST_USE Status rejects_forget(const Location *location, Str table, Str run_id, Str places,
                               const PipelineEnv *env, Err *err);

/* The epoch of the run that was published last; 0: none, or the target keeps none. */
MUST_USE Status pipeline_epoch(const PipelineConfig *config, const PipelineEnv *env,
                               int64_t *ret_epoch, Err *err);

/* The plan of --dry-run: writes nothing. As text for people or as one JSON object: exact SQL, DDL,
 * type mapping with lossy casts, warnings, promise, estimated rows, the first rows as they would
 * land. */
MUST_USE Status pipeline_plan(const PipelineConfig *config, const RunOptions *options,
                              const PipelineEnv *env, bool json, Buf *out, Err *err);

#endif
