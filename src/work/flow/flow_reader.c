/* The reader: polls one part of the source, hands events on, answers revokes. */
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "work/flow/flow_failure.h"
#include "work/flow/flow_state.h"
#include "work/flow/flow_threads.h"

/* How long a poll or a wait for room lasts before the reader looks up. */
#define READER_TICK_NS INT64_C(100000000)

static Status item_from_event(Flow *flow, SourceEvent *event, FlowItem **ret_item, Err *err)
{
    FlowItem *item = NULL;
    if (flow_item_new(ITEM_ROWS, atomic_load(&flow->generation), &item, err) != OK) {
        batch_unref(event->batch);
        batch_unref(event->rejects);
        return FAIL;
    }
    item->batch = event->batch;
    item->rejects = event->rejects;
    item->rejected = event->rejects ? event->rejects->rows : 0;
    item->extracted = (event->batch ? event->batch->rows : 0) + item->rejected;
    const Batch *from = event->batch ? event->batch : event->rejects;
    if (from) {
        item->has_span = true;
        item->epoch = from->epoch;
        item->span = from->span;
        if (from->span.cursor.len > 0) {
            item->cursor = mem_strdup(from->span.cursor.ptr, from->span.cursor.len);
            if (!item->cursor) {
                flow_item_free(item);
                return err_memory(err);
            }
            item->span.cursor.ptr = item->cursor;
        }
    }
    *ret_item = item;
    return OK;
}

/* Past the bound of the queue: it looks at what is asked of it. */
static Status wake_writer(Flow *flow, Err *err)
{
    FlowItem *wake = NULL;
    TRY(flow_item_new(ITEM_WAKE, atomic_load(&flow->generation), &wake, err));
    if (queue_push_control(flow->write_queue, wake) != QUEUE_OK) flow_item_free(wake);
    return OK;
}

/* Ask the writer to let go of the parts and wait for its answer, at most to the deadline. */
static void handshake_ask(Flow *flow, const SourceEvent *event)
{
    Handshake *r = &flow->handshake;
    pthread_mutex_lock(&r->mutex);
    r->asked = true;
    r->answered = false;
    r->aborted = false;
    r->lost = event->kind == SOURCE_LOST;
    r->cut = false;
    r->epoch = event->epoch;
    r->deadline_ns = event->deadline_ns;
    r->part_count = event->part_count < FLOW_REVOKED_MAX ? event->part_count : FLOW_REVOKED_MAX;
    memcpy(r->parts, event->parts, (size_t)r->part_count * sizeof *r->parts);
    pthread_mutex_unlock(&r->mutex);
}

static bool handshake_wait(Flow *flow, int64_t deadline_ns)
{
    Handshake *r = &flow->handshake;
    bool in_time = true;
    pthread_mutex_lock(&r->mutex);
    while (!r->answered && !atomic_load(&flow->failed) && in_time) {
        in_time = thread_cond_wait(&r->cond, &r->mutex, deadline_ns);
    }
    bool answered = r->answered;
    pthread_mutex_unlock(&r->mutex);
    return answered;
}

/* A sink hangs: it is cancelled from here, and its cycle can only be aborted. Not when the answer
 * comes at this moment: a sink is cancelled only for something. */
static void cut_off(Flow *flow)
{
    Handshake *r = &flow->handshake;
    pthread_mutex_lock(&r->mutex);
    if (!r->answered) {
        r->lost = r->cut = true;
        flow_cancel_sinks(flow->spec);
    }
    pthread_mutex_unlock(&r->mutex);
}

/* ---- parts that are given ---- */

static Status take_ask(Flow *flow, const SourceEvent *event, Err *err)
{
    FlowTake *take = &flow->take;
    if (!flow->spec->asks || event->part_count == 0) return OK;
    pthread_mutex_lock(&flow->handshake.mutex);
    take->asked = true;
    take->answered = false;
    take->epoch = event->epoch;
    take->part_count = event->part_count < FLOW_REVOKED_MAX ? event->part_count : FLOW_REVOKED_MAX;
    memcpy(take->parts, event->parts, (size_t)take->part_count * sizeof *take->parts);
    pthread_mutex_unlock(&flow->handshake.mutex);
    return wake_writer(flow, err);
}

