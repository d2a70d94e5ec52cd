/* The flow engine's frame: starts the threads, keeps the first error, collects the result. */
#include "work/flow/flow.h"

#include "foundation/base/mem.h"
#include "work/flow/flow_failure.h"
#include "work/flow/flow_state.h"
#include "work/flow/flow_threads.h"

void flow_result_init(FlowResult *result)
{
    *result = (FlowResult){0};
    position_init(&result->position);
}

void flow_result_done(FlowResult *result)
{
    position_done(&result->position);
}

static void item_drop(void *item)
{
    flow_item_free(item);
}

static Status flow_init(Flow *flow, const FlowSpec *spec, FlowResult *result, Err *err)
{
    *flow = (Flow){.spec = spec, .result = result};
    pthread_mutex_init(&flow->error_mutex, NULL);
    pthread_mutex_init(&flow->dropped.mutex, NULL);
    pthread_mutex_init(&flow->handshake.mutex, NULL);
    thread_cond_init(&flow->handshake.cond);
    position_init(&flow->handshake.position);
    position_init(&flow->handshake.rewind_to);
    position_init(&flow->take.from);
    int64_t bytes = spec->limits.queue_bytes ? spec->limits.queue_bytes : FLOW_QUEUE_BYTES;
    TRY(queue_new(bytes, item_drop, &flow->read_queue, err));
    return queue_new(bytes, item_drop, &flow->write_queue, err);
}

static void flow_done(Flow *flow)
{
    queue_free(flow->read_queue);
    queue_free(flow->write_queue);
    position_done(&flow->handshake.position);
    position_done(&flow->handshake.rewind_to);
    position_done(&flow->take.from);
    pthread_cond_destroy(&flow->handshake.cond);
    pthread_mutex_destroy(&flow->handshake.mutex);
    pthread_mutex_destroy(&flow->dropped.mutex);
    pthread_mutex_destroy(&flow->error_mutex);
}

static Status threads_start(Flow *flow, Err *err)
{
    int32_t parts = source_parts(flow->spec->source);
    if (parts < 1) parts = 1;
    if (parts > FLOW_PARTS_MAX) parts = FLOW_PARTS_MAX;
    atomic_store(&flow->readers_open, parts);
    TRY(thread_start(&flow->steps_thread, "steps", flow_steps_run, flow, err));
    for (int32_t i = 0; i < parts; i++) {
        FlowReader *reader = &flow->readers[i];
        reader->flow = flow;
        reader->part = i;
        TRY(thread_start(&reader->thread, "reader", flow_reader_run, reader, err));
        flow->reader_count++;
    }
    return OK;
}

static void threads_join(Flow *flow)
{
    for (int32_t i = 0; i < flow->reader_count; i++) {
        thread_join(&flow->readers[i].thread);
        flow->result->read_ns += flow->readers[i].busy_ns;
    }
    thread_join(&flow->steps_thread);
    flow->result->steps_ns = flow->steps_ns;
}

/* The run itself, once source and sink are open. Every thread has ended when it returns. */
static Status flow_threads(Flow *flow, Err *err)
{
    Status status = flow_watch_start(&flow->watch, flow->spec, err);
    if (status == OK) status = threads_start(flow, err);
    if (status == OK) status = flow_write(flow, err);
    if (status != OK) flow_fail(flow, err);
    queue_cancel(flow->read_queue);
    queue_cancel(flow->write_queue);
    threads_join(flow);
    flow_watch_end(&flow->watch);
    if (!atomic_load(&flow->failed)) return status;
    /* An error of another thread came first and is the cause; the writer only saw the end. */
    *err = flow->error;
    return FAIL;
}

static void steps_reset(const FlowSpec *spec)
{
    for (int32_t i = 0; i < spec->step_count; i++) {
        if (spec->steps[i]->ops->reset) spec->steps[i]->ops->reset(spec->steps[i]);
    }
}

static Status flow_open(const FlowSpec *spec, Err *err)
{
    TRY(sink_open(spec->sink, spec->run_id, spec->epoch, err));
    if (spec->rejects.sink && spec->rejects.sink != spec->sink) {
        TRY(sink_open(spec->rejects.sink, spec->run_id, spec->epoch, err));
    }
    if (source_open(spec->source, spec->start, spec->budget, err) != OK) return FAIL;
    return OK;
}

Status flow_run(const FlowSpec *spec, FlowResult *ret_result, Err *err)
{
    Err local = {0};
    if (!err) err = &local;
    if (flow_open(spec, err) != OK) return flow_is_cancelled(spec) ? err_to_cancelled(err) : FAIL;
    Flow *flow = mem_zalloc((int64_t)sizeof *flow);
    if (!flow) return err_memory(err);
    Status status = flow_init(flow, spec, ret_result, err);
    /* Parts that are asked for are known when they are ours. */
    if (status == OK && spec->start && !spec->asks) {
        status = position_copy(spec->start, &ret_result->position, err);
    }
    if (status == OK) status = flow_threads(flow, err);
    if (status != OK) {
        Err ignored = {0};
        IGNORE(sink_abort(spec->sink, &ignored));
        if (spec->rejects.sink && spec->rejects.sink != spec->sink) {
            IGNORE(sink_abort(spec->rejects.sink, &ignored));
        }
        steps_reset(spec);
    }
    flow_done(flow);
    mem_free(flow);
    return status;
}
