/* Batches: made, shared, filtered, sliced; and lists of refused rows. */
#include "engine/column/batch.h"

#include <stdatomic.h>

#include "engine/column/batch_impl.h"
#include "foundation/base/mem.h"

#define BATCH_ARENA_MAX (INT64_C(1) << 30)
#define REJECT_TEXT_MAX (INT64_C(64) << 20)

Status batch_new(const Schema *schema, Batch **ret_batch, Err *err)
{
    Batch *batch = mem_zalloc((int64_t)sizeof *batch);
    if (!batch) return err_memory(err);
    batch->columns = mem_array(schema->count, (int64_t)sizeof *batch->columns);
    if (!batch->columns) {
        mem_free(batch);
        return err_memory(err);
    }
    batch->refs = 1;
    batch->schema = schema_ref(schema);
    batch->arena = arena_make(BATCH_ARENA_MAX);
    *ret_batch = batch;
    return OK;
}

Batch *batch_ref(Batch *batch)
{
    atomic_fetch_add_explicit(&batch->refs, 1, memory_order_relaxed);
    return batch;
}

/* The origin of a batch that another batch's bytes belong to. */
static void unref_parent(void *parent)
{
    batch_unref(parent);
}

void batch_unref(Batch *batch)
{
    if (!batch) return;
    if (atomic_fetch_sub_explicit(&batch->refs, 1, memory_order_acq_rel) > 1) return;
    for (int32_t i = 0; i < batch->schema->count; i++) column_done(&batch->columns[i]);
    mem_free(batch->columns);
    schema_unref(batch->schema);
    buffer_unref(batch->ordinals);
    buffer_unref(batch->wire);
    batch_unref(batch->from);
    if (batch->budget) budget_release(batch->budget, batch->charge_bytes);
    if (batch->origin && batch->origin_unref) batch->origin_unref(batch->origin);
    arena_done(&batch->arena);
    mem_free(batch);
}

Str batch_text_in(const Batch *batch, Str name, int64_t row)
{
    int32_t at = schema_find(batch->schema, name);
    bool none = at < 0 || column_is_null(&batch->columns[at], row);
    return none ? STR_NULL : column_text(&batch->columns[at], row);
}

int64_t batch_ordinal(const Batch *batch, int64_t row)
{
    if (!batch->ordinals) return batch->span.first + row;
    return ((const int64_t *)(const void *)batch->ordinals->data)[row];
}

Status batch_keep_ordinals(Batch *batch, const int64_t *ordinals, Budget *budget, Err *err)
{
    if (batch->rows == batch->span.next - batch->span.first) return OK;
    int64_t size = batch->rows * (int64_t)sizeof *ordinals;
    TRY(buffer_new(size, budget, &batch->ordinals, err));
    memcpy(batch->ordinals->data, ordinals, (size_t)size);
    return OK;
}

int64_t batch_bytes(const Batch *batch)
{
    int64_t bytes = (int64_t)sizeof *batch + (batch->wire ? batch->wire->size : 0);
    for (int32_t i = 0; i < batch->schema->count; i++) {
        bytes += column_pinned_bytes(&batch->columns[i]);
    }
    return batch->from ? bytes + batch_bytes(batch->from) : bytes;
}

Status batch_inherit(const Batch *like, Batch *batch, Err *err)
{
    batch->seq = like->seq;
    batch->epoch = like->epoch;
    batch->span = like->span;
    batch->span.cursor = STR_NULL;
    if (like->origin) {
        union {
            const Batch *in;
            Batch *out;
        } handle = {.in = like};
        /* A batch derived from a derived one holds the first, not a chain. */
        bool derived = like->origin_unref == unref_parent;
        batch->origin = batch_ref(derived ? like->origin : handle.out);
        batch->origin_unref = unref_parent;
    }
    return arena_copy(&batch->arena, like->span.cursor, &batch->span.cursor, err);
}

Status batch_like(const Batch *like, const Schema *schema, int64_t rows, Batch **ret_batch,
                  Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(schema, &batch, err));
    TRY(batch_inherit(like, batch, err));
    batch->rows = rows;
    batch->ordinals = buffer_ref(like->ordinals);
    *ret_batch = TAKE(batch);
    return OK;
}

/* Ordinals of a slice are its own buffer: slices are few, and rows of ordinals start at 0. */
static Status slice_ordinals(const Batch *from, int64_t first, Batch *to, Err *err)
{
    if (!from->ordinals) return OK;
    TRY(buffer_new(to->rows * 8, NULL, &to->ordinals, err));
    memcpy(to->ordinals->data, from->ordinals->data + first * 8, (size_t)to->rows * 8);
    return OK;
}

/* The spans of a batch's slices add up to its own. */
static void slice_span(const Batch *from, int64_t first, Batch *to)
{
    int64_t end = first + to->rows;
    if (first > 0 && first < from->rows) to->span.first = batch_ordinal(from, first);
    if (end == from->rows) return;
    to->span.next = batch_ordinal(from, end);
    to->span.bytes = 0;
    to->span.cursor = STR_NULL;
}

Status batch_slice(const Batch *batch, int64_t from, int64_t count, Batch **ret_batch, Err *err)
{
    CLEANUP(batch_unref_p) Batch *slice = NULL;
    TRY(batch_new(batch->schema, &slice, err));
    TRY(batch_inherit(batch, slice, err));
    slice->rows = count;
    for (int32_t i = 0; i < batch->schema->count; i++) {
        TRY(column_slice(&batch->columns[i], from, count, &slice->columns[i], err));
    }
    slice_span(batch, from, slice);
    TRY(slice_ordinals(batch, from, slice, err));
    *ret_batch = TAKE(slice);
    return OK;
}

/* ---- refused rows ---- */

void reject_list_init(RejectList *list)
{
    *list = (RejectList){.arena = arena_make(REJECT_TEXT_MAX)};
}

void reject_list_done(RejectList *list)
{
    mem_free(list->items);
    arena_done(&list->arena);
    *list = (RejectList){0};
}

void reject_list_clear(RejectList *list)
{
    list->count = 0;
    arena_done(&list->arena);
    list->arena = arena_make(REJECT_TEXT_MAX);
}

static Status reject_list_grow(RejectList *list, Err *err)
{
    if (list->count < list->capacity) return OK;
    int64_t capacity = int64_max(list->capacity * 2, 16);
    Reject *items = mem_realloc(list->items, capacity * (int64_t)sizeof *items);
    if (!items) return err_memory(err);
    list->items = items;
    list->capacity = capacity;
    return OK;
}

Status reject_list_add(RejectList *list, const Reject *reject, Err *err)
{
    TRY(reject_list_grow(list, err));
    Reject copy = *reject;
    if (list->arena.used + reject->column.len + reject->reason.len + 64 > list->arena.max) {
        return err_set(err, ERR_LIMIT, "too many refused rows in one batch to keep their reasons");
    }
    TRY(arena_copy(&list->arena, reject->column, &copy.column, err));
    TRY(arena_copy(&list->arena, reject->reason, &copy.reason, err));
    list->items[list->count++] = copy;
    return OK;
}
