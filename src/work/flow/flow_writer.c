/* The writer: cycles of begin, write, apply, gate, ledger, rejects, commit, settled. */
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "work/flow/flow_impl.h"

#define WRITER_TICK_NS INT64_C(50000000)
#define PROGRESS_NS INT64_C(100000000)
enum { OUTCOME_TRIES = 20, REJECT_SAMPLES_MAX = 16 << 20 };

/* A commit whose delivery is not decided yet, in order. */
typedef struct PendingCommit {
    struct PendingCommit *next;
    int64_t cycle;
    Position position;
} PendingCommit;

typedef struct Writer {
    Flow *flow;
    const FlowSpec *spec;
    int32_t out_port, reject_port;
    RejectWriter refused; /* by the sink */
    bool one_cycle;       /* everything up to the end is one cycle */
    bool open;            /* a cycle has begun */
    bool rejects_open;    /* in a reject sink of its own too */
    int64_t cycle, started_ns;
    FlowLedger ledger; /* of the open cycle */
    int64_t written, held, cycle_bytes;
    Position position; /* committed plus the open cycle */
    Position begun;    /* where reading of each part began: so far it was committed */
    PendingCommit *pending, *pending_last;
    int64_t start_ns, progress_ns, start_us;
} Writer;

static Sink *reject_sink(const Writer *self)
{
    return self->spec->reject_sink ? self->spec->reject_sink : self->spec->sink;
}

static bool rejects_elsewhere(const Writer *self)
{
    return self->spec->reject_sink && self->spec->reject_sink != self->spec->sink;
}

static Status writer_init(Writer *self, Flow *flow, Err *err)
{
    *self = (Writer){.flow = flow, .spec = flow->spec, .reject_port = -1};
    self->start_ns = clock_mono_ns();
    self->start_us = clock_now_us();
    position_init(&self->position);
    position_init(&self->begun);
    const FlowSpec *spec = flow->spec;
    self->one_cycle = !spec->cycle_rows_max && !spec->cycle_bytes_max && !spec->cycle_us_max;
    TRY(reject_writer_init(&self->refused, spec->key, spec->key_count, err));
    flow->result->position.handle = spec->source->handle;
    TRY(position_copy(&flow->result->position, &self->position, err));
    TRY(sink_port(spec->sink, PORT_OUT, spec->out_name, spec->schema, &self->out_port, err));
    if (!spec->rejects_allowed) return OK;
    CLEANUP(schema_unref_p) Schema *schema = NULL;
    if (spec->reject_shape.schema) schema = schema_ref(spec->reject_shape.schema);
    else TRY(reject_schema(&schema, err));
    return sink_port(reject_sink(self), PORT_REJECT, spec->reject_name, schema, &self->reject_port,
                     err);
}

static void writer_done(Writer *self)
{
    while (self->pending) {
        PendingCommit *next = self->pending->next;
        position_done(&self->pending->position);
        mem_free(self->pending);
        self->pending = next;
    }
    reject_writer_done(&self->refused);
    position_done(&self->position);
    position_done(&self->begun);
}

static Status rejects_begin(Writer *self, Err *err)
{
    if (self->rejects_open || !rejects_elsewhere(self)) return OK;
    TRY(sink_begin(self->spec->reject_sink, self->cycle, err));
    self->rejects_open = true;
    return OK;
}

static Status cycle_begin(Writer *self, Err *err)
{
    if (self->open) return OK;
    TRY(sink_begin(self->spec->sink, self->cycle, err));
    /* Many cycles: only those with refused rows bother the place for them. */
    if (self->one_cycle) TRY(rejects_begin(self, err));
    self->open = true;
    self->started_ns = clock_mono_ns();
    self->ledger = (FlowLedger){0};
    self->written = 0;
    self->cycle_bytes = 0;
    return OK;
}

static Str text_or_empty(const Batch *batch, int32_t column)
{
    return column_is_null(&batch->columns[column], 0) ? STR_NULL
                                                      : column_text(&batch->columns[column], 0);
}

