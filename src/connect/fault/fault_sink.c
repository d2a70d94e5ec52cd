/* A sink that keeps rows and position of a cycle apart until commit, and fails as the dice say. */
#include <stdatomic.h>

#include "connect/fault/fault_impl.h"
#include "connect/sink_parts.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/thread.h"

enum { FAULT_ASKED_MAX = 3 };

/* One row that was written but not committed. */
typedef struct FaultRow {
    int32_t part;
    int64_t row;
    bool refused;
} FaultRow;

/* A cycle whose commit is decided when it is asked for the n-th time. */
typedef struct FaultCycle {
    bool committed;
    int32_t asked;
} FaultCycle;

typedef struct FaultSink {
    Sink sink;
    FaultWorld *world;
    FaultRow *rows;
    int64_t count, capacity;
    int64_t cycle;
    FaultCycle answers[4096];
    SinkParts parts;
    pthread_cond_t cancel_cond;
    _Atomic bool cancelled;
} FaultSink;

static const SinkOps FAULT_SINK_OPS;

static Status fault_sink_open(Sink *sink UNUSED, Str run_id UNUSED, int64_t epoch UNUSED,
                              Err *err UNUSED)
{
    return OK;
}

static Status fault_sink_port(Sink *sink UNUSED, SinkPortKind kind, Str name UNUSED,
                              const Schema *schema UNUSED, int32_t *ret_port, Err *err UNUSED)
{
    *ret_port = kind == PORT_REJECT;
    return OK;
}

/* Hang until somebody cancels, as a dead server does. The mutex is held. */
static Status stall(FaultSink *self, Err *err)
{
    FaultWorld *w = self->world;
    w->tally.stalls++;
    int64_t end_ns = clock_mono_ns() + 2 * w->revoke_after_ns;
    while (!atomic_load(&self->cancelled) && clock_mono_ns() < end_ns) {
        (void)thread_cond_wait(&self->cancel_cond, &w->mutex, end_ns);
    }
    return atomic_load(&self->cancelled) ? err_set(err, ERR_CANCELLED, "cancelled") : OK;
}

/* ---- parts ---- */

static Status fault_sink_take(Sink *sink, const int32_t *parts, int32_t count, Position *ret_from,
                              bool *ret_taken, Err *err)
{
    FaultSink *self = SINK_SELF(FaultSink, FAULT_SINK_OPS, sink);
    FaultWorld *w = self->world;
    Status status = OK;
    pthread_mutex_lock(&w->mutex);
    if (atomic_load(&self->cancelled)) status = err_set(err, ERR_CANCELLED, "cancelled");
    else if (fault_happens(w, w->odds.hang)) status = stall(self, err);
    *ret_taken = !fault_happens(w, w->odds.busy);
    for (int32_t i = 0; i < count && *ret_taken && status == OK; i++) {
        int32_t part = parts[i];
        int64_t next = w->position[part] ? w->position[part] : -1;
        status = sink_parts_put(&self->parts, part, next, ++w->fence[part], err);
        if (status == OK) status = position_put(ret_from, part, next, err);
    }
    pthread_mutex_unlock(&w->mutex);
    return status;
}

static bool fault_sink_holds(const Sink *sink, int32_t part)
{
    return sink_parts_hold(&SINK_SELF(const FaultSink, FAULT_SINK_OPS, sink)->parts, part);
}

/* The world's mutex is held. */
static bool held_now(FaultSink *self, const Position *position, const SinkRun *run)
{
    FaultWorld *w = self->world;
    bool held = sink_parts_move(&self->parts, run->from, position);
    for (int32_t i = 0; i < self->parts.count; i++) {
        SinkPart *part = &self->parts.items[i];
        int64_t next = w->position[part->part] ? w->position[part->part] : -1;
        if (part->moves < 0) continue;
        part->held &= w->fence[part->part] == part->fence && next == part->next;
        held &= part->held;
    }
    return held;
}

static Status fault_sink_claim(Sink *sink, const Position *position, const SinkRun *run,
                               bool *ret_held, Err *err UNUSED)
{
    FaultSink *self = SINK_SELF(FaultSink, FAULT_SINK_OPS, sink);
    pthread_mutex_lock(&self->world->mutex);
    *ret_held = held_now(self, position, run);
    pthread_mutex_unlock(&self->world->mutex);
    return OK;
}

enum { FAULT_AGAIN_LEFT = 3000 };

static int64_t rows_left(const FaultWorld *w)
{
    int64_t left = 0;
    for (int32_t i = 0; i < w->parts; i++) left += w->rows - w->position[i];
    return left;
}

enum { FAULT_RIVAL_ROWS = 30 };

/* Another process takes a part over, and commits some rows of it (not near the end, where nobody
 * would go on). The world's mutex is held. */
