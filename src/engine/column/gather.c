/* Rows chosen from batches: filtered by bits or taken by number; text compacted where it pays. */
#include "engine/column/batch_impl.h"
#include "engine/column/builder.h"
#include "foundation/base/mem.h"

/* The chosen rows, ascending or not; `count` of them. */
typedef struct Choice {
    const int64_t *rows;
    int64_t count;
} Choice;

static Status gather_valid(const Column *from, const Choice *choice, Column *to, Err *err)
{
    if (!from->valid) return OK;
    TRY(buffer_new((choice->count + 63) / 64 * 8, NULL, &to->valid, err));
    uint64_t *words = (uint64_t *)(void *)to->valid->data;
    int64_t nulls = 0;
    for (int64_t base = 0; base < choice->count; base += 64) {
        int64_t end = int64_min(64, choice->count - base);
        uint64_t word = 0;
        for (int64_t i = 0; i < end; i++) {
            bool valid = bit_get(from->valid->data, from->offset + choice->rows[base + i]);
            word |= (uint64_t)valid << i;
        }
        words[base / 64] = word;
        nulls += end - __builtin_popcountll(word);
    }
    to->null_count = nulls;
    if (nulls == 0) {
        buffer_unref(to->valid);
        to->valid = NULL;
    }
    return OK;
}

#define GATHER(Type)                                                                              \
    do {                                                                                          \
        const Type *in = (const Type *)(const void *)from->data + offset;                         \
        Type *out = (Type *)(void *)to->data;                                                     \
        for (int64_t i = 0; i < choice->count; i++) out[i] = in[choice->rows[i]];                 \
    } while (0)

static void gather_values(const Buffer *from, int64_t offset, int32_t width, const Choice *choice,
                          Buffer *to)
{
    switch (width) {
    case 1:
        GATHER(uint8_t);
        return;
    case 4:
        GATHER(int32_t);
        return;
    case 8:
        GATHER(int64_t);
        return;
    default:
        GATHER(Int128);
        return;
    }
}

static Status gather_bits(const Column *from, const Choice *choice, Column *to, Err *err)
{
    TRY(buffer_new((choice->count + 63) / 64 * 8, NULL, &to->data, err));
    memset(to->data->data, 0, (size_t)to->data->size);
    for (int64_t i = 0; i < choice->count; i++) {
        if (column_bool(from, choice->rows[i])) bit_set(to->data->data, i);
    }
    return OK;
}

static Status gather_buffer(const Buffer *from, int64_t offset, int32_t width,
                            const Choice *choice, Buffer **ret_to, Err *err)
{
    TRY(buffer_new(choice->count * width, NULL, ret_to, err));
    gather_values(from, offset, width, choice, *ret_to);
    return OK;
}

static Status share_heaps(const Column *from, Column *to, Err *err)
{
    to->heaps = mem_array(from->heap_count, (int64_t)sizeof *to->heaps);
    if (!to->heaps) return err_memory(err);
    for (int32_t i = 0; i < from->heap_count; i++) to->heaps[i] = buffer_ref(from->heaps[i]);
    to->heap_count = from->heap_count;
    return OK;
}

/* Copy the long texts of `to` (which has no heaps yet) out of the heaps of `from` into one. */
static Status compact_heaps(const Column *from, int64_t used, Column *to, Err *err)
{
    to->heaps = mem_array(1, (int64_t)sizeof *to->heaps);
    if (!to->heaps) return err_memory(err);
    TRY(buffer_new(used, NULL, &to->heaps[0], err));
    to->heap_count = 1;
    TextView *views = (TextView *)(void *)to->data->data;
    int64_t at = 0;
    for (int64_t i = 0; i < to->length; i++) {
        if (views[i].len <= 12) continue;
        const uint8_t *bytes = from->heaps[views[i].ref.heap]->data + views[i].ref.offset;
        memcpy(to->heaps[0]->data + at, bytes, (size_t)views[i].len);
        views[i].ref.heap = 0;
        views[i].ref.offset = (int32_t)at;
        at += views[i].len;
    }
    return OK;
}