/* A refused row where none is allowed: the run ends and says which it was. */
static Status refused_row_error(const Batch *rejects, Err *err)
{
    Str stage = text_or_empty(rejects, REJECT_STAGE);
    Str column = text_or_empty(rejects, REJECT_COLUMN);
    Str value = text_or_empty(rejects, REJECT_VALUE);
    Str key = text_or_empty(rejects, REJECT_KEY);
    int64_t row = column_int64(&rejects->columns[REJECT_ROW])[0];
    (void)err_set(err, ERR_DATA, "%.*s", STR_ARG(text_or_empty(rejects, REJECT_REASON)));
    if (column.len) (void)err_prefix(err, "column «%.*s»: ", STR_ARG(column));
    if (key.len) {
        (void)err_prefix(err, "%.*s: row %lld (key %.*s): ", STR_ARG(stage), (long long)row + 1,
                         STR_ARG(key));
    } else {
        (void)err_prefix(err, "%.*s: row %lld: ", STR_ARG(stage), (long long)row + 1);
    }
    if (value.len) (void)err_where(err, "value «%.*s»", STR_ARG(value));
    return err_hint(err, "mend the row, or set `rejects:` to a table or location for such rows");
}

static Status write_rejects(Writer *self, Batch *rejects, Err *err)
{
    const FlowRejectShape *shape = &self->spec->reject_shape;
    if (!self->spec->rejects_allowed) return refused_row_error(rejects, err);
    CLEANUP(batch_unref_p) Batch *shaped = NULL;
    if (!shape->schema) shaped = batch_ref(rejects);
    else TRY(shape->shape(shape->arg, rejects, &shaped, err));
    if (!shaped) return OK;
    TRY(rejects_begin(self, err));
    return sink_write(reject_sink(self), self->reject_port, shaped, NULL, err);
}

static Status write_refused(Writer *self, int64_t *ret_rows, Err *err)
{
    CLEANUP(batch_unref_p) Batch *refused = NULL;
    TRY(reject_writer_take(&self->refused, &refused, err));
    *ret_rows = refused ? refused->rows : 0;
    return refused ? write_rejects(self, refused, err) : OK;
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
    const FlowRejectShape *shape = &self->spec->reject_shape;
    if (!shape->committed || !item->has_span) return OK;
    if (position_next(&self->begun, item->span.part) >= 0) return OK;
    Span before = {.part = item->span.part, .next = item->span.first};
    TRY(position_merge(&self->begun, &before, err));
    shape->committed(shape->arg, &self->begun);
    return OK;
}

static Status write_item(Writer *self, FlowItem *item, Err *err)
{
    TRY(item_check(item, err));
    TRY(cycle_begin(self, err));
    TRY(part_begun(self, item, err));
    self->ledger.extracted += item->extracted;
    self->ledger.dropped += item->dropped;
    self->ledger.rejected += item->rejected;
    self->held += item->held;
    if (item->rejects) TRY(write_rejects(self, item->rejects, err));
    if (item->step_rejects) TRY(write_rejects(self, item->step_rejects, err));
    if (item->batch) {
        self->written += item->batch->rows;
        self->ledger.transformed += item->batch->rows;
        self->cycle_bytes += batch_bytes(item->batch);
        TRY(sink_write(self->spec->sink, self->out_port, item->batch, &self->refused, err));
        int64_t refused = 0;
        TRY(write_refused(self, &refused, err));
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
                    " committed, stands there under this id",
                    STR_ARG(self->spec->run_id));
}

static void rejects_ended(const Writer *self, FlowRejectsEnd end)
{
    const FlowRejectShape *shape = &self->spec->reject_shape;
    if (shape->ended) shape->ended(shape->arg, end);
    if (shape->committed && end == REJECTS_DONE) shape->committed(shape->arg, &self->position);
}

/* Rejects that go elsewhere are there before the data, so that none is lost; how far the source is
 * committed is for the data's sink alone to say: a Kafka sink that committed the group's offsets
 * with the rejects would take data for loaded that isn't yet. */
static Status commit_rejects(Writer *self, const SinkRun *run, bool *ret_again, Err *err)
{
    if (!self->rejects_open) return OK;
    Sink *sink = self->spec->reject_sink;
    SinkCounts ignored = {0};
    CommitResult result = COMMIT_DONE;
    const FlowRejectShape *shape = &self->spec->reject_shape;
    CLEANUP(buf_done) Buf samples = buf_make(REJECT_SAMPLES_MAX);
    Position position = self->position; /* borrowed */
    position.handle = NULL;
    if (shape->keep) {
        TRY(shape->keep(shape->arg, &samples, err));
        position.samples = samples;
    }
    TRY(sink_apply(sink, NULL, &ignored, err));
    TRY(sink_commit(sink, &position, run, &result, err));
    *ret_again = result == COMMIT_AGAIN;
    if (*ret_again) return OK;
    self->rejects_open = false;
    if (result == COMMIT_UNKNOWN) TRY(outcome_ask(self, sink, err));
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
    if (self->pending_last) self->pending_last->next = pending;
    else self->pending = pending;
    self->pending_last = pending;
    return OK;
}

