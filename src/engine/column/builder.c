/* Builds one column row by row (or by view) and hands it over as an immutable Column. */
#include "engine/column/builder.h"

#include "foundation/base/mem.h"

enum { BUILDER_ROWS_FIRST = 64, HEAP_FIRST = 4096, HEAP_LAST = 1 << 20 };

void builder_init(Builder *b, TypeId type, Budget *budget)
{
    *b = (Builder){.type = type, .budget = budget, .uniform_scale = true, .own_heap = -1};
    memset(b->child_of_type, -1, sizeof b->child_of_type);
}

void builder_done(Builder *b)
{
    buffer_unref(b->valid);
    buffer_unref(b->data);
    buffer_unref(b->aux);
    for (int32_t i = 0; i < b->heap_count; i++) buffer_unref(b->heaps[i]);
    for (int32_t i = 0; i < b->child_count; i++) builder_done(&b->children[i]);
    mem_free(b->heaps);
    mem_free(b->children);
    builder_init(b, b->type, b->budget);
}

static int64_t data_bytes(const Builder *b, int64_t rows)
{
    return b->type == TYPE_BOOL ? (rows + 63) / 64 * 8 : rows * type_width(b->type);
}

/* A larger copy of a buffer; what is new is zeroed. */
static Status buffer_grow(Buffer **buffer, int64_t used, int64_t size, Budget *budget, Err *err)
{
    Buffer *bigger = NULL;
    TRY(buffer_new(size, budget, &bigger, err));
    if (used) memcpy(bigger->data, (*buffer)->data, (size_t)used);
    memset(bigger->data + used, 0, (size_t)(size - used));
    buffer_unref(*buffer);
    *buffer = bigger;
    return OK;
}

static int64_t aux_width(const Builder *b)
{
    if (b->type == TYPE_DYNAMIC) return (int64_t)sizeof(int32_t);
    return b->type == TYPE_NUMERIC && !b->uniform_scale ? 1 : 0;
}

static Status grow(Builder *b, int64_t capacity, Err *err)
{
    capacity = (capacity + 63) & ~INT64_C(63);
    TRY(buffer_grow(&b->data, data_bytes(b, b->length), data_bytes(b, capacity), b->budget, err));
    int64_t width = aux_width(b);
    if (width) {
        TRY(buffer_grow(&b->aux, b->length * width, capacity * width, b->budget, err));
    }
    if (b->valid) {
        TRY(buffer_grow(&b->valid, (b->capacity + 63) / 64 * 8, capacity / 8, b->budget, err));
    }
    b->capacity = capacity;
    return OK;
}

Status builder_grow(Builder *b, int64_t rows, Err *err)
{
    return grow(b, int64_max(int64_max(b->capacity * 2, BUILDER_ROWS_FIRST), b->length + rows),
                err);
}

Status builder_valid(Builder *b, Err *err)
{
    TRY(buffer_grow(&b->valid, 0, (b->capacity + 63) / 64 * 8, b->budget, err));
    memset(b->valid->data, 0xff, (size_t)(b->length / 8));
    for (int64_t i = b->length & ~INT64_C(7); i < b->length; i++) bit_set(b->valid->data, i);
    return OK;
}

Status builder_interval(Builder *b, Interval value, Err *err)
{
    TRY(builder_reserve(b, 1, err));
    ((Interval *)(void *)b->data->data)[b->length] = value;
    builder_advance(b);
    return OK;
}

Status builder_uuid(Builder *b, const uint8_t bytes[16], Err *err)
{
    TRY(builder_reserve(b, 1, err));
    memcpy(b->data->data + b->length * 16, bytes, 16);
    builder_advance(b);
    return OK;
}

/* From here on each row has its own scale. */
static Status scales_make(Builder *b, Err *err)
{
    TRY(buffer_grow(&b->aux, 0, b->capacity, b->budget, err));
    memset(b->aux->data, b->scale, (size_t)b->length);
    b->uniform_scale = false;
    return OK;
}

