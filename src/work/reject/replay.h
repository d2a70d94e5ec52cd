/* Gives refused rows back, fixed or as they were. */
#ifndef NEURON_REPLAY_H
#define NEURON_REPLAY_H

#include "work/reject/refused_causes.h"

typedef struct Replay {
    const RefusedPlace *place;
    const RefusedEnv *env;
    Str fix;        /* select list over the row; empty: as it is */
    Str cause;      /* only this one; empty: all */
    bool all;       /* also what was replayed before */
    bool dry_run;   /* nothing is written */
    Causes *causes; /* with their marks; those of what was replayed advance */
    /* Each row with what becomes of it (`fixed` STR_NULL: it stays, `why` says why). May be NULL.
     */
    Status (*show)(void *arg, const Refused *refused, Str fixed, Str why, Err *err);
    void *show_arg;
    /* What was marked up to now was written: keep the marks. */
    Status (*keep)(void *arg, Err *err);
    /* What a pipeline's replay is about to do (JSON; empty: it is done), on disk when it returns.
     */
    Status (*begin)(void *arg, Str begun, Err *err);
    void *keep_arg; /* of both */
    int64_t epoch;  /* of a pipeline's replays, by replay_epoch before anything of this was read */
    Str begun;      /* what the last one was about to do and did not say it had done */
} Replay;

typedef struct ReplayResult {
    int64_t replayed;
    int64_t before;   /* replayed earlier, left out */
    int64_t skipped;  /* no JSON objects, cut, or --fix failed on them: they stay */
    int64_t cut;      /* of those: only their beginning is kept */
    int64_t loaded;   /* pipelines: of the replayed; the rest was filtered */
    int64_t rejected; /* pipelines: refused again, which are rejects anew; not among the replayed */
} ReplayResult;

/* Where the pipeline's replays stand in the target: of two at one time one is fenced off, and loads
 * nothing. 0 for streams. */
MUST_USE Status replay_epoch(const RefusedPlace *place, const RefusedEnv *env, int64_t *ret_epoch,
                             Err *err);

/* Streams: messages go to the topic that the stream reads. Pipelines: rows go through the steps
 * from the one that refused them on, as runs of "name.rejects", one for each such step. What an
 * earlier replay published before it was ended is marked first, and is not loaded again. */
MUST_USE Status replay_run(const Replay *replay, ReplayResult *ret_result, Err *err);

#endif