static void rival(FaultWorld *w)
{
    if (rows_left(w) <= FAULT_AGAIN_LEFT || !fault_happens(w, w->odds.rival)) return;
    int32_t part = (int32_t)fault_dice(w, w->parts);
    int64_t rows = fault_dice(w, FAULT_RIVAL_ROWS);
    if (w->rows - w->position[part] <= rows) return;
    w->fence[part]++;
    w->tally.rivals++;
    w->tally.rival_rows += rows;
    for (int64_t i = 0; i < rows; i++) w->committed[part][w->position[part]++]++;
}

static Status fault_sink_begin(Sink *sink, int64_t cycle, Err *err)
{
    FaultSink *self = SINK_SELF(FaultSink, FAULT_SINK_OPS, sink);
    Status status = OK;
    self->cycle = cycle;
    self->count = 0;
    if (atomic_load(&self->cancelled)) return err_set(err, ERR_CANCELLED, "cancelled");
    pthread_mutex_lock(&self->world->mutex);
    if (fault_happens(self->world, self->world->odds.hang)) status = stall(self, err);
    pthread_mutex_unlock(&self->world->mutex);
    return status;
}

static Status row_add(FaultSink *self, FaultRow row, Err *err)
{
    if (self->count == self->capacity) {
        int64_t capacity = int64_max(self->capacity * 2, 64);
        FaultRow *rows = mem_realloc(self->rows, capacity * (int64_t)sizeof *rows);
        if (!rows) return err_memory(err);
        self->rows = rows;
        self->capacity = capacity;
    }
    self->rows[self->count++] = row;
    return OK;
}

static Status write_locked(FaultSink *self, const Batch *batch, Err *err)
{
    FaultWorld *w = self->world;
    if (fault_happens(w, w->odds.stall)) TRY(stall(self, err));
    for (int64_t i = 0; i < batch->rows; i++) {
        FaultRow row = {.part = (int32_t)column_int64(&batch->columns[0])[i],
                        .row = column_int64(&batch->columns[1])[i]};
        /* A part that was given back has a new epoch: rows of the old one may not come. */
        w->tally.written_after_loss += !w->revoking && batch->epoch < w->epoch[row.part];
        TRY(row_add(self, row, err));
    }
    return OK;
}

static Status fault_sink_write(Sink *sink, int32_t port, Batch *batch, RejectWriter *rejects UNUSED,
                               Err *err)
{
    FaultSink *self = SINK_SELF(FaultSink, FAULT_SINK_OPS, sink);
    Status status = OK;
    pthread_mutex_lock(&self->world->mutex);
    if (port == 0) status = write_locked(self, batch, err);
    for (int64_t i = 0; port == 1 && status == OK && i < batch->rows; i++) {
        Str stage = column_text(&batch->columns[REJECT_STAGE], i);
        if (!str_eq(stage, STR("read"))) continue; /* those of apply are marked already */
        status = row_add(self,
                         (FaultRow){.part = (int32_t)column_int64(&batch->columns[REJECT_PART])[i],
                                    .row = column_int64(&batch->columns[REJECT_ROW])[i],
                                    .refused = true},
                         err);
    }
    pthread_mutex_unlock(&self->world->mutex);
    return status;
}

static Status fault_sink_apply(Sink *sink, RejectWriter *rejects, SinkCounts *counts, Err *err)
{
    FaultSink *self = SINK_SELF(FaultSink, FAULT_SINK_OPS, sink);
    FaultWorld *w = self->world;
    Status status = OK;
    pthread_mutex_lock(&w->mutex);
    *counts = (SinkCounts){0};
    for (int64_t i = 0; i < self->count && status == OK; i++) {
        FaultRow *row = &self->rows[i];
        if (row->refused) continue;
        if (!fault_happens(w, w->odds.refuse)) {
            counts->loaded++;
            continue;
        }
        row->refused = true;
        counts->rejected++;
        RejectRow reject = {.stage = STR("load"),
                            .reason = STR("refused"),
                            .data = STR("{}"),
                            .part = row->part,
                            .row = row->row};
        status = reject_writer_row(rejects, &reject, err);
    }
    counts->inserted = counts->loaded;
    pthread_mutex_unlock(&w->mutex);
    return status;
}

/* The cycle's rows and the position become visible together. */
static void make_visible(FaultSink *self, const Position *position)
{
    FaultWorld *w = self->world;
    for (int64_t i = 0; i < self->count; i++) {
        const FaultRow *row = &self->rows[i];
        uint8_t *times = row->refused ? w->rejected[row->part] : w->committed[row->part];
        times[row->row]++;
    }
    for (int32_t i = 0; i < position->count && !w->asks; i++) {
        w->position[position->parts[i].part] = position->parts[i].next;
    }
    for (int32_t i = 0; i < self->parts.count && w->asks; i++) {
        const SinkPart *part = &self->parts.items[i];
        if (part->moves >= 0) w->position[part->part] = part->moves;
    }
    w->tally.commits++;
    self->count = 0;
    sink_parts_end(&self->parts, true);
}