static Status gather_views(const Column *from, const Choice *choice, Column *to, Err *err)
{
    TRY(gather_buffer(from->data, from->offset, 16, choice, &to->data, err));
    if (from->heap_count == 0) return OK;
    const TextView *views = (const TextView *)(const void *)to->data->data;
    int64_t used = 0, pinned = 0;
    for (int64_t i = 0; i < choice->count; i++) used += views[i].len > 12 ? views[i].len : 0;
    for (int32_t i = 0; i < from->heap_count; i++) pinned += from->heaps[i]->size;
    if (used == 0) return OK;
    /* Few of the bytes that the heaps keep alive are in use: copy them and let the heaps go. */
    if (used * 4 < pinned && used < INT32_MAX) return compact_heaps(from, used, to, err);
    return share_heaps(from, to, err);
}

static Status gather_dynamic(const Column *from, const Choice *choice, Column *to, Err *err)
{
    Builder builder;
    builder_init(&builder, TYPE_DYNAMIC, NULL);
    Status status = builder_reserve(&builder, choice->count, err);
    for (int64_t i = 0; i < choice->count && status == OK; i++) {
        status = builder_copy(&builder, from, choice->rows[i], err);
    }
    if (status == OK) status = builder_finish(&builder, to, err);
    builder_done(&builder);
    return status;
}

static Status gather_column(const Column *from, const Choice *choice, Column *to, Err *err)
{
    if (from->type == TYPE_DYNAMIC) return gather_dynamic(from, choice, to, err);
    *to = (Column){.type = from->type, .scale = from->scale, .length = choice->count};
    TRY(gather_valid(from, choice, to, err));
    if (from->type == TYPE_BOOL) return gather_bits(from, choice, to, err);
    if (type_is_view(from->type)) return gather_views(from, choice, to, err);
    TRY(gather_buffer(from->data, from->offset, type_width(from->type), choice, &to->data, err));
    if (!from->aux) return OK;
    return gather_buffer(from->aux, from->offset, 1, choice, &to->aux, err);
}

static Status gather_ordinals(const Batch *from, const Choice *choice, Batch *to, Err *err)
{
    TRY(buffer_new(choice->count * 8, NULL, &to->ordinals, err));
    int64_t *ordinals = (int64_t *)(void *)to->ordinals->data;
    for (int64_t i = 0; i < choice->count; i++) ordinals[i] = batch_ordinal(from, choice->rows[i]);
    return OK;
}

Status batch_take(const Batch *batch, const int64_t *rows, int64_t count, Batch **ret_batch,
                  Err *err)
{
    Choice choice = {rows, count};
    CLEANUP(batch_unref_p) Batch *out = NULL;
    TRY(batch_new(batch->schema, &out, err));
    TRY(batch_inherit(batch, out, err));
    out->rows = count;
    for (int32_t i = 0; i < batch->schema->count; i++) {
        TRY(gather_column(&batch->columns[i], &choice, &out->columns[i], err));
    }
    TRY(gather_ordinals(batch, &choice, out, err));
    *ret_batch = TAKE(out);
    return OK;
}

Status batch_filter(const Batch *batch, const uint8_t *keep, Batch **ret_batch, Err *err)
{
    int64_t *rows = mem_alloc((batch->rows + 1) * (int64_t)sizeof *rows);
    if (!rows) return err_memory(err);
    int64_t count = 0;
    for (int64_t base = 0; base < batch->rows; base += 64) {
        uint64_t word = 0;
        memcpy(&word, keep + base / 8, (size_t)int64_min(8, (batch->rows - base + 7) / 8));
        if (batch->rows - base < 64) word &= (UINT64_C(1) << (batch->rows - base)) - 1;
        for (; word; word &= word - 1) rows[count++] = base + __builtin_ctzll(word);
    }
    Status status = batch_take(batch, rows, count, ret_batch, err);
    mem_free(rows);
    return status;
}
