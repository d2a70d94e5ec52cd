/* Where batches go: the interface of every writable system. */
#ifndef NEURON_SINK_H
#define NEURON_SINK_H

#include "connect/location.h"
#include "connect/position.h"
#include "engine/format/reject.h"

typedef enum SinkMode { SINK_APPEND, SINK_UPSERT, SINK_REPLACE, SINK_MIRROR } SinkMode;

/* What becomes of rows that the target refuses. */
typedef struct SinkReject {
    bool wanted;  /* they are given back instead of ending the run */
    Str table;    /* a table beside the data for them; empty: none here */
    Str of;       /* this sink takes but the refused rows of that pipeline, before their data: they
                     stay for good when sink_rejects_settle says so. Empty: nobody's */
    bool again;   /* this run may have been tried before: without an OUT port the refused rows that
                     it left go. What the sink itself tried it knows */
    Str replayed; /* rows of the reject port's table that this run loads: a JSON array of their
                     places (SourceReq.places). They leave it in the run's own transaction, all of
                     them, or it fails; without an OUT port those that are gone already don't
                     matter. Empty: none */
} SinkReject;

/* What to write, and how. Borrowed; outlives the sink. */
typedef struct SinkReq {
    const Location *location;
    Str table;
    SinkMode mode;
    const Str *key; /* columns */
    int32_t key_count;
    Str cursor; /* of several rows of one key the highest cursor wins; empty: the last in order */
    const Str *ignore_for_change;
    int32_t ignore_count;
    bool create;       /* create the table when missing */
    bool evolve;       /* add new columns */
    double max_delete; /* mirror: largest share of rows it may delete, 0…1 */
    Str pipeline;      /* name in neuron_loads; empty: no record is kept (copy) */
    Str topic;         /* the parts of a stream named `pipeline` are this topic's partitions, and
                          several processes may share the target, each its parts (sink_take). Empty:
                          one process at a time, guarded by the epoch of sink_open */
    Str config_hash;
    bool at_least_once; /* brokers: no transaction; a commit may be PENDING */
    int64_t cycle_us;   /* how long a cycle is open; 0: as long as the run takes */
    SinkReject reject;
    const _Atomic bool *stop; /* true: don't wait for a system any longer; NULL: never */
} SinkReq;

