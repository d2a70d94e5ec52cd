/* What travels through the queues of a flow. */
#include "work/flow/flow_item.h"

#include "foundation/base/mem.h"

Status flow_item_new(FlowItemKind kind, int64_t generation, FlowItem **ret_item, Err *err)
{
    FlowItem *item = mem_zalloc((int64_t)sizeof *item);
    if (!item) return err_memory(err);
    item->kind = kind;
    item->generation = generation;
    *ret_item = item;
    return OK;
}

void flow_item_free(FlowItem *item)
{
    if (!item) return;
    batch_unref(item->batch);
    batch_unref(item->rejects);
    batch_unref(item->step_rejects);
    mem_free(item->cursor);
    mem_free(item);
}

int64_t flow_item_bytes(const FlowItem *item)
{
    int64_t bytes = item->batch ? batch_bytes(item->batch) : 0;
    bytes += item->rejects ? batch_bytes(item->rejects) : 0;
    bytes += item->step_rejects ? batch_bytes(item->step_rejects) : 0;
    return bytes + (int64_t)sizeof *item;
}
