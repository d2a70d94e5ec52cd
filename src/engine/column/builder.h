/* Builds one column row by row (or by view) and hands it over as an immutable Column. */
#ifndef NEURON_BUILDER_H
#define NEURON_BUILDER_H

#include "engine/column/column.h"

/* Embedded: builder_init … builder_finish (which resets it for the next column) or builder_done.
 * Every append fails with ERR_MEMORY or ERR_LIMIT only and then appends nothing, except that a
 * DYNAMIC row whose value failed is unusable: call builder_done. Text longer than 2^31-1 bytes is
 * ERR_LIMIT. One thread. */
typedef struct Builder {
    TypeId type;
    int64_t length;
    int64_t capacity;
    int64_t null_count;
    Budget *budget;
    Buffer *valid, *data, *aux;
    bool uniform_scale; /* NUMERIC: so far all rows have `scale` */
    uint8_t scale;
    Buffer **heaps;
    int32_t heap_count, heap_capacity;
    int64_t heap_used;        /* bytes used of the own heap that is being filled */
    int32_t own_heap;         /* its index, -1: none */
    struct Builder *children; /* DYNAMIC */
    int32_t child_count;
    int8_t child_of_type[TYPE_COUNT]; /* -1: no child of that type yet */
} Builder;

/* `budget` may be NULL. */
void builder_init(Builder *builder, TypeId type, Budget *budget);
void builder_done(Builder *builder);
/* Room for `rows` more at least. */
MUST_USE Status builder_grow(Builder *builder, int64_t rows, Err *err);
/* The validity bits, made when the first NULL comes: all rows before it are values. */
MUST_USE Status builder_valid(Builder *builder, Err *err);

MUST_USE static inline Status builder_reserve(Builder *b, int64_t rows, Err *err)
{
    if (LIKELY(b->length + rows <= b->capacity)) return OK;
    return builder_grow(b, rows, err);
}

/* For builder functions: the row whose value was stored is a value. */
static inline void builder_advance(Builder *b)
{
    if (b->valid) bit_set(b->valid->data, b->length);
    b->length++;
}

MUST_USE static inline Status builder_null(Builder *b, Err *err)
{
    TRY(builder_reserve(b, 1, err));
    if (UNLIKELY(!b->valid)) TRY(builder_valid(b, err));
    b->length++;
    b->null_count++;
    return OK;
}

MUST_USE static inline Status builder_bool(Builder *b, bool value, Err *err)
{
    TRY(builder_reserve(b, 1, err));
    if (value) bit_set(b->data->data, b->length);
    builder_advance(b);
    return OK;
}

/* INT64, TIME, TIMESTAMP, TIMESTAMPTZ. */
MUST_USE static inline Status builder_int64(Builder *b, int64_t value, Err *err)
{
    TRY(builder_reserve(b, 1, err));
    ((int64_t *)(void *)b->data->data)[b->length] = value;
    builder_advance(b);
    return OK;
}

MUST_USE static inline Status builder_double(Builder *b, double value, Err *err)
{
    TRY(builder_reserve(b, 1, err));
    ((double *)(void *)b->data->data)[b->length] = value;
    builder_advance(b);
    return OK;
}

MUST_USE static inline Status builder_date(Builder *b, int32_t days, Err *err)
{
    TRY(builder_reserve(b, 1, err));
    ((int32_t *)(void *)b->data->data)[b->length] = days;
    builder_advance(b);
    return OK;
}

MUST_USE Status builder_numeric(Builder *builder, Decimal value, Err *err);
MUST_USE Status builder_numeric_double(Builder *builder, double value, Err *err);
MUST_USE Status builder_interval(Builder *builder, Interval value, Err *err);
MUST_USE Status builder_uuid(Builder *builder, const uint8_t bytes[16], Err *err);
/* TEXT, BYTES, JSON: copies the bytes. */
MUST_USE Status builder_text(Builder *builder, Str bytes, Err *err);
/* Register a heap that later views may point into (takes a reference); its index. */
MUST_USE Status builder_heap(Builder *builder, Buffer *heap, int32_t *ret_index, Err *err);

