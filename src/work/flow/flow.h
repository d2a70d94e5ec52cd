/* The flow engine: source → steps → sink with three threads, cycles, a budget and a ledger. */
#ifndef NEURON_FLOW_H
#define NEURON_FLOW_H

#include "connect/sink.h"
#include "connect/source.h"
#include "work/step/step.h"

/* A check over what is about to be published, after sink_apply, before commit. FAIL rolls the cycle
 * back. */
typedef struct FlowGate {
    Status (*check)(void *arg, Sink *sink, const SinkRun *run, Err *err);
    void *arg;
} FlowGate;

/* What became of a cycle's refused rows. */
typedef enum FlowRejectsEnd {
    REJECTS_KEPT,   /* they are committed in a sink of their own, the cycle's data isn't yet */
    REJECTS_DONE,   /* the cycle is committed */
    REJECTS_UNDONE, /* the cycle is undone and read again; what is KEPT stays */
} FlowRejectsEnd;

/* What the rows of the open cycle were made of: Batch.from of each batch that was written. */
typedef struct FlowOrigins {
    Batch **items;
    int64_t count, capacity;
} FlowOrigins;
/* The batch that has the row, and which of its rows it is; NULL: it isn't kept. */
const Batch *flow_origin(const FlowOrigins *origins, int32_t part, int64_t ordinal,
                         int64_t *ret_row);

/* Refused rows of one part that get a shape. `forms`: which form each of them is to have, 0 at
 * first. */
typedef struct FlowRejectRows {
    const Batch *rejects; /* of the reject schema */
    const int32_t *forms;
    const FlowOrigins *origins;
} FlowRejectRows;

/* Gives refused rows another shape on their way to the reject port: batches of the reject schema
 * in, of `schema` out, with the part and the ordinals of the refused rows. *ret_batch NULL: nothing
 * is left to write. From the writer's thread. */
typedef struct FlowRejectShape {
    const Schema *schema; /* NULL: the reject schema, nothing is shaped */
    Status (*shape)(void *arg, const FlowRejectRows *rows, Batch **ret_batch, Err *err);
    /* The form to try where the place refuses the row in `form`, with the sqlstate of that refusal;
     * -1: there is no other, and the run ends with ERR_HELD. */
    int32_t (*next)(void *arg, int32_t form, Str sqlstate);
    /* Before rejects are committed in a sink of their own: the JSON that is kept with them as the
     * samples of their position (SinkRun.keep). NULL: those of the source. */
    Status (*keep)(void *arg, const Position *position, Str before, Buf *ret_samples, Err *err);
    void (*ended)(void *arg, FlowRejectsEnd end); /* may be NULL */
    /* So far the source is committed: when a part is first read from, before its rejects, and
     * after each cycle that is DONE. May be NULL. */
    void (*committed)(void *arg, const Position *position);
    /* With FlowSpec.asks, between cycles: parts that are ours from now on, and how far each is
     * committed (-1: not known); parts that are ours no more. May be NULL. */
    Status (*taken)(void *arg, const Position *taken, Err *err);
    void (*gone)(void *arg, const int32_t *parts, int32_t count);
    void *arg;
} FlowRejectShape;

/* Shown while it runs; called from the writer's thread, at most 10 times a second. */
typedef struct FlowProgress {
    int64_t extracted, loaded, rejected, bytes, elapsed_ns, rows_estimate;
    const char *phase; /* "read", "publish" */
} FlowProgress;

typedef struct FlowLedger FlowLedger;

/* A cycle ends, and is committed, when one of these is reached; 0: no such bound. All 0: one cycle
 * up to END. */
typedef struct FlowLimits {
    int64_t rows, bytes, us;
    int64_t queue_bytes;      /* bound of each queue; 0: 8 MiB */
    int64_t revoke_margin_ns; /* how long before a revoke's deadline the cycle is given up */
} FlowLimits;

typedef struct FlowRejectSpec {
    bool allowed; /* else the first refused row ends the run, named */
    Sink *sink;   /* where rejects go; NULL: the sink's own REJECT port */
    Str name;
    FlowRejectShape shape;
    const Str *key; /* names refused rows */
    int32_t key_count;
} FlowRejectSpec;

