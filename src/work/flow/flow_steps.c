/* The step thread: runs every batch through the steps and counts what became of its rows. */
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "work/flow/flow_failure.h"
#include "work/flow/flow_state.h"
#include "work/flow/flow_threads.h"

typedef struct StepsThread {
    Flow *flow;
    RejectWriter rejects;
    int64_t generation;
} StepsThread;

/* Sums over all steps; their differences say what one batch did. */
typedef struct StepSums {
    int64_t dropped, rejected, held, again;
} StepSums;

static StepSums sums_now(const FlowSpec *spec)
{
    StepSums sums = {0};
    for (int32_t i = 0; i < spec->step_count; i++) {
        sums.dropped += step_dropped(spec->steps[i]);
        sums.rejected += spec->steps[i]->rejected;
        sums.held += spec->steps[i]->held;
        sums.again += spec->steps[i]->again;
    }
    return sums;
}

static void sums_add(FlowItem *item, const StepSums *before, const StepSums *after)
{
    item->dropped += after->dropped - before->dropped;
    item->rejected += after->rejected - before->rejected;
    item->held += after->held - before->held;
    item->extracted -= after->again - before->again;
}

static Status steps_push(StepsThread *self, FlowItem *item, Err *err)
{
    if (reject_writer_take(&self->rejects, &item->step_rejects, err) != OK) {
        flow_item_free(item);
        return FAIL;
    }
    if (queue_push(self->flow->write_queue, item, flow_item_bytes(item), -1) != QUEUE_OK) {
        flow_item_free(item);
    }
    return OK;
}

/* After a rewind nothing of the old reading may linger in a step. */
static void steps_follow_generation(StepsThread *self, const FlowItem *item)
{
    if (item->generation == self->generation) return;
    self->generation = item->generation;
    const FlowSpec *spec = self->flow->spec;
    for (int32_t i = 0; i < spec->step_count; i++) {
        if (spec->steps[i]->ops->reset) spec->steps[i]->ops->reset(spec->steps[i]);
    }
}

static Status steps_item(StepsThread *self, FlowItem *item, Err *err)
{
    const FlowSpec *spec = self->flow->spec;
    if (flow_item_is_stale(self->flow, item)) {
        flow_item_free(item);
        return OK;
    }
    steps_follow_generation(self, item);
    if (item->batch) {
        StepSums before = sums_now(spec);
        Batch *out = NULL;
        if (step_chain_run(spec->steps, 0, spec->step_count, &spec->expr, TAKE(item->batch),
                           &self->rejects, &out, err) != OK) {
            flow_item_free(item);
            return FAIL;
        }
        item->batch = out;
        StepSums after = sums_now(spec);
        sums_add(item, &before, &after);
    }
    return steps_push(self, item, err);
}

/* After the last batch: what stateful steps held back. */
static Status steps_finish(StepsThread *self, Err *err)
{
    const FlowSpec *spec = self->flow->spec;
    int32_t at = 0;
    bool more = true;
    while (more && !atomic_load(&self->flow->failed)) {
        FlowItem *item = NULL;
        TRY(flow_item_new(ITEM_ROWS, atomic_load(&self->flow->generation), &item, err));
        StepSums before = sums_now(spec);
        if (step_chain_finish(spec->steps, spec->step_count, &spec->expr, &self->rejects, &at,
                              &item->batch, err) != OK) {
            flow_item_free(item);
            return FAIL;
        }
        StepSums after = sums_now(spec);
        sums_add(item, &before, &after);
        more = item->batch != NULL;
        TRY(steps_push(self, item, err));
    }
    FlowItem *end = NULL;
    TRY(flow_item_new(ITEM_END, atomic_load(&self->flow->generation), &end, err));
    return steps_push(self, end, err);
}

static Status steps_loop(StepsThread *self, Err *err)
{
    void *taken = NULL;
    while (queue_pop(self->flow->read_queue, -1, &taken) == QUEUE_OK) {
        int64_t start_ns = clock_mono_ns();
        TRY(steps_item(self, taken, err));
        self->flow->steps_ns += clock_mono_ns() - start_ns;
    }
    if (atomic_load(&self->flow->failed)) return OK;
    return steps_finish(self, err);
}

void flow_steps_run(void *arg)
{
    StepsThread self = {.flow = arg};
    const FlowSpec *spec = self.flow->spec;
    Err err = {0};
    Status status =
        reject_writer_init(&self.rejects, spec->rejects.key, spec->rejects.key_count, &err);
    if (status == OK) status = steps_loop(&self, &err);
    if (status != OK) flow_fail(self.flow, &err);
    reject_writer_done(&self.rejects);
    queue_close(self.flow->write_queue);
}