/* What describe found: the plan. Lists of texts live in `arena`. */
typedef struct SinkPlan {
    Str *sql; /* statements of the publishing transaction, exact; after ` -- ` when each runs */
    int32_t sql_count;
    Str *ddl; /* CREATE TABLE, ALTER TABLE … that would run first */
    int32_t ddl_count;
    Str *types; /* "amount: numeric -> REAL (lossy: …)" one per column */
    int32_t type_count;
    Str *locks; /* "table t: ROW EXCLUSIVE (UPDATE, INSERT): …" what others can do meanwhile */
    int32_t lock_count;
    Str *warnings;
    int32_t warning_count;
    Str promise; /* "exactly once: …" one sentence */
    bool exactly_once;
    Arena arena;
} SinkPlan;
typedef enum SinkPlanPart { PLAN_SQL, PLAN_DDL, PLAN_TYPE, PLAN_LOCK, PLAN_WARNING } SinkPlanPart;
void sink_plan_done(SinkPlan *plan);
MUST_USE Status sink_plan_add(SinkPlan *plan, SinkPlanPart part, Err *err, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* What became of the target table since its watermark was written. */
typedef enum TargetChange {
    TARGET_SAME,    /* as far as is known */
    TARGET_GONE,    /* it is no more */
    TARGET_EMPTIED, /* it had rows, and has none */
    TARGET_OTHER,   /* it was created again, or truncated and filled with fewer rows */
} TargetChange;

/* What the last committed run of a pipeline left behind, and the fence for the next. */
typedef struct LoadState {
    int64_t epoch; /* of the last published run; 0: none yet */
    Position position;
    char run_id[40];
    int64_t published_at_us;
    TargetChange target; /* since then, of an incremental pipeline */
} LoadState;
/* FAIL always: some of SinkReject.replayed are not there any more. */
Status sink_replayed_gone(Err *err);
void load_state_init(LoadState *state);
void load_state_done(LoadState *state);

/* The counts of a run as published; also the row of neuron_loads. */
typedef struct SinkCounts {
    int64_t loaded; /* = inserted + updated + unchanged */
    int64_t inserted, updated, unchanged, deleted;
    int64_t superseded; /* rows of a key that came again in the same run */
    int64_t discarded;  /* neither kept nor refused by the target: its triggers, rules or policies
                           left them out */
    int64_t rejected;   /* refused by the target */
} SinkCounts;

typedef struct SinkRun {
    Str run_id;
    int64_t started_us;
    int64_t extracted, transformed, dropped, rejected;
    SinkCounts counts;
    bool advance; /* write the position as the new watermark (false for --limit, --since) */
    const Position
        *from; /* where the cycle began; it is compared with the target's own (SinkParts) */
    /* Makes the samples that are kept with the position from those that are kept now (`before`,
     * empty: none): under the target's lock, as several processes may keep theirs there. NULL: the
     * position's own. */
    Status (*keep)(void *arg, const Position *position, Str before, Buf *ret_samples, Err *err);
    void *keep_arg;
} SinkRun;

typedef enum SinkPortKind { PORT_OUT, PORT_REJECT, PORT_STATE } SinkPortKind;

typedef enum CommitResult {
    COMMIT_DONE,
    COMMIT_PENDING, /* at least once: delivered later; see sink_outcome */
    COMMIT_UNKNOWN, /* the answer got lost: ask sink_outcome */
    COMMIT_AGAIN,   /* nothing was committed, and the cycle may be done again after sink_abort */
    COMMIT_FENCED,  /* nothing was committed: another process took some of the cycle's parts over
                       (those that sink_holds denies); the others may be done again */
} CommitResult;

typedef enum Outcome { OUTCOME_COMMITTED, OUTCOME_NOT_COMMITTED, OUTCOME_UNKNOWN } Outcome;

/* Which runs were published, of those whose refused rows are there before their data. */
typedef struct RejectsAsk {
    Status (*published)(void *arg, Str run_id, bool *ret_published, Err *err);
    void *arg;
    bool take_out; /* a run that isn't published can't be any more: its refused rows go */
} RejectsAsk;

typedef struct Sink Sink;

typedef struct SinkOps {
    Status (*describe)(Sink *sink, const Schema *schema, SinkPlan *ret_plan, Err *err);
    Status (*takes)(Sink *sink, const Schema *schema, Str wire, bool *ret_takes, Err *err);
    Status (*state)(Sink *sink, LoadState *ret_state, Err *err);
    Status (*state_set)(Sink *sink, const Position *position, Err *err);
    Status (*take)(Sink *sink, const int32_t *parts, int32_t count, Position *ret_from,
                   bool *ret_taken, Err *err);
    bool (*holds)(const Sink *sink, int32_t part);
    Status (*claim)(Sink *sink, const Position *position, const SinkRun *run, bool *ret_held,
                    Err *err);
    Status (*open)(Sink *sink, Str run_id, int64_t epoch, Err *err);
    Status (*port)(Sink *sink, SinkPortKind kind, Str name, const Schema *schema, int32_t *ret_port,
                   Err *err);
    Status (*begin)(Sink *sink, int64_t cycle, Err *err);
    Status (*write)(Sink *sink, int32_t port, Batch *batch, RejectWriter *rejects, Err *err);
    Status (*apply)(Sink *sink, RejectWriter *rejects, SinkCounts *ret_counts, Err *err);
    Status (*commit)(Sink *sink, const Position *position, const SinkRun *run,
                     CommitResult *ret_result, Err *err);
    Status (*outcome)(Sink *sink, Str run_id, int64_t cycle, Outcome *ret_outcome,
                      SinkCounts *ret_counts, Err *err);
    Status (*abort)(Sink *sink, Err *err);
    Status (*rejects_settle)(Sink *sink, const RejectsAsk *ask, Err *err);
    void (*cancel)(Sink *sink);
    void (*close)(Sink *sink);
} SinkOps;

/* Where a sink is in its work; kept and asserted by the functions below, not by connectors.
 *
 *     NEW --open--> IDLE --begin--> WRITING --apply--> APPLIED --commit--> IDLE
 *                    ^__________________abort____________|
 */
typedef enum SinkPhase { SINK_NEW, SINK_IDLE, SINK_WRITING, SINK_APPLIED } SinkPhase;

struct Sink {
    const SinkOps *ops;
    const SinkReq *req;
    SinkPhase phase;
    bool incomplete; /* set before apply: rows of the source were rejected in this cycle, so what
                        is missing among the rows written may be in the source */
};

/* The connector's own struct, of which the sink is the first member. */
#define SINK_SELF(Type, OPS, sink) DOWNCAST(Type, sink, (sink)->ops == &(OPS))

/* Order of a cycle: begin, write…, apply, (quality gate, ledger), write to the reject port, commit.
 * One thread at a time; only cancel may come from another. */

/* The plan for these columns: exact SQL, DDL, type mapping with lossy casts. No side effects. */
MUST_USE Status sink_describe(Sink *sink, const Schema *schema, SinkPlan *ret_plan, Err *err);
/* May rows of these columns be written as they are on that wire (SourceInfo.wire), unopened: each
 * target column has the very type of its source, and nothing needs a row's values. Asks the target;
 * false where the sink doesn't know. */
MUST_USE Status sink_takes(Sink *sink, const Schema *schema, Str wire, bool *ret_takes, Err *err);
/* The pipeline's or stream's last committed state, read from the target itself; zeros when there is
 * none. Of a stream's topic each part that was ever committed. */
MUST_USE Status sink_state(Sink *sink, LoadState *ret_state, Err *err);
/* Set the watermark by hand (neuron state set); advances the epoch. */
MUST_USE Status sink_state_set(Sink *sink, const Position *position, Err *err);
/* ---- parts of a stream that several processes share (SinkReq.topic) ----
 *
 * Beside the rows the target keeps where each part is, and a fence: how often it was taken over.
 * Who is given a part takes it over before he reads: the fence is raised, so that nothing of
 * whoever had it before is committed from then on, and the answer is where to begin. A commit moves
 * exactly the parts that its cycle carries, each only while offset and fence are those that the
 * process knows; where one isn't, nothing of the cycle is committed (COMMIT_FENCED). take, holds
 * and claim are offered together. */

/* Does the target keep where each part is? False: that is for the source to know. */
bool sink_keeps_parts(const Sink *sink);
/* Between cycles, after open. ret_from gets each part (-1: it was never committed there);
 * *ret_taken false: another process is about to commit one of them, nothing was done, ask again
 * soon. Where the target keeps none each part is -1. Also for a part that is ours. */
MUST_USE Status sink_take(Sink *sink, const int32_t *parts, int32_t count, Position *ret_from,
                          bool *ret_taken, Err *err);
/* False: another process took it over, as far as is known. */
bool sink_holds(const Sink *sink, int32_t part);
/* Before rejects of the open cycle are committed elsewhere: are its parts still ours? Where the
 * target can, they stay so until the cycle's end. */
MUST_USE Status sink_claim(Sink *sink, const Position *position, const SinkRun *run, bool *ret_held,
                           Err *err);
/* Start a run that publishes as epoch + 1; ERR_FENCED at commit if somebody else did meanwhile. */
MUST_USE Status sink_open(Sink *sink, Str run_id, int64_t epoch, Err *err);
/* A port for batches of that schema. OUT's name is the table or topic; a REJECT port takes
 * reject_schema batches; of a run or cycle that is tried again those of the failed try go. */
MUST_USE Status sink_port(Sink *sink, SinkPortKind kind, Str name, const Schema *schema,
                          int32_t *ret_port, Err *err);
MUST_USE Status sink_begin(Sink *sink, int64_t cycle, Err *err);
/* Take the batch's rows (the caller keeps its reference). Rows that the target can't hold go to
 * `rejects` where the request allows it, else FAIL naming column, row and value. */
MUST_USE Status sink_write(Sink *sink, int32_t port, Batch *batch, RejectWriter *rejects, Err *err);
/* Merge what was written; not visible yet. */
MUST_USE Status sink_apply(Sink *sink, RejectWriter *rejects, SinkCounts *ret_counts, Err *err);
/* Make data, rejects, position and run record visible at one moment. */
MUST_USE Status sink_commit(Sink *sink, const Position *position, const SinkRun *run,
                            CommitResult *ret_result, Err *err);
/* Did that cycle of the run commit? Read from the target, over a new connection where the old one
 * is lost. For a PENDING commit: OUTCOME_UNKNOWN until it is decided. */
MUST_USE Status sink_outcome(Sink *sink, Str run_id, int64_t cycle, Outcome *ret_outcome,
                             SinkCounts *ret_counts, Err *err);
/* Of the runs of SinkReject.of that are not known to be published: those that are keep their
 * refused rows for good, those of the others go where the request says so. Between two cycles;
 * nothing where the sink keeps no such list. */
MUST_USE Status sink_rejects_settle(Sink *sink, const RejectsAsk *ask, Err *err);
/* Undo the open cycle; harmless when there is none. */
MUST_USE Status sink_abort(Sink *sink, Err *err);
void sink_cancel(Sink *sink);
void sink_close(Sink *sink);

#endif