static Status settle(Writer *self, const Position *position, Err *err)
{
    TRY(source_settled(self->spec->source, position, err));
    return position_copy(position, &self->flow->result->position, err);
}

/* Settle the completed prefix of pending cycles. */
static Status pending_settle(Writer *self, Err *err)
{
    while (self->pending) {
        Outcome outcome = OUTCOME_UNKNOWN;
        SinkCounts counts = {0};
        TRY(sink_outcome(self->spec->sink, self->spec->run_id, self->pending->cycle, &outcome,
                         &counts, err));
        if (outcome == OUTCOME_UNKNOWN) return OK;
        if (outcome == OUTCOME_NOT_COMMITTED) {
            return err_set(err, ERR_CONNECT, "rows of an earlier cycle were not delivered");
        }
        PendingCommit *done = self->pending;
        TRY(settle(self, &done->position, err));
        self->pending = done->next;
        if (!self->pending) self->pending_last = NULL;
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
    result->counts.rejected += counts->rejected;
    result->cycles++;
}

static Status cycle_apply(Writer *self, SinkCounts *ret_counts, Err *err)
{
    TRY(sink_apply(self->spec->sink, &self->refused, ret_counts, err));
    int64_t refused = 0;
    TRY(write_refused(self, &refused, err));
    self->ledger.rejected += refused;
    self->ledger.dropped += ret_counts->superseded;
    self->ledger.loaded = ret_counts->loaded;
    return ledger_check(self, err);
}

/* *ret_again true: nothing was committed, and the cycle is to be undone and done again. */
static Status cycle_commit(Writer *self, bool *ret_again, Err *err)
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
    if (spec->advance) TRY(source_observe(spec->source, &self->position, err));
    CommitResult result = COMMIT_DONE;
    TRY(sink_commit(spec->sink, &self->position, &run, &result, err));
    if (result == COMMIT_AGAIN) {
        *ret_again = true;
        return OK;
    }
    self->open = false;
    if (result == COMMIT_UNKNOWN) TRY(outcome_ask(self, spec->sink, err));
    rejects_ended(self, REJECTS_DONE);
    result_add(self->flow->result, &self->ledger, &counts);
    if (result == COMMIT_PENDING) TRY(pending_add(self, err));
    else TRY(settle(self, &self->position, err));
    self->cycle++;
    if (spec->committed) spec->committed(spec->committed_arg, &self->ledger);
    self->flow->result->publish_ns += clock_mono_ns() - start_ns;
    return OK;
}

static Status cycle_abort(Writer *self, Err *err)
{
    if (!self->open) return OK;
    TRY(sink_abort(self->spec->sink, err));
    if (self->rejects_open) TRY(sink_abort(self->spec->reject_sink, err));
    self->rejects_open = false;
    CLEANUP(batch_unref_p) Batch *ignored = NULL;
    TRY(reject_writer_take(&self->refused, &ignored, err));
    rejects_ended(self, REJECTS_UNDONE);
    self->open = false;
    self->held = 0;
    self->flow->result->aborted_cycles++;
    atomic_fetch_add(&self->flow->generation, 1);
    return position_copy(&self->flow->result->position, &self->position, err);
}

/* A revoke is asked for: finish the cycle while there is time, else undo it; then answer. */
static Status rendezvous_answer(Writer *self, Err *err)
{
    Rendezvous *r = &self->flow->rendezvous;
    pthread_mutex_lock(&r->mutex);
    bool asked = r->asked && !r->answered;
    bool late = r->lost || clock_mono_ns() + self->spec->revoke_margin_ns >= r->deadline_ns;
    pthread_mutex_unlock(&r->mutex);
    if (!asked) return OK;
    bool aborted = self->open && late;
    Status status = aborted ? OK : cycle_commit(self, &aborted, err);
    if (status == OK && aborted) status = cycle_abort(self, err);
    if (status == OK) status = pending_settle(self, err);
    pthread_mutex_lock(&r->mutex);
    r->aborted = aborted;
    if (status == OK && aborted) status = position_copy(&self->position, &r->position, err);
    r->answered = true;
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
    return status;
}