/* What was asked is void. */
static void take_void(Flow *flow)
{
    FlowTake *take = &flow->take;
    pthread_mutex_lock(&flow->handshake.mutex);
    take->voided = take->asked;
    take->asked = take->answered = false;
    pthread_mutex_unlock(&flow->handshake.mutex);
}

/* Tell the source what the sink answered. */
static Status reader_take(Flow *flow, Err *err)
{
    FlowTake *take = &flow->take;
    pthread_mutex_lock(&flow->handshake.mutex);
    bool answered = take->answered;
    take->asked = take->asked && !answered;
    take->answered = false;
    pthread_mutex_unlock(&flow->handshake.mutex);
    return answered ? source_begin(flow->spec->source, take->epoch, &take->from, err) : OK;
}

/* Read again from there; parts that another process took over are gone. */
static Status read_again(Flow *flow, const Position *from, Err *err)
{
    Handshake *r = &flow->handshake;
    if (r->fenced_count > 0) {
        TRY(source_fenced(flow->spec->source, r->fenced, r->fenced_count, err));
    }
    r->fenced_count = 0;
    return source_rewind(flow->spec->source, from, err);
}

static bool item_matches_stale(void *item, void *flow)
{
    return flow_item_is_stale(flow, item);
}

/* Drop what waits of the revoked epoch, then let the writer finish or abort its cycle. */
static Status reader_revoke(Flow *flow, const SourceEvent *event, Err *err)
{
    Handshake *r = &flow->handshake;
    dropped_add(&flow->dropped, event->parts, event->part_count, event->epoch);
    take_void(flow);
    handshake_ask(flow, event);
    (void)queue_drop_if(flow->read_queue, item_matches_stale, flow);
    (void)queue_drop_if(flow->write_queue, item_matches_stale, flow);
    TRY(wake_writer(flow, err));
    if (!handshake_wait(flow, event->deadline_ns)) {
        cut_off(flow);
        (void)handshake_wait(flow, -1);
    }
    if (atomic_load(&flow->failed)) return OK;
    TRY(source_revoked(flow->spec->source, event->epoch, err));
    pthread_mutex_lock(&r->mutex);
    bool aborted = r->aborted;
    r->asked = false;
    pthread_mutex_unlock(&r->mutex);
    return aborted ? read_again(flow, &r->position, err) : OK;
}

static bool rewind_is_asked(Flow *flow)
{
    Handshake *r = &flow->handshake;
    pthread_mutex_lock(&r->mutex);
    bool asked = r->rewind;
    pthread_mutex_unlock(&r->mutex);
    return asked;
}

/* Only what the source has to say, no rows; *ret_assigned: it has got parts. */
static Status reader_poll(Flow *flow, bool *ret_assigned, Err *err)
{
    SourceEvent event = {0};
    *ret_assigned = false;
    if (!flow->spec->source->ops->poll) return OK;
    TRY(source_poll(flow->spec->source, &event, err));
    bool revoke = event.kind == SOURCE_REVOKE || event.kind == SOURCE_LOST;
    if (revoke) TRY(reader_revoke(flow, &event, err));
    *ret_assigned = event.kind == SOURCE_ASSIGN;
    if (*ret_assigned) TRY(take_ask(flow, &event, err));
    return reader_take(flow, err);
}

/* Hand an item to the steps; keeps polling for control events while there is no room. A writer that
 * waits for a rewind takes nothing, so an item that was read since it undid its cycle has to go. */
static Status reader_push(FlowReader *reader, FlowItem *item, Err *err)
{
    Flow *flow = reader->flow;
    int64_t bytes = flow_item_bytes(item);
    while (true) {
        QueueResult result =
            queue_push(flow->read_queue, item, bytes, clock_mono_ns() + READER_TICK_NS);
        if (result == QUEUE_OK) return OK;
        if (result == QUEUE_CLOSED) {
            flow_item_free(item);
            return OK;
        }
        if (flow_item_is_stale(flow, item) || rewind_is_asked(flow)) {
            flow_item_free(item);
            return OK;
        }
        bool assigned = false;
        Status status = reader_poll(flow, &assigned, err);
        if (status != OK || flow_item_is_stale(flow, item)) {
            flow_item_free(item);
            return status;
        }
    }
}

