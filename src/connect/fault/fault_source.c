/* A source whose parts are revoked, lost and given back as the dice say. */
#include "connect/fault/fault_impl.h"
#include "engine/column/builder.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/thread.h"

enum { FAULT_BATCH_MAX = 40 };

typedef struct FaultSource {
    Source source;
    FaultWorld *world;
    Schema *schema;
    int64_t seq, next_epoch;
    int32_t parts[1]; /* of the event at hand */
    int64_t asked;    /* epoch whose part waits for its beginning; 0: none */
    int32_t asked_part;
    pthread_cond_t cond; /* nobody signals it */
} FaultSource;

static const SourceOps FAULT_SOURCE_OPS;

static Status fault_source_describe(Source *source, SourceInfo *info, Err *err UNUSED)
{
    FaultSource *self = SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source);
    info->schema = schema_ref(self->schema);
    info->rows_estimate = self->world->rows * self->world->parts;
    info->replayable = true;
    return OK;
}

static Status fault_source_open(Source *source, const Position *from UNUSED, Budget *budget UNUSED,
                                Err *err UNUSED)
{
    FaultWorld *w = SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source)->world;
    SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source)->next_epoch = 2;
    for (int32_t i = 0; i < w->parts; i++) w->assigned[i] = !w->asks;
    return OK;
}

static int32_t fault_source_parts(const Source *source UNUSED)
{
    return 1;
}

/* A part that is away comes back: reading begins at what is committed, or where the sink says, with
 * a new epoch. */
static bool give_back(FaultSource *self, SourceEvent *event)
{
    FaultWorld *w = self->world;
    for (int32_t i = 0; i < w->parts; i++) {
        if (w->assigned[i] || w->revoking || self->asked) continue;
        w->assigned[i] = !w->asks;
        w->epoch[i] = self->next_epoch++;
        w->next[i] = w->position[i];
        self->parts[0] = self->asked_part = i;
        self->asked = w->asks ? w->epoch[i] : 0;
        *event = (SourceEvent){
            .kind = SOURCE_ASSIGN, .epoch = w->epoch[i], .parts = self->parts, .part_count = 1};
        return true;
    }
    return false;
}

static void take_away(FaultSource *self, int32_t part, bool lost, SourceEvent *event)
{
    FaultWorld *w = self->world;
    w->assigned[part] = false;
    self->asked = 0;
    w->revoking = w->epoch[part];
    w->tally.revokes += !lost;
    w->tally.losts += lost;
    self->parts[0] = part;
    *event = (SourceEvent){.kind = lost ? SOURCE_LOST : SOURCE_REVOKE,
                           .epoch = w->epoch[part],
                           .parts = self->parts,
                           .part_count = 1,
                           .deadline_ns = clock_mono_ns() + w->revoke_after_ns};
}

static Status make_batch(FaultSource *self, int32_t part, int64_t count, SourceEvent *event,
                         Err *err)
{
    FaultWorld *w = self->world;
    Builder builders[2];
    RejectWriter rejects;
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(self->schema, &batch, err));
    TRY(reject_writer_init(&rejects, NULL, 0, err));
    for (int32_t i = 0; i < 2; i++) builder_init(&builders[i], TYPE_INT64, NULL);
    int64_t first = w->next[part];
    Status status = OK;
    for (int64_t i = 0; i < count && status == OK; i++) {
        if (fault_happens(w, w->odds.malformed)) {
            status = reject_writer_raw(&rejects, STR("read"), part, first + i, first + i, STR_NULL,
                                       STR("malformed"), STR("?"), err);
            continue;
        }
        status = builder_int64(&builders[0], part, err);
        if (status == OK) status = builder_int64(&builders[1], first + i, err);
        batch->rows++;
    }
    for (int32_t i = 0; i < 2 && status == OK; i++) {
        status = builder_finish(&builders[i], &batch->columns[i], err);
    }
    for (int32_t i = 0; i < 2; i++) builder_done(&builders[i]);
    if (status == OK) status = reject_writer_take(&rejects, &event->rejects, err);
    reject_writer_done(&rejects);
    TRY(status);
    w->next[part] += count;
    batch->seq = self->seq++;
    batch->epoch = w->epoch[part];
    batch->span = (Span){.part = part, .first = first, .next = first + count, .bytes = count * 16};
    event->kind = SOURCE_BATCH;
    event->epoch = batch->epoch;
    event->batch = TAKE(batch);
    return OK;
}

