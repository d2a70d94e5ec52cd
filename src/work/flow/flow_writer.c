/* The writer: takes items, ends cycles in time, answers the reader. */
#include "foundation/base/clock.h"
#include "work/flow/flow_cycle.h"
#include "work/flow/flow_failure.h"
#include "work/flow/flow_threads.h"

#define WRITER_TICK_NS INT64_C(50000000)
#define PROGRESS_NS INT64_C(100000000)
#define TAKE_AGAIN_NS INT64_C(300000000)

/* Parts are ours no more: nothing of them is carried along. */
static void parts_forget(Writer *self, const int32_t *parts, int32_t count)
{
    const FlowRejectShape *shape = &self->spec->rejects.shape;
    for (int32_t i = 0; i < count; i++) {
        position_remove(&self->position, parts[i]);
        position_remove(&self->flow->result->position, parts[i]);
    }
    if (shape->gone && count > 0) shape->gone(shape->arg, parts, count);
}

/* The cycle was undone: what of it another process has now is told to the source by the reader. */
static void parts_fenced(Writer *self)
{
    const FlowSpec *spec = self->spec;
    Handshake *r = &self->flow->handshake;
    int32_t count = 0;
    if (!spec->asks) return;
    pthread_mutex_lock(&r->mutex);
    for (int32_t i = 0; i < self->position.count && count < FLOW_REVOKED_MAX; i++) {
        int32_t part = self->position.parts[i].part;
        if (!sink_holds(spec->sink, part)) r->fenced[count++] = part;
    }
    r->fenced_count = count;
    pthread_mutex_unlock(&r->mutex);
    if (count == 0) return;
    parts_forget(self, r->fenced, count);
    if (spec->observer.fenced) spec->observer.fenced(spec->observer.arg, r->fenced, count);
}

/* Undo the cycle, which wasn't committed. */
static Status cycle_undo(Writer *self, Err *err)
{
    TRY(cycle_abort(self, err));
    parts_fenced(self);
    return OK;
}

/* The reader cancelled a sink that hung past a revoke's deadline, whatever it was at: the cycle is
 * undone, and work goes on. What became of its COMMIT the epoch or the parts' fences know. */
static bool was_cut_off(Writer *self, Err *err)
{
    Handshake *r = &self->flow->handshake;
    pthread_mutex_lock(&r->mutex);
    bool cut = r->asked && !r->answered && r->cut;
    pthread_mutex_unlock(&r->mutex);
    cut = cut && err->kind == ERR_CANCELLED && !flow_is_cancelled(self->flow->spec);
    if (cut) err_clear(err);
    return cut;
}

/* Sinks that were cancelled begin anew. */
static Status sinks_wake(Writer *self, Err *err)
{
    const FlowSpec *spec = self->spec;
    TRY(sink_abort(spec->sink, err));
    bool other = spec->rejects.sink && spec->rejects.sink != spec->sink;
    return other ? sink_abort(spec->rejects.sink, err) : OK;
}

static void revoked_forget(Writer *self)
{
    Handshake *r = &self->flow->handshake;
    FlowTake *take = &self->flow->take;
    if (!self->spec->asks) return;
    /* The reader waits for the answer: nobody changes them meanwhile. */
    parts_forget(self, r->parts, r->part_count);
    if (take->voided) parts_forget(self, take->parts, take->part_count);
    take->voided = false;
}

/* A revoke is asked for: finish the cycle while there is time, else undo it; then answer. */
static Status handshake_answer(Writer *self, Err *err)
{
    Handshake *r = &self->flow->handshake;
    pthread_mutex_lock(&r->mutex);
    bool asked = r->asked && !r->answered;
    bool late = r->lost || clock_mono_ns() + self->spec->limits.revoke_margin_ns >= r->deadline_ns;
    pthread_mutex_unlock(&r->mutex);
    if (!asked) return OK;
    bool aborted = self->open && late;
    Status status = aborted ? OK : cycle_commit(self, &aborted, err);
    if (status != OK && was_cut_off(self, err)) {
        status = OK;
        aborted = true;
    }
    if (status == OK && aborted) status = cycle_undo(self, err);
    if (status == OK) status = pending_settle(self, err);
    if (status == OK) revoked_forget(self);
    pthread_mutex_lock(&r->mutex);
    if (status == OK && r->cut) status = sinks_wake(self, err);
    r->aborted = aborted;
    if (status == OK && aborted) status = position_copy(&self->position, &r->position, err);
    r->answered = true;
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
    return status;
}

