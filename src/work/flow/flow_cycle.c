/* One cycle of the writer: begin, write, apply, gate, ledger, rejects, commit, settled. */
#include "work/flow/flow_cycle.h"

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"

enum { OUTCOME_TRIES = 20 };

Status writer_init(Writer *self, Flow *flow, Err *err)
{
    *self = (Writer){.flow = flow, .spec = flow->spec};
    self->start_ns = clock_mono_ns();
    self->start_us = clock_now_us();
    position_init(&self->position);
    position_init(&self->begun);
    const FlowSpec *spec = flow->spec;
    if (spec->asks) self->asked = mem_zalloc((int64_t)sizeof *self->asked);
    if (spec->asks && !self->asked) return err_memory(err);
    self->one_cycle = !spec->limits.rows && !spec->limits.bytes && !spec->limits.us;
    TRY(flow_rejects_init(&self->rejects, spec, err));
    flow->result->position.handle = spec->source->handle;
    TRY(position_copy(&flow->result->position, &self->position, err));
    TRY(sink_port(spec->sink, PORT_OUT, spec->out_name, spec->schema, &self->out_port, err));
    return flow_rejects_port(&self->rejects, err);
}

void writer_done(Writer *self)
{
    while (self->pending.first) {
        PendingCommit *next = self->pending.first->next;
        position_done(&self->pending.first->position);
        mem_free(self->pending.first);
        self->pending.first = next;
    }
    flow_rejects_done(&self->rejects);
    mem_free(self->asked);
    position_done(&self->position);
    position_done(&self->begun);
}

Status cycle_begin(Writer *self, Err *err)
{
    if (self->open) return OK;
    self->open = true; /* so that it is undone, however far it came */
    self->started_ns = clock_mono_ns();
    self->ledger = (FlowLedger){0};
    self->written = 0;
    self->cycle_bytes = 0;
    TRY(sink_begin(self->spec->sink, self->cycle, err));
    /* Many cycles: only those with refused rows bother the place for them. */
    return self->one_cycle ? flow_rejects_begin(&self->rejects, self->cycle, err) : OK;
}

/* An item is of one part, so that what adds up here adds up for each part. */
static Status item_check(const FlowItem *item, Err *err)
{
    int64_t rows = item->batch ? item->batch->rows : 0;
    if (item->extracted == item->dropped + item->rejected + item->held + rows) return OK;
    (void)err_set(err, ERR_INTERNAL,
                  "the ledger has a gap in part %d: extracted %lld, dropped %lld, rejected %lld, "
                  "held %lld, passed on %lld",
                  item->span.part, (long long)item->extracted, (long long)item->dropped,
                  (long long)item->rejected, (long long)item->held, (long long)rows);
    return err_hint(err, "nothing was published; please report this with the configuration");
}

static Status part_begun(Writer *self, const FlowItem *item, Err *err)
{
    const FlowRejectShape *shape = &self->spec->rejects.shape;
    if (!shape->committed || !item->has_span) return OK;
    if (position_next(&self->begun, item->span.part) >= 0) return OK;
    Span before = {.part = item->span.part, .next = item->span.first};
    TRY(position_merge(&self->begun, &before, err));
    shape->committed(shape->arg, &self->begun);
    return OK;
}

/* What the sink has already must not come again: it would be loaded twice. */
static Status overlap_check(Writer *self, const FlowItem *item, Err *err)
{
    if (!self->spec->asks || !item->has_span) return OK;
    int64_t known = position_next(&self->position, item->span.part);
    if (item->span.first >= known) return OK;
    self->flow->result->gap += int64_min(known, item->span.next) - item->span.first;
    (void)err_set(err, ERR_INTERNAL,
                  "the ledger has a gap in part %d: rows from %lld on were read, but the target has"
                  " them up to %lld",
                  item->span.part, (long long)item->span.first, (long long)known);
    return err_hint(err, "nothing was published; please report this with the configuration");
}

/* Steps that had held nothing back have an item at the end all the same. */
static bool is_empty(const FlowItem *item)
{
    return !item->has_span && !item->batch && !item->rejects && !item->step_rejects &&
           !item->extracted && !item->dropped && !item->held;
}

Status cycle_item(Writer *self, FlowItem *item, Err *err)
{
    TRY(item_check(item, err));
    if (is_empty(item)) return OK;
    TRY(overlap_check(self, item, err));
    TRY(cycle_begin(self, err));
    TRY(part_begun(self, item, err));
    self->ledger.extracted += item->extracted;
    self->ledger.dropped += item->dropped;
    self->ledger.rejected += item->rejected;
    self->held += item->held;
    FlowRejects *rejects = &self->rejects;
    if (item->rejects) TRY(flow_rejects_write(rejects, self->cycle, item->rejects, err));
    if (item->step_rejects) TRY(flow_rejects_write(rejects, self->cycle, item->step_rejects, err));
    if (item->batch) {
        self->written += item->batch->rows;
        self->ledger.transformed += item->batch->rows;
        self->cycle_bytes += batch_bytes(item->batch);
        TRY(flow_rejects_keep(rejects, item->batch, err));
        TRY(sink_write(self->spec->sink, self->out_port, item->batch, &rejects->refused, err));
        int64_t refused = 0;
        TRY(flow_rejects_take(rejects, self->cycle, &refused, err));
        self->ledger.rejected += refused;
        self->written -= refused;
    }
    if (!item->has_span) return OK;
    self->ledger.bytes += item->span.bytes;
    return position_merge(&self->position, &item->span, err);
}