/* Up to 12 bytes, zeros after them, by overlapping loads: no call and no byte read beyond. */
static inline TextView builder_short_view(const char *bytes, int32_t len)
{
    uint64_t low = 0, high = 0;
    if (len >= 8) {
        memcpy(&low, bytes, 8);
        memcpy(&high, bytes + len - 8, 8);
        high = len == 8 ? 0 : high >> (8 * (16 - len));
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, bytes, 4);
        memcpy(&last, bytes + len - 4, 4);
        low = first | (uint64_t)last << (8 * (len - 4));
    } else if (len > 0) {
        low = (uint64_t)(uint8_t)bytes[0] | (uint64_t)(uint8_t)bytes[len / 2] << (8 * (len / 2)) |
              (uint64_t)(uint8_t)bytes[len - 1] << (8 * (len - 1));
    }
    TextView view;
    view.len = len;
    memcpy(view.inlined, &low, 8);
    memcpy(view.inlined + 8, &high, 4);
    return view;
}

/* A view as it stands in a column: `bytes` are at `offset` of the heap. */
static inline TextView builder_view_of(const char *bytes, int32_t len, int32_t heap, int64_t offset)
{
    if (len <= 12) return builder_short_view(bytes, len);
    TextView view = {.len = len};
    memcpy(view.ref.prefix, bytes, 4);
    view.ref.heap = heap;
    view.ref.offset = (int32_t)offset;
    return view;
}

/* A view into a registered heap, without copying (short text is inlined). ERR_LIMIT when the offset
 * is past 2^31-1. */
MUST_USE static inline Status builder_view(Builder *b, int32_t heap, int64_t offset, int32_t len,
                                           Err *err)
{
    assert(heap >= 0 && heap < b->heap_count);
    const Buffer *buffer = b->heaps[heap];
    assert(len >= 0 && offset >= 0 && offset + len <= buffer->size);
    if (UNLIKELY(offset > INT32_MAX)) {
        return err_set(err, ERR_LIMIT, "text at %lld of its block is out of reach",
                       (long long)offset);
    }
    TRY(builder_reserve(b, 1, err));
    ((TextView *)(void *)b->data->data)[b->length] =
        builder_view_of((const char *)buffer->data + offset, len, heap, offset);
    builder_advance(b);
    return OK;
}

/* The same without a branch, for heaps of our own making: the 12 bytes from `offset` are readable
 * even where the text is shorter. Room is reserved, the offset is within 2^31-1. */
static inline void builder_padded_view(Builder *b, int32_t heap, int64_t offset, int32_t len)
{
    static const uint8_t KEEP[24] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const uint8_t *bytes = b->heaps[heap]->data + offset;
    const uint8_t *keep = KEEP + 12 - (len < 12 ? len : 12);
    TextView view = {.len = len};
    uint32_t first, first_keep, place[2] = {(uint32_t)heap, (uint32_t)offset};
    uint64_t rest, rest_keep, far;
    memcpy(&first, bytes, 4);
    memcpy(&first_keep, keep, 4);
    memcpy(&rest, bytes + 4, 8);
    memcpy(&rest_keep, keep + 4, 8);
    memcpy(&far, place, 8);
    first &= first_keep;
    rest = len > 12 ? far : rest & rest_keep;
    memcpy(view.inlined, &first, 4);
    memcpy(view.inlined + 4, &rest, 8);
    assert(b->length < b->capacity && offset >= 0 && offset <= INT32_MAX);
    ((TextView *)(void *)b->data->data)[b->length] = view;
    builder_advance(b);
}

/* DYNAMIC: the builder of the child of that type with the row's tag and place already written; the
 * caller appends exactly one value to it (no NULL). The pointer holds until the next call. */
MUST_USE Status builder_dynamic(Builder *builder, TypeId child, Builder **ret_child, Err *err);

/* Append one row of a column of the same type (or of any type when the builder is DYNAMIC). */
MUST_USE Status builder_copy(Builder *builder, const Column *from, int64_t row, Err *err);

/* The column; the builder is empty again with the same type and budget. On failure it is kept. */
MUST_USE Status builder_finish(Builder *builder, Column *ret_column, Err *err);

#endif