static Status numeric_append(Builder *b, Int128 value, uint8_t scale, Err *err)
{
    TRY(builder_reserve(b, 1, err));
    if (b->uniform_scale && scale != b->scale) {
        if (b->length == b->null_count) b->scale = scale;
        else TRY(scales_make(b, err));
    }
    if (!b->uniform_scale) b->aux->data[b->length] = scale;
    ((Int128 *)(void *)b->data->data)[b->length] = value;
    builder_advance(b);
    return OK;
}

Status builder_numeric(Builder *b, Decimal value, Err *err)
{
    return numeric_append(b, value.value, (uint8_t)value.scale, err);
}

Status builder_numeric_double(Builder *b, double value, Err *err)
{
    Int128 bits = 0;
    memcpy(&bits, &value, sizeof value);
    /* A double's row never shares the column's scale. */
    TRY(builder_reserve(b, 1, err));
    if (b->uniform_scale) TRY(scales_make(b, err));
    return numeric_append(b, bits, NUMERIC_SCALE_DOUBLE, err);
}

/* ---- text ---- */

Status builder_heap(Builder *b, Buffer *heap, int32_t *ret_index, Err *err)
{
    if (b->heap_count == b->heap_capacity) {
        int32_t capacity = b->heap_capacity ? b->heap_capacity * 2 : 4;
        Buffer **heaps = mem_realloc(b->heaps, capacity * (int64_t)sizeof *heaps);
        if (!heaps) return err_memory(err);
        b->heaps = heaps;
        b->heap_capacity = capacity;
    }
    b->heaps[b->heap_count] = buffer_ref(heap);
    *ret_index = b->heap_count++;
    return OK;
}

/* A new heap of `size` bytes; its index. */
static Status heap_new(Builder *b, int64_t size, int32_t *ret_index, Err *err)
{
    CLEANUP(buffer_unref_p) Buffer *heap = NULL;
    TRY(buffer_new(size, b->budget, &heap, err));
    return builder_heap(b, heap, ret_index, err);
}

/* Where `len` bytes may be put: in the heap that is being filled, in a new one, or, when they are
 * many, in one of their own, so that little of any heap stays unused. */
static Status heap_room(Builder *b, int64_t len, int32_t *ret_heap, int64_t *ret_offset, Err *err)
{
    *ret_offset = 0;
    if (len > HEAP_LAST / 4) return heap_new(b, len, ret_heap, err);
    int64_t size = b->own_heap >= 0 ? b->heaps[b->own_heap]->size : 0;
    if (b->own_heap < 0 || b->heap_used + len > size) {
        size = int64_min(int64_max(size * 2, HEAP_FIRST), HEAP_LAST);
        TRY(heap_new(b, int64_max(size, len), &b->own_heap, err));
        b->heap_used = 0;
    }
    *ret_heap = b->own_heap;
    *ret_offset = b->heap_used;
    b->heap_used += len;
    return OK;
}

Status builder_text(Builder *b, Str bytes, Err *err)
{
    if (bytes.len > INT32_MAX) {
        return err_set(err, ERR_LIMIT, "a value of %lld bytes is too long", (long long)bytes.len);
    }
    TRY(builder_reserve(b, 1, err));
    int32_t heap = 0;
    int64_t offset = 0;
    if (bytes.len > 12) {
        TRY(heap_room(b, bytes.len, &heap, &offset, err));
        memcpy(b->heaps[heap]->data + offset, bytes.ptr, (size_t)bytes.len);
    }
    ((TextView *)(void *)b->data->data)[b->length] =
        builder_view_of(bytes.ptr, (int32_t)bytes.len, heap, offset);
    builder_advance(b);
    return OK;
}

/* ---- dynamic ---- */