static Status fault_sink_commit(Sink *sink, const Position *position, const SinkRun *run,
                                CommitResult *ret_result, Err *err)
{
    FaultSink *self = SINK_SELF(FaultSink, FAULT_SINK_OPS, sink);
    FaultWorld *w = self->world;
    pthread_mutex_lock(&w->mutex);
    if (fault_happens(w, w->odds.again)) {
        w->tally.agains++;
        pthread_mutex_unlock(&w->mutex);
        *ret_result = COMMIT_AGAIN;
        return OK;
    }
    if (fault_happens(w, w->odds.hang) && stall(self, err) != OK) {
        pthread_mutex_unlock(&w->mutex);
        return FAIL;
    }
    rival(w);
    if (w->asks && !held_now(self, position, run)) {
        w->tally.fenced++;
        pthread_mutex_unlock(&w->mutex);
        *ret_result = COMMIT_FENCED;
        return OK;
    }
    FaultCycle *answer = &self->answers[self->cycle % COUNT_OF(self->answers)];
    *answer = (FaultCycle){.committed = true, .asked = (int32_t)fault_dice(w, FAULT_ASKED_MAX)};
    *ret_result = COMMIT_DONE;
    if (fault_happens(w, w->odds.pending)) *ret_result = COMMIT_PENDING;
    if (fault_happens(w, w->odds.unknown)) {
        *ret_result = COMMIT_UNKNOWN;
        w->tally.unknowns++;
    }
    make_visible(self, position);
    pthread_mutex_unlock(&w->mutex);
    return OK;
}

static Status fault_sink_outcome(Sink *sink, Str run_id UNUSED, int64_t cycle, Outcome *ret_outcome,
                                 SinkCounts *ret_counts UNUSED, Err *err UNUSED)
{
    FaultSink *self = SINK_SELF(FaultSink, FAULT_SINK_OPS, sink);
    FaultCycle *answer = &self->answers[cycle % COUNT_OF(self->answers)];
    *ret_outcome = answer->asked-- > 0 ? OUTCOME_UNKNOWN
                   : answer->committed ? OUTCOME_COMMITTED
                                       : OUTCOME_NOT_COMMITTED;
    return OK;
}

static Status fault_sink_abort(Sink *sink, Err *err UNUSED)
{
    FaultSink *self = SINK_SELF(FaultSink, FAULT_SINK_OPS, sink);
    pthread_mutex_lock(&self->world->mutex);
    self->world->tally.aborts++;
    self->count = 0;
    atomic_store(&self->cancelled, false); /* what was cancelled ends until it is undone */
    sink_parts_end(&self->parts, false);
    pthread_mutex_unlock(&self->world->mutex);
    return OK;
}

static void fault_sink_cancel(Sink *sink)
{
    FaultSink *self = SINK_SELF(FaultSink, FAULT_SINK_OPS, sink);
    pthread_mutex_lock(&self->world->mutex);
    atomic_store(&self->cancelled, true);
    pthread_cond_broadcast(&self->cancel_cond);
    pthread_mutex_unlock(&self->world->mutex);
}

static void fault_sink_close(Sink *sink)
{
    FaultSink *self = SINK_SELF(FaultSink, FAULT_SINK_OPS, sink);
    pthread_cond_destroy(&self->cancel_cond);
    sink_parts_done(&self->parts);
    mem_free(self->rows);
    mem_free(self);
}

static const SinkOps FAULT_SINK_OPS = {
    .take = fault_sink_take,
    .holds = fault_sink_holds,
    .claim = fault_sink_claim,
    .open = fault_sink_open,
    .port = fault_sink_port,
    .begin = fault_sink_begin,
    .write = fault_sink_write,
    .apply = fault_sink_apply,
    .commit = fault_sink_commit,
    .outcome = fault_sink_outcome,
    .abort = fault_sink_abort,
    .cancel = fault_sink_cancel,
    .close = fault_sink_close,
};

static const SinkReq WITH_PARTS = {.topic = {"topic", 5}};
static const SinkReq WITHOUT_PARTS = {0};

Status fault_sink_new(FaultWorld *world, Sink **ret_sink, Err *err)
{
    FaultSink *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->sink = (Sink){.ops = &FAULT_SINK_OPS, .req = world->asks ? &WITH_PARTS : &WITHOUT_PARTS};
    self->world = world;
    thread_cond_init(&self->cancel_cond);
    *ret_sink = &self->sink;
    return OK;
}