static void rewind_ask(Writer *self, Err *err, Status *status)
{
    Handshake *r = &self->flow->handshake;
    pthread_mutex_lock(&r->mutex);
    *status = position_copy(&self->position, &r->rewind_to, err);
    r->rewind = *status == OK;
    pthread_mutex_unlock(&r->mutex);
}

/* Until the reader has gone back; it may meanwhile ask for something itself. */
static Status rewind_wait(Writer *self, Err *err)
{
    Handshake *r = &self->flow->handshake;
    for (;;) {
        TRY(handshake_answer(self, err));
        if (atomic_load(&self->flow->failed) || flow_is_cancelled(self->flow->spec)) {
            return err_set(err, ERR_CANCELLED, "cancelled");
        }
        bool gone = atomic_load(&self->flow->readers_open) == 0;
        pthread_mutex_lock(&r->mutex);
        if (r->rewind && !gone) {
            (void)thread_cond_wait(&r->cond, &r->mutex, clock_mono_ns() + WRITER_TICK_NS);
        }
        bool done = !r->rewind;
        pthread_mutex_unlock(&r->mutex);
        if (done) return OK;
        if (gone) return err_set(err, ERR_CONNECT, "the last cycle could not be committed");
    }
}

static bool is_stopping(const Writer *self)
{
    return self->spec->end.stop && atomic_load(self->spec->end.stop);
}

/* Commit; where the sink says so, undo the cycle and read it again. */
static Status cycle_end(Writer *self, Err *err)
{
    bool again = false;
    TRY(cycle_commit(self, &again, err));
    if (!again) return OK;
    TRY(cycle_undo(self, err));
    /* Nobody reads any more; what was undone stays with the source for the next run. */
    if (is_stopping(self)) return OK;
    Status status;
    rewind_ask(self, err, &status);
    return status == OK ? rewind_wait(self, err) : FAIL;
}

/* ---- taking parts over ---- */

/* A copy of what is asked for; count 0: nothing. */
static void take_asked(Writer *self, FlowTake *to)
{
    const FlowTake *take = &self->flow->take;
    pthread_mutex_lock(&self->flow->handshake.mutex);
    bool asked = take->asked && !take->answered;
    to->epoch = take->epoch;
    to->part_count = asked ? take->part_count : 0;
    memcpy(to->parts, take->parts, (size_t)to->part_count * sizeof *to->parts);
    pthread_mutex_unlock(&self->flow->handshake.mutex);
}

static Status take_answer(Writer *self, int64_t epoch, const Position *from, Err *err)
{
    FlowTake *take = &self->flow->take;
    const FlowRejectShape *shape = &self->spec->rejects.shape;
    for (int32_t i = 0; i < from->count; i++) {
        const PartPosition *at = &from->parts[i];
        TRY(position_put(&self->flow->result->position, at->part, at->next, err));
        TRY(position_put(&self->position, at->part, at->next, err));
        position_remove(&self->begun, at->part);
    }
    if (shape->taken) TRY(shape->taken(shape->arg, from, err));
    pthread_mutex_lock(&self->flow->handshake.mutex);
    Status status = OK;
    if (take->asked && take->epoch == epoch) {
        status = position_copy(from, &take->from, err);
        take->answered = status == OK;
    }
    pthread_mutex_unlock(&self->flow->handshake.mutex);
    return status;
}

static Status take_parts(Writer *self, const FlowTake *asked, Err *err)
{
    Position from;
    bool taken = false;
    position_init(&from);
    Status status =
        sink_take(self->spec->sink, asked->parts, asked->part_count, &from, &taken, err);
    if (status == OK && taken) status = take_answer(self, asked->epoch, &from, err);
    if (status == OK && !taken) self->take_ns = clock_mono_ns() + TAKE_AGAIN_NS;
    position_done(&from);
    return status;
}

/* Parts were assigned: the sink is asked where they begin, in between two cycles. */
static Status writer_take(Writer *self, Err *err)
{
    FlowTake *asked = self->asked;
    if (!asked || clock_mono_ns() < self->take_ns) return OK;
    take_asked(self, asked);
    if (asked->part_count == 0) return OK;
    TRY(cycle_end(self, err));
    take_asked(self, asked);
    return asked->part_count > 0 ? take_parts(self, asked, err) : OK;
}

static bool cycle_is_full(const Writer *self)
{
    const FlowSpec *spec = self->spec;
    if (!self->open) return false;
    int64_t age_us = (clock_mono_ns() - self->started_ns) / 1000;
    return (spec->limits.rows && self->ledger.extracted >= spec->limits.rows) ||
           (spec->limits.bytes && self->cycle_bytes >= spec->limits.bytes) ||
           (spec->limits.us && age_us >= spec->limits.us);
}