static Status ledger_check(const Writer *self, Err *err)
{
    const FlowLedger *l = &self->ledger;
    if (l->extracted == l->dropped + l->rejected + l->loaded + self->held) return OK;
    (void)err_set(err, ERR_INTERNAL,
                  "the ledger has a gap: extracted %lld, dropped %lld, rejected %lld, loaded %lld,"
                  " held %lld",
                  (long long)l->extracted, (long long)l->dropped, (long long)l->rejected,
                  (long long)l->loaded, (long long)self->held);
    return err_hint(err, "nothing was published; please report this with the configuration");
}

static SinkRun run_record(const Writer *self, const SinkCounts *counts)
{
    const FlowLedger *l = &self->ledger;
    return (SinkRun){
        .run_id = self->spec->run_id,
        .started_us = self->start_us,
        .extracted = l->extracted,
        .transformed = l->transformed,
        .dropped = l->dropped,
        .rejected = l->rejected,
        .counts = *counts,
        .advance = self->spec->advance,
        .from = &self->flow->result->position,
    };
}

/* The answer to a COMMIT got lost: ask until the sink knows. */
static Status outcome_ask(Writer *self, Sink *sink, Err *err)
{
    self->flow->result->outcome_was_unknown = true;
    Outcome outcome = OUTCOME_UNKNOWN;
    SinkCounts counts = {0};
    for (int32_t i = 0; i < OUTCOME_TRIES && outcome == OUTCOME_UNKNOWN; i++) {
        TRY(sink_outcome(sink, self->spec->run_id, self->cycle, &outcome, &counts, err));
    }
    if (outcome == OUTCOME_COMMITTED) return OK;
    if (outcome == OUTCOME_NOT_COMMITTED) {
        (void)err_set(err, ERR_CONNECT, "the connection was lost at COMMIT; nothing was committed");
        return err_hint(err, "run again");
    }
    (void)err_set(err, ERR_CONNECT, "the connection was lost at COMMIT; its outcome is not known");
    return err_hint(err,
                    "run again when the target is back; what the run %.*s did, if it was"
                    " committed, is stored there under this id",
                    STR_ARG(self->spec->run_id));
}

static void rejects_ended(const Writer *self, FlowRejectsEnd end)
{
    const FlowRejectShape *shape = &self->spec->rejects.shape;
    if (shape->ended) shape->ended(shape->arg, end);
    if (shape->committed && end == REJECTS_DONE) shape->committed(shape->arg, &self->position);
}

/* Rejects that go elsewhere are there before the data, so that none is lost; how far the source is
 * committed is for the data's sink alone to say: a Kafka sink that committed the group's offsets
 * with the rejects would take data for loaded that isn't yet. */
static Status commit_rejects(Writer *self, const SinkRun *run, bool *ret_again, Err *err)
{
    if (!self->rejects.open) return OK;
    Sink *sink = self->rejects.sink;
    SinkCounts ignored = {0};
    CommitResult result = COMMIT_DONE;
    const FlowRejectShape *shape = &self->spec->rejects.shape;
    Position position = self->position; /* borrowed */
    position.handle = NULL;
    SinkRun rejects_run = *run;
    rejects_run.keep = shape->keep;
    rejects_run.keep_arg = shape->arg;
    bool held = true;
    TRY(sink_claim(self->spec->sink, &self->position, run, &held, err));
    *ret_again = !held;
    if (!held) return OK;
    TRY(sink_apply(sink, NULL, &ignored, err));
    TRY(sink_commit(sink, &position, &rejects_run, &result, err));
    *ret_again = result == COMMIT_AGAIN;
    if (*ret_again) return OK;
    self->rejects.open = false;
    if (result == COMMIT_UNKNOWN) TRY(outcome_ask(self, sink, err));
    self->flow->result->rejects_kept = true;
    rejects_ended(self, REJECTS_KEPT);
    return OK;
}

static Status pending_add(Writer *self, Err *err)
{
    PendingCommit *pending = mem_zalloc((int64_t)sizeof *pending);
    if (!pending) return err_memory(err);
    pending->cycle = self->cycle;
    position_init(&pending->position);
    if (position_copy(&self->position, &pending->position, err) != OK) {
        position_done(&pending->position);
        mem_free(pending);
        return FAIL;
    }
    if (self->pending.last) self->pending.last->next = pending;
    else self->pending.first = pending;
    self->pending.last = pending;
    return OK;
}

static Status settle(Writer *self, const Position *position, Err *err)
{
    Position *committed = &self->flow->result->position;
    TRY(source_settled(self->spec->source, position, err));
    if (!self->spec->asks) return position_copy(position, committed, err);
    position_advance(position, committed);
    return OK;
}