static Status reader_event(FlowReader *reader, SourceEvent *event, Err *err)
{
    Flow *flow = reader->flow;
    FlowItem *item = NULL;
    switch (event->kind) {
    case SOURCE_BATCH:
        TRY(item_from_event(flow, event, &item, err));
        return reader_push(reader, item, err);
    case SOURCE_IDLE:
        TRY(flow_item_new(ITEM_IDLE, atomic_load(&flow->generation), &item, err));
        return reader_push(reader, item, err);
    case SOURCE_REVOKE:
    case SOURCE_LOST:
        return reader_revoke(flow, event, err);
    case SOURCE_ASSIGN:
        return take_ask(flow, event, err);
    case SOURCE_WAIT:
    case SOURCE_END:
        return OK;
    }
    return OK;
}

static bool reader_is_over(const Flow *flow)
{
    return atomic_load(&flow->failed) || atomic_load(&flow->ending) ||
           (flow->spec->end.stop && atomic_load(flow->spec->end.stop));
}

/* The writer undid a cycle by itself: read again. What was read meanwhile is stale. */
static Status reader_rewind(Flow *flow, Err *err)
{
    Handshake *r = &flow->handshake;
    if (!rewind_is_asked(flow)) return OK;
    TRY(read_again(flow, &r->rewind_to, err));
    atomic_fetch_add(&flow->generation, 1);
    pthread_mutex_lock(&r->mutex);
    r->rewind = false;
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->mutex);
    return OK;
}

/* A source that can go back stays until the last cycle is committed, or is to be read again. */
static bool reader_stays(const Flow *flow)
{
    const FlowSpec *spec = flow->spec;
    bool cycles = spec->limits.rows || spec->limits.bytes || spec->limits.us;
    return cycles && spec->source->ops->rewind && source_parts(spec->source) <= 1;
}

static Status reader_stay(FlowReader *reader, Err *err)
{
    Flow *flow = reader->flow;
    Handshake *r = &flow->handshake;
    FlowItem *item = NULL;
    TRY(flow_item_new(ITEM_LAST, atomic_load(&flow->generation), &item, err));
    int64_t generation = item->generation;
    bool assigned = false;
    TRY(reader_push(reader, item, err));
    while (!assigned && !reader_is_over(flow) && atomic_load(&flow->generation) == generation) {
        if (flow_is_cancelled(flow->spec)) return err_set(err, ERR_CANCELLED, "cancelled");
        pthread_mutex_lock(&r->mutex);
        bool asked = r->rewind;
        if (!asked && !atomic_load(&flow->ending)) {
            (void)thread_cond_wait(&r->cond, &r->mutex, clock_mono_ns() + READER_TICK_NS);
        }
        pthread_mutex_unlock(&r->mutex);
        if (asked) return OK;
        TRY(reader_poll(flow, &assigned, err));
    }
    return OK;
}

static Status reader_loop(FlowReader *reader, Err *err)
{
    Flow *flow = reader->flow;
    while (!reader_is_over(flow)) {
        if (flow_is_cancelled(flow->spec)) return err_set(err, ERR_CANCELLED, "cancelled");
        TRY(reader_rewind(flow, err));
        TRY(reader_take(flow, err));
        SourceEvent event = {0};
        int64_t start_ns = clock_mono_ns();
        TRY(source_next(flow->spec->source, reader->part, start_ns + READER_TICK_NS, &event, err));
        reader->busy_ns += clock_mono_ns() - start_ns;
        bool end = event.kind == SOURCE_END;
        if (end && !reader_stays(flow)) return OK;
        TRY(end ? reader_stay(reader, err) : reader_event(reader, &event, err));
    }
    return OK;
}

void flow_reader_run(void *arg)
{
    FlowReader *reader = arg;
    Flow *flow = reader->flow;
    Err err = {0};
    if (reader_loop(reader, &err) != OK) flow_fail(flow, &err);
    if (atomic_fetch_sub(&flow->readers_open, 1) == 1) queue_close(flow->read_queue);
}