static void writer_progress(Writer *self, const char *phase)
{
    const FlowSpec *spec = self->spec;
    int64_t now_ns = clock_mono_ns();
    if (!spec->observer.progress || now_ns - self->progress_ns < PROGRESS_NS) return;
    self->progress_ns = now_ns;
    const FlowLedger *done = &self->flow->result->ledger;
    const FlowLedger open = self->open ? self->ledger : (FlowLedger){0};
    FlowProgress progress = {
        .extracted = done->extracted + open.extracted,
        .loaded = done->loaded + (self->open ? self->written : 0),
        .rejected = done->rejected + open.rejected,
        .bytes = done->bytes + open.bytes,
        .elapsed_ns = now_ns - self->start_ns,
        .rows_estimate = -1,
        .phase = phase,
    };
    spec->observer.progress(spec->observer.arg, &progress);
}

/* Everything was read: the reader may go, unless the last cycle has to be read again. */
static Status last_item(Writer *self, const FlowItem *item, Err *err)
{
    Handshake *r = &self->flow->handshake;
    if (item->generation != atomic_load(&self->flow->generation)) return OK;
    TRY(cycle_end(self, err));
    if (item->generation != atomic_load(&self->flow->generation)) return OK;
    pthread_mutex_lock(&r->mutex);
    atomic_store(&self->flow->ending, true);
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
    return OK;
}

static Status writer_item(Writer *self, FlowItem *item, bool *ret_end, Err *err)
{
    CLEANUP(flow_item_free_p) FlowItem *owned = item;
    if (flow_item_is_stale(self->flow, owned)) return OK;
    switch (owned->kind) {
    case ITEM_ROWS: {
        int64_t start_ns = clock_mono_ns();
        TRY(cycle_item(self, owned, err));
        self->flow->result->stage_ns += clock_mono_ns() - start_ns;
        return OK;
    }
    case ITEM_IDLE:
        return self->spec->end.drain ? last_item(self, owned, err) : OK;
    case ITEM_LAST:
        return last_item(self, owned, err);
    case ITEM_END:
        *ret_end = true;
        return OK;
    case ITEM_WAKE:
        return OK;
    }
    return OK;
}

/* A cycle that is over by time ends then, not at the next tick. */
static int64_t next_look_ns(const Writer *self)
{
    int64_t tick_ns = clock_mono_ns() + WRITER_TICK_NS;
    if (!self->open || !self->spec->limits.us) return tick_ns;
    return int64_min(tick_ns, self->started_ns + self->spec->limits.us * 1000);
}

static Status writer_step(Writer *self, bool *ret_end, Err *err)
{
    void *taken = NULL;
    QueueResult result = queue_pop(self->flow->write_queue, next_look_ns(self), &taken);
    if (result == QUEUE_CLOSED) return err_set(err, ERR_CANCELLED, "stopped");
    if (result == QUEUE_OK) TRY(writer_item(self, taken, ret_end, err));
    return cycle_is_full(self) ? cycle_end(self, err) : OK;
}

static Status writer_loop(Writer *self, Err *err)
{
    bool end = false;
    while (!end) {
        TRY(handshake_answer(self, err));
        if (flow_is_cancelled(self->flow->spec)) return err_set(err, ERR_CANCELLED, "cancelled");
        Status status = writer_take(self, err);
        if (status == OK) status = writer_step(self, &end, err);
        if (status != OK && !was_cut_off(self, err)) return FAIL;
        if (self->pending.first) TRY(pending_settle(self, err));
        writer_progress(self, "read");
    }
    return OK;
}

/* Wait until every pending cycle is decided. */
static Status pending_drain(Writer *self, Err *err)
{
    while (self->pending.first) {
        if (flow_is_cancelled(self->flow->spec)) return err_set(err, ERR_CANCELLED, "cancelled");
        TRY(pending_settle(self, err));
    }
    return OK;
}

static Status writer_run(Writer *self, Err *err)
{
    /* One cycle: an empty source publishes too (a run record, an empty file). */
    if (self->one_cycle) TRY(cycle_begin(self, err));
    TRY(writer_loop(self, err));
    self->progress_ns = 0;
    writer_progress(self, "publish");
    TRY(cycle_end(self, err));
    return pending_drain(self, err);
}

Status flow_write(Flow *flow, Err *err)
{
    Writer writer;
    Status status = writer_init(&writer, flow, err);
    if (status == OK) status = writer_run(&writer, err);
    if (status != OK) {
        Handshake *r = &flow->handshake;
        pthread_mutex_lock(&r->mutex);
        r->answered = true;
        pthread_cond_broadcast(&r->cond);
        pthread_mutex_unlock(&r->mutex);
    }
    writer_done(&writer);
    return status;
}