static Status child_make(Builder *b, TypeId type, Err *err)
{
    Builder *children = mem_realloc(b->children, (b->child_count + 1) * (int64_t)sizeof *children);
    if (!children) return err_memory(err);
    b->children = children;
    builder_init(&children[b->child_count], type, b->budget);
    b->child_of_type[type] = (int8_t)b->child_count++;
    return OK;
}

Status builder_dynamic(Builder *b, TypeId type, Builder **ret_child, Err *err)
{
    assert(b->type == TYPE_DYNAMIC && type != TYPE_DYNAMIC);
    TRY(builder_reserve(b, 1, err));
    if (b->child_of_type[type] < 0) TRY(child_make(b, type, err));
    int8_t tag = b->child_of_type[type];
    Builder *child = &b->children[tag];
    b->data->data[b->length] = (uint8_t)tag;
    ((int32_t *)(void *)b->aux->data)[b->length] = (int32_t)child->length;
    builder_advance(b);
    *ret_child = child;
    return OK;
}

/* ---- copying rows ---- */

Status builder_copy(Builder *b, const Column *from, int64_t row, Err *err)
{
    if (column_is_null(from, row)) return builder_null(b, err);
    if (b->type == TYPE_DYNAMIC) {
        if (from->type == TYPE_DYNAMIC) {
            int64_t child_row = 0;
            const Column *child = column_dynamic(from, row, &child_row);
            return builder_copy(b, child, child_row, err);
        }
        Builder *child = NULL;
        TRY(builder_dynamic(b, from->type, &child, err));
        return builder_copy(child, from, row, err);
    }
    assert(b->type == from->type);
    switch (from->type) {
    case TYPE_BOOL:
        return builder_bool(b, column_bool(from, row), err);
    case TYPE_INT64:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return builder_int64(b, column_int64(from)[row], err);
    case TYPE_DOUBLE:
        return builder_double(b, column_double(from)[row], err);
    case TYPE_NUMERIC:
        if (column_scale(from, row) == NUMERIC_SCALE_DOUBLE && b->uniform_scale) {
            TRY(builder_reserve(b, 1, err));
            TRY(scales_make(b, err));
        }
        return numeric_append(b, column_numeric(from)[row], column_scale(from, row), err);
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
        return builder_text(b, column_text(from, row), err);
    case TYPE_DATE:
        return builder_date(b, column_date(from)[row], err);
    case TYPE_INTERVAL:
        return builder_interval(b, column_interval(from)[row], err);
    case TYPE_UUID:
        return builder_uuid(b, column_uuid(from) + row * 16, err);
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "a column of an unknown type");
}

/* Everything that a column needs is there: from here on finishing can't fail. */
static Status finish_prepare(Builder *b, Err *err)
{
    bool aux = b->type == TYPE_DYNAMIC;
    if (!b->data || (aux && !b->aux)) TRY(grow(b, b->capacity, err));
    for (int32_t i = 0; i < b->child_count; i++) TRY(finish_prepare(&b->children[i], err));
    return OK;
}

static Column finish_column(Builder *b)
{
    Column column = {
        .type = b->type,
        .scale = b->scale,
        .length = b->length,
        .null_count = b->null_count,
        .valid = TAKE(b->valid),
        .data = TAKE(b->data),
        .aux = TAKE(b->aux),
        .heaps = TAKE(b->heaps),
        .heap_count = b->heap_count,
    };
    b->heap_count = 0;
    return column;
}

Status builder_finish(Builder *b, Column *ret_column, Err *err)
{
    TRY(finish_prepare(b, err));
    Column *children = NULL;
    if (b->child_count) {
        children = mem_array(b->child_count, (int64_t)sizeof *children);
        if (!children) return err_memory(err);
    }
    for (int32_t i = 0; i < b->child_count; i++) children[i] = finish_column(&b->children[i]);
    *ret_column = finish_column(b);
    ret_column->children = children;
    ret_column->child_count = b->child_count;
    builder_done(b);
    return OK;
}