/* Settle the completed prefix of pending cycles. */
Status pending_settle(Writer *self, Err *err)
{
    while (self->pending.first) {
        Outcome outcome = OUTCOME_UNKNOWN;
        SinkCounts counts = {0};
        TRY(sink_outcome(self->spec->sink, self->spec->run_id, self->pending.first->cycle, &outcome,
                         &counts, err));
        if (outcome == OUTCOME_UNKNOWN) return OK;
        if (outcome == OUTCOME_NOT_COMMITTED) {
            return err_set(err, ERR_CONNECT, "rows of an earlier cycle were not delivered");
        }
        PendingCommit *done = self->pending.first;
        TRY(settle(self, &done->position, err));
        self->pending.first = done->next;
        if (!self->pending.first) self->pending.last = NULL;
        position_done(&done->position);
        mem_free(done);
    }
    return OK;
}

static void result_add(FlowResult *result, const FlowLedger *ledger, const SinkCounts *counts)
{
    result->ledger.extracted += ledger->extracted;
    result->ledger.transformed += ledger->transformed;
    result->ledger.dropped += ledger->dropped;
    result->ledger.rejected += ledger->rejected;
    result->ledger.loaded += ledger->loaded;
    result->ledger.bytes += ledger->bytes;
    result->counts.loaded += counts->loaded;
    result->counts.inserted += counts->inserted;
    result->counts.updated += counts->updated;
    result->counts.unchanged += counts->unchanged;
    result->counts.deleted += counts->deleted;
    result->counts.superseded += counts->superseded;
    result->counts.discarded += counts->discarded;
    result->counts.rejected += counts->rejected;
    result->cycles++;
}

static Status cycle_apply(Writer *self, SinkCounts *ret_counts, Err *err)
{
    self->spec->sink->incomplete = self->ledger.rejected > 0;
    TRY(sink_apply(self->spec->sink, &self->rejects.refused, ret_counts, err));
    int64_t refused = 0;
    TRY(flow_rejects_take(&self->rejects, self->cycle, &refused, err));
    self->ledger.rejected += refused;
    self->ledger.dropped += ret_counts->superseded + ret_counts->discarded;
    self->ledger.loaded = ret_counts->loaded;
    return ledger_check(self, err);
}

/* What goes into the position beside how far the source was read. */
static Status position_complete(Writer *self, Err *err)
{
    const FlowSpec *spec = self->spec;
    CLEANUP(buf_done) Buf steps = buf_make(1 << 24);
    TRY(source_observe(spec->source, &self->position, err));
    TRY(position_keep(&self->position.origin, spec->origin, err));
    if (!self->one_cycle) return OK; /* steps are ahead of the writer */
    TRY(step_chain_save(spec->steps, spec->step_count, &steps, err));
    return position_keep(&self->position.steps, buf_str(&steps), err);
}

/* *ret_again true: nothing was committed, and the cycle is to be undone and done again. */
Status cycle_commit(Writer *self, bool *ret_again, Err *err)
{
    *ret_again = false;
    if (!self->open) return OK;
    const FlowSpec *spec = self->spec;
    int64_t start_ns = clock_mono_ns();
    SinkCounts counts = {0};
    TRY(cycle_apply(self, &counts, err));
    SinkRun run = run_record(self, &counts);
    if (spec->gate.check) TRY(spec->gate.check(spec->gate.arg, spec->sink, &run, err));
    TRY(commit_rejects(self, &run, ret_again, err));
    if (*ret_again) return OK;
    if (spec->advance) TRY(position_complete(self, err));
    CommitResult result = COMMIT_DONE;
    TRY(sink_commit(spec->sink, &self->position, &run, &result, err));
    *ret_again = result == COMMIT_AGAIN || result == COMMIT_FENCED;
    if (*ret_again) return OK;
    if (result == COMMIT_UNKNOWN) TRY(outcome_ask(self, spec->sink, err));
    self->open = false;
    self->flow->result->rejects_kept = false;
    TRY(flow_rejects_forget(&self->rejects, err));
    rejects_ended(self, REJECTS_DONE);
    result_add(self->flow->result, &self->ledger, &counts);
    /* A sink that knows where its parts are has committed when it says so. */
    assert(result != COMMIT_PENDING || !spec->asks);
    if (result == COMMIT_PENDING) TRY(pending_add(self, err));
    else TRY(settle(self, &self->position, err));
    self->cycle++;
    if (spec->observer.committed) spec->observer.committed(spec->observer.arg, &self->ledger);
    self->flow->result->publish_ns += clock_mono_ns() - start_ns;
    return OK;
}

Status cycle_abort(Writer *self, Err *err)
{
    if (!self->open) return OK;
    TRY(sink_abort(self->spec->sink, err));
    if (self->rejects.open) TRY(sink_abort(self->rejects.sink, err));
    self->rejects.open = false;
    TRY(flow_rejects_forget(&self->rejects, err));
    rejects_ended(self, REJECTS_UNDONE);
    self->open = false;
    self->held = 0;
    self->flow->result->aborted_cycles++;
    atomic_fetch_add(&self->flow->generation, 1);
    return position_copy(&self->flow->result->position, &self->position, err);
}