static Status next_locked(FaultSource *self, SourceEvent *event, Err *err)
{
    FaultWorld *w = self->world;
    if (w->cancelled) return err_set(err, ERR_CANCELLED, "cancelled");
    *event = (SourceEvent){.kind = SOURCE_IDLE};
    if (fault_happens(w, w->odds.idle)) return OK;
    if (give_back(self, event)) return OK;
    int32_t open[FAULT_PARTS_MAX], count = 0;
    bool waits = self->asked != 0;
    for (int32_t i = 0; i < w->parts; i++) {
        if (w->assigned[i] && w->next[i] < w->rows) open[count++] = i;
    }
    if (count == 0) {
        event->kind = w->unbounded || waits ? SOURCE_IDLE : SOURCE_END;
        return OK;
    }
    int32_t part = open[fault_dice(w, count)];
    bool lost = fault_happens(w, w->odds.lost);
    if (lost || fault_happens(w, w->odds.revoke)) {
        take_away(self, part, lost, event);
        return OK;
    }
    int64_t rows = int64_min(1 + fault_dice(w, FAULT_BATCH_MAX), w->rows - w->next[part]);
    return make_batch(self, part, rows, event, err);
}

static Status fault_source_next(Source *source, int32_t part UNUSED, int64_t deadline_ns UNUSED,
                                SourceEvent *event, Err *err)
{
    FaultSource *self = SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source);
    pthread_mutex_lock(&self->world->mutex);
    Status status = next_locked(self, event, err);
    /* While the sink is asked there may be nothing else to do. */
    if (status == OK && event->kind == SOURCE_IDLE && self->asked) {
        (void)thread_cond_wait(&self->cond, &self->world->mutex, clock_mono_ns() + 1000000);
    }
    pthread_mutex_unlock(&self->world->mutex);
    return status;
}

static Status fault_source_revoked(Source *source, int64_t epoch, Err *err)
{
    FaultWorld *w = SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source)->world;
    pthread_mutex_lock(&w->mutex);
    bool right = w->revoking == epoch;
    w->revoking = 0;
    pthread_mutex_unlock(&w->mutex);
    return right ? OK : err_set(err, ERR_INTERNAL, "the wrong epoch was given back");
}

static Status fault_source_begin(Source *source, int64_t epoch, const Position *from,
                                 Err *err UNUSED)
{
    FaultSource *self = SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source);
    FaultWorld *w = self->world;
    pthread_mutex_lock(&w->mutex);
    if (self->asked == epoch) {
        int32_t part = self->asked_part;
        w->assigned[part] = true;
        w->next[part] = int64_max(position_next(from, part), 0);
        if (w->next[part] > 0 && fault_happens(w, w->odds.behind)) w->next[part]--;
        self->asked = 0;
    }
    pthread_mutex_unlock(&w->mutex);
    return OK;
}

/* Like the group would, which gave it to us: it comes again. */
static Status fault_source_fenced(Source *source, const int32_t *parts, int32_t count,
                                  Err *err UNUSED)
{
    FaultWorld *w = SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source)->world;
    pthread_mutex_lock(&w->mutex);
    for (int32_t i = 0; i < count; i++) w->assigned[parts[i]] = false;
    pthread_mutex_unlock(&w->mutex);
    return OK;
}

static Status fault_source_settled(Source *source, const Position *position, Err *err UNUSED)
{
    FaultWorld *w = SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source)->world;
    pthread_mutex_lock(&w->mutex);
    for (int32_t i = 0; i < position->count; i++) {
        int64_t *settled = &w->settled[position->parts[i].part];
        *settled = int64_max(*settled, position->parts[i].next);
    }
    pthread_mutex_unlock(&w->mutex);
    return OK;
}

static Status fault_source_rewind(Source *source, const Position *position, Err *err UNUSED)
{
    FaultWorld *w = SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source)->world;
    pthread_mutex_lock(&w->mutex);
    for (int32_t i = 0; i < w->parts; i++) {
        w->next[i] = int64_max(position_next(position, i), 0);
    }
    pthread_mutex_unlock(&w->mutex);
    return OK;
}

static void fault_source_cancel(Source *source)
{
    FaultWorld *w = SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source)->world;
    pthread_mutex_lock(&w->mutex);
    w->cancelled = true;
    pthread_mutex_unlock(&w->mutex);
}

static void fault_source_close(Source *source)
{
    schema_unref(SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source)->schema);
    pthread_cond_destroy(&SOURCE_SELF(FaultSource, FAULT_SOURCE_OPS, source)->cond);
    mem_free(source);
}

static const SourceOps FAULT_SOURCE_OPS = {
    .describe = fault_source_describe,
    .open = fault_source_open,
    .parts = fault_source_parts,
    .next = fault_source_next,
    .revoked = fault_source_revoked,
    .begin = fault_source_begin,
    .fenced = fault_source_fenced,
    .settled = fault_source_settled,
    .rewind = fault_source_rewind,
    .cancel = fault_source_cancel,
    .close = fault_source_close,
};

Status fault_source_new(FaultWorld *world, Source **ret_source, Err *err)
{
    FaultSource *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->source.ops = &FAULT_SOURCE_OPS;
    self->world = world;
    thread_cond_init(&self->cond);
    if (fault_schema(&self->schema, err) != OK) {
        mem_free(self);
        return FAIL;
    }
    *ret_source = &self->source;
    return OK;
}
