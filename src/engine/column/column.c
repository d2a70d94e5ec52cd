/* Buffers and columns: counting, sharing, slicing, sizes. */
#include "engine/column/column.h"

#include <stdatomic.h>

#include "foundation/base/mem.h"

enum { BUFFER_PADDING = 64 };

static void release_own(void *ctx UNUSED, uint8_t *data)
{
    mem_free(data);
}

Status buffer_new(int64_t size, Budget *budget, Buffer **ret_buffer, Err *err)
{
    assert(size >= 0);
    if (budget && !budget_reserve(budget, size)) {
        return err_set(err, ERR_LIMIT, "no room for %lld bytes in the budget \"%s\"",
                       (long long)size, budget->name);
    }
    Buffer *buffer = mem_zalloc((int64_t)sizeof *buffer);
    uint8_t *data = mem_aligned(size + BUFFER_PADDING);
    if (!buffer || !data) {
        mem_free(buffer);
        mem_free(data);
        if (budget) budget_release(budget, size);
        return err_memory(err);
    }
    memset(data + size, 0, BUFFER_PADDING);
    buffer->refs = 1;
    buffer->data = data;
    buffer->size = size;
    buffer->budget = budget;
    buffer->release = release_own;
    *ret_buffer = buffer;
    return OK;
}

Status buffer_adopt(uint8_t *data, int64_t size, void (*release)(void *, uint8_t *), void *ctx,
                    Buffer **ret_buffer, Err *err)
{
    Buffer *buffer = mem_zalloc((int64_t)sizeof *buffer);
    if (!buffer) return err_memory(err);
    buffer->refs = 1;
    buffer->data = data;
    buffer->size = size;
    buffer->release = release;
    buffer->ctx = ctx;
    *ret_buffer = buffer;
    return OK;
}

Buffer *buffer_ref(Buffer *buffer)
{
    if (buffer) atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    return buffer;
}

void buffer_unref(Buffer *buffer)
{
    if (!buffer) return;
    if (atomic_fetch_sub_explicit(&buffer->refs, 1, memory_order_acq_rel) > 1) return;
    if (buffer->budget) budget_release(buffer->budget, buffer->size);
    if (buffer->release) buffer->release(buffer->ctx, buffer->data);
    mem_free(buffer);
}

static Status share_heaps(const Column *from, Column *to, Err *err)
{
    if (from->heap_count == 0) return OK;
    to->heaps = mem_array(from->heap_count, (int64_t)sizeof *to->heaps);
    if (!to->heaps) return err_memory(err);
    for (int32_t i = 0; i < from->heap_count; i++) to->heaps[i] = buffer_ref(from->heaps[i]);
    to->heap_count = from->heap_count;
    return OK;
}

static Status share_children(const Column *from, Column *to, Err *err)
{
    if (from->child_count == 0) return OK;
    to->children = mem_array(from->child_count, (int64_t)sizeof *to->children);
    if (!to->children) return err_memory(err);
    for (int32_t i = 0; i < from->child_count; i++) {
        TRY(column_share(&from->children[i], &to->children[i], err));
        to->child_count++;
    }
    return OK;
}

Status column_share(const Column *column, Column *ret_column, Err *err)
{
    Column copy = *column;
    copy.heaps = NULL;
    copy.heap_count = 0;
    copy.children = NULL;
    copy.child_count = 0;
    copy.valid = buffer_ref(column->valid);
    copy.data = buffer_ref(column->data);
    copy.aux = buffer_ref(column->aux);
    if (share_heaps(column, &copy, err) != OK || share_children(column, &copy, err) != OK) {
        column_done(&copy);
        return FAIL;
    }
    *ret_column = copy;
    return OK;
}

Status column_slice(const Column *column, int64_t from, int64_t length, Column *ret_column,
                    Err *err)
{
    assert(from % 64 == 0 && from >= 0 && length >= 0 && from + length <= column->length);
    TRY(column_share(column, ret_column, err));
    ret_column->offset += from;
    ret_column->length = length;
    if (ret_column->valid) ret_column->null_count = -1;
    return OK;
}

void column_done(Column *column)
{
    buffer_unref(column->valid);
    buffer_unref(column->data);
    buffer_unref(column->aux);
    for (int32_t i = 0; i < column->heap_count; i++) buffer_unref(column->heaps[i]);
    for (int32_t i = 0; i < column->child_count; i++) column_done(&column->children[i]);
    mem_free(column->heaps);
    mem_free(column->children);
    *column = (Column){0};
}

Status column_nulls(TypeId type, int64_t length, Column *ret_column, Err *err)
{
    int64_t bits = (length + 63) / 64 * 8;
    int64_t bytes = type == TYPE_BOOL ? bits : length * type_width(type);
    Column column = {.type = type, .length = length, .null_count = length};
    Status status = buffer_new(bits, NULL, &column.valid, err);
    if (status == OK) status = buffer_new(bytes, NULL, &column.data, err);
    if (status == OK && type == TYPE_DYNAMIC) {
        status = buffer_new(length * (int64_t)sizeof(int32_t), NULL, &column.aux, err);
    }
    if (status != OK) {
        column_done(&column);
        return FAIL;
    }
    memset(column.valid->data, 0, (size_t)bits);
    memset(column.data->data, 0, (size_t)bytes);
    if (column.aux) memset(column.aux->data, 0, (size_t)column.aux->size);
    *ret_column = column;
    return OK;
}

static int64_t buffer_size(const Buffer *buffer)
{
    return buffer ? buffer->size : 0;
}

int64_t column_pinned_bytes(const Column *column)
{
    int64_t bytes =
        buffer_size(column->valid) + buffer_size(column->data) + buffer_size(column->aux);
    for (int32_t i = 0; i < column->heap_count; i++) bytes += column->heaps[i]->size;
    for (int32_t i = 0; i < column->child_count; i++) {
        bytes += column_pinned_bytes(&column->children[i]);
    }
    return bytes;
}

/* Bytes in heaps that the views of a column point to. */
static int64_t heap_used_bytes(const Column *column)
{
    const TextView *views = column_views(column);
    int64_t bytes = 0;
    for (int64_t i = 0; i < column->length; i++) bytes += views[i].len > 12 ? views[i].len : 0;
    return bytes;
}

int64_t column_used_bytes(const Column *column)
{
    int64_t rows = column->length;
    int64_t bytes = column->valid ? rows / 8 : 0;
    if (column->type == TYPE_BOOL) bytes += rows / 8;
    else bytes += rows * type_width(column->type);
    if (type_is_view(column->type)) bytes += heap_used_bytes(column);
    if (column->type == TYPE_NUMERIC && column->aux) bytes += rows;
    if (column->type == TYPE_DYNAMIC) bytes += rows * 4;
    for (int32_t i = 0; i < column->child_count; i++) {
        bytes += column_used_bytes(&column->children[i]);
    }
    return bytes;
}
