/* Refused rows on their way back into a pipeline's steps, and what was begun with them. */
#ifndef NEURON_REPLAY_ROWS_H
#define NEURON_REPLAY_ROWS_H

#include "work/reject/replay.h"

enum { REPLAY_STAGES_MAX = 64, REPLAY_PATH_SIZE = 4096 };

/* Rows that go into the steps at one place. */
typedef struct StageRows {
    int32_t step; /* the first step that they go through */
    int fd;       /* of the file that is loaded */
    char path[REPLAY_PATH_SIZE];
    Buf waiting; /* for it */
    Buf places;  /* of the rows, with commas between: [part, from, to] or objects of a table */
    int32_t part;
    int64_t from, to; /* not among `places` yet; from == to: nothing */
} StageRows;

/* Embedded, from {.replay, .result} to replay_rows_done. */
typedef struct ReplayRows {
    const Replay *replay;
    ReplayResult *result;
    StageRows stages[REPLAY_STAGES_MAX];
    int32_t stage_count;
    int64_t published; /* runs of this replay */
} ReplayRows;

void replay_rows_done(ReplayRows *rows);
MUST_USE Status replay_rows_add(ReplayRows *rows, const Refused *refused, Str fixed, Err *err);
/* Load them, a run for each step. Where the rows don't leave their table with these runs, what is
 * begun is kept before, so that the next replay knows which rows were published. */
MUST_USE Status replay_rows_run(ReplayRows *rows, Err *err);

/* What was begun earlier: what of it was published is marked, and the rest is as if it had never
 * been. */
MUST_USE Status replay_rows_finish(const Replay *replay, Err *err);
/* replay_pipeline.c: the first step that rows of this stage go through. */
int32_t replay_first_step(const PipelineConfig *pipeline, Str stage);
/* The pipeline under the name of its replays; texts in the arena. */
MUST_USE Status replay_pipeline(const RefusedPlace *place, Arena *arena,
                                PipelineConfig *ret_pipeline, Err *err);
/* Rows leave a table that is not beside the data (`places` as SinkReject.replayed); or what a run
 * that was not published put into the place for rejects does. One of both, the other is empty. */
MUST_USE Status replay_forget(const Replay *replay, Str run_id, Str places, Err *err);

#endif