/* Who is told what happens, from the writer's thread. Each may be NULL. */
typedef struct FlowObserver {
    void (*progress)(void *arg, const FlowProgress *progress);
    /* After each committed cycle: what it did. */
    void (*committed)(void *arg, const FlowLedger *cycle);
    /* Parts of the cycle that was just undone: another process took them over in the target. */
    void (*fenced)(void *arg, const int32_t *parts, int32_t count);
    void *arg;
} FlowObserver;

/* How it ends before the source does. */
typedef struct FlowEnd {
    const _Atomic bool *cancelled; /* an orderly end: ERR_CANCELLED, nothing of the cycle stays */
    const _Atomic bool *stop;      /* unbounded: finish the cycle, commit, end with OK */
    int64_t stop_us; /* so long after `stop` a sink that hangs in its cycle is cancelled; 0: 20 s */
    bool drain;      /* unbounded sources: end at the first IDLE */
} FlowEnd;

/* What flows. Everything is borrowed for the time of the call. */
typedef struct FlowSpec {
    Source *source; /* described, not yet open */
    Sink *sink;
    Step *const *steps;
    int32_t step_count;
    const Schema *schema; /* of what reaches the sink */
    Str out_name;         /* table or topic of the OUT port */
    Str run_id;
    int64_t epoch;         /* of LoadState */
    const Position *start; /* NULL: the beginning */
    bool advance;          /* the position becomes the watermark */
    Str origin;            /* with `advance`: Position.origin */
    bool asks; /* SourceReq.asks: on each ASSIGN the sink is asked where the parts begin */
    FlowLimits limits;
    FlowRejectSpec rejects;
    FlowGate gate; /* check NULL: none */
    FlowObserver observer;
    FlowEnd end;
    ExprRun expr; /* now_us is taken anew for each cycle when there is more than one */
    Budget *budget;
} FlowSpec;

/* Rows by what became of them. At the end of every committed cycle, and in the result:
 * extracted = dropped + rejected + loaded (checked; a gap is ERR_INTERNAL and nothing is
 * committed). */
struct FlowLedger {
    int64_t extracted;   /* rows read, malformed ones included */
    int64_t transformed; /* rows that reached the sink */
    int64_t dropped;     /* by steps; superseded or discarded in the sink */
    int64_t rejected;
    int64_t loaded;
    int64_t bytes;
};

typedef struct FlowResult {
    FlowLedger ledger; /* of committed cycles only */
    SinkCounts counts;
    Position position;
    int64_t cycles, aborted_cycles;
    int64_t read_ns, steps_ns, stage_ns, publish_ns; /* time each spent working */
    bool outcome_was_unknown; /* a COMMIT's answer got lost and was read back */
    bool rejects_kept; /* refused rows are elsewhere (reject_sink), and their data was not committed
                        */
    int64_t gap; /* rows that were about to be written again, as the sink has them already; with
                    FlowSpec.asks, and always 0 where the source reads from where the sink says */
} FlowResult;
void flow_result_init(FlowResult *result);
void flow_result_done(FlowResult *result);

/* Opens source and sink, runs to the end, aborts on the first error of any thread. The result is
 * filled on failure too (what was committed before). Threads: one reader (polls the source also
 * while the sink stalls), one for the steps, the caller's for the sink.
 *
 * REVOKE: the reader hands it past the bound of the queues and waits on a handshake, not on a
 * queue; the writer drops that epoch's waiting batches, finishes or aborts the cycle before the
 * deadline and acknowledges. LOST, or past the deadline: abort. Nothing of a dropped epoch is ever
 * written. UNKNOWN after a commit is settled by sink_outcome.
 *
 * ASSIGN with `asks`: the reader notes it and reads on; the writer ends its cycle and asks the sink
 * (sink_take) until that answers; the reader tells the source (source_begin). A REVOKE or LOST
 * before that voids it. FENCED after a commit: the cycle is undone, the source is told which parts
 * are gone (source_fenced), and the others are read again. */
MUST_USE Status flow_run(const FlowSpec *spec, FlowResult *ret_result, Err *err);

#endif