static void rewind_ask(Writer *self, Err *err, Status *status)
{
    Rendezvous *r = &self->flow->rendezvous;
    pthread_mutex_lock(&r->mutex);
    *status = position_copy(&self->position, &r->rewind_to, err);
    r->rewind = *status == OK;
    pthread_mutex_unlock(&r->mutex);
}

/* Until the reader has gone back; it may meanwhile ask for something itself. */
static Status rewind_wait(Writer *self, Err *err)
{
    Rendezvous *r = &self->flow->rendezvous;
    for (;;) {
        TRY(rendezvous_answer(self, err));
        if (atomic_load(&self->flow->failed) || flow_is_cancelled(self->flow)) {
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
    return self->spec->stop && atomic_load(self->spec->stop);
}

/* Commit; where the sink says so, undo the cycle and read it again. */
static Status cycle_end(Writer *self, Err *err)
{
    bool again = false;
    TRY(cycle_commit(self, &again, err));
    if (!again) return OK;
    TRY(cycle_abort(self, err));
    /* Nobody reads any more; what was undone stays with the source for the next run. */
    if (is_stopping(self)) return OK;
    Status status;
    rewind_ask(self, err, &status);
    return status == OK ? rewind_wait(self, err) : FAIL;
}

static bool cycle_is_full(const Writer *self)
{
    const FlowSpec *spec = self->spec;
    if (!self->open) return false;
    int64_t age_us = (clock_mono_ns() - self->started_ns) / 1000;
    return (spec->cycle_rows_max && self->ledger.extracted >= spec->cycle_rows_max) ||
           (spec->cycle_bytes_max && self->cycle_bytes >= spec->cycle_bytes_max) ||
           (spec->cycle_us_max && age_us >= spec->cycle_us_max);
}

static void writer_progress(Writer *self, const char *phase)
{
    const FlowSpec *spec = self->spec;
    int64_t now_ns = clock_mono_ns();
    if (!spec->progress || now_ns - self->progress_ns < PROGRESS_NS) return;
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
    spec->progress(spec->progress_arg, &progress);
}

static Status writer_item(Writer *self, FlowItem *item, bool *ret_end, Err *err)
{
    CLEANUP(flow_item_free_p) FlowItem *owned = item;
    if (flow_item_is_stale(self->flow, owned)) return OK;
    switch (owned->kind) {
    case ITEM_ROWS: {
        int64_t start_ns = clock_mono_ns();
        TRY(write_item(self, owned, err));
        self->flow->result->stage_ns += clock_mono_ns() - start_ns;
        return OK;
    }
    case ITEM_IDLE:
        if (self->spec->drain) atomic_store(&self->flow->ending, true);
        return OK;
    case ITEM_END:
        *ret_end = true;
        return OK;
    case ITEM_WAKE:
        return OK;
    }
    return OK;
}

/* The reader cancelled a sink that hung past a revoke's deadline: the cycle is undone, and work
 * goes on. */
static bool was_cut_off(Writer *self, const Err *err)
{
    Rendezvous *r = &self->flow->rendezvous;
    pthread_mutex_lock(&r->mutex);
    bool cut = r->asked && !r->answered && r->lost;
    pthread_mutex_unlock(&r->mutex);
    return cut && err->kind == ERR_CANCELLED && self->open && !flow_is_cancelled(self->flow);
}

/* A cycle that is over by time ends then, not at the next tick. */
static int64_t next_look_ns(const Writer *self)
{
    int64_t tick_ns = clock_mono_ns() + WRITER_TICK_NS;
    if (!self->open || !self->spec->cycle_us_max) return tick_ns;
    return int64_min(tick_ns, self->started_ns + self->spec->cycle_us_max * 1000);
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
        TRY(rendezvous_answer(self, err));
        if (flow_is_cancelled(self->flow)) return err_set(err, ERR_CANCELLED, "cancelled");
        if (writer_step(self, &end, err) != OK && !was_cut_off(self, err)) return FAIL;
        if (self->pending) TRY(pending_settle(self, err));
        writer_progress(self, "read");
    }
    return OK;
}

/* Wait until every pending cycle is decided. */
static Status pending_drain(Writer *self, Err *err)
{
    while (self->pending) {
        if (flow_is_cancelled(self->flow)) return err_set(err, ERR_CANCELLED, "cancelled");
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
        Rendezvous *r = &flow->rendezvous;
        pthread_mutex_lock(&r->mutex);
        r->answered = true;
        pthread_cond_broadcast(&r->cond);
        pthread_mutex_unlock(&r->mutex);
    }
    writer_done(&writer);
    return status;
}
