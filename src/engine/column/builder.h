/* Builds one column row by row (or by view) and hands it over as an immutable Column. */
#ifndef NEURON_BUILDER_H
#define NEURON_BUILDER_H

#include "engine/column/column.h"

/* Embedded: builder_init … builder_finish (which resets it for the next column) or builder_done.
 * Every append fails with ERR_MEMORY or ERR_LIMIT only. Text longer than 2^31-1 bytes is
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
MUST_USE Status builder_reserve(Builder *builder, int64_t rows, Err *err);

MUST_USE Status builder_null(Builder *builder, Err *err);
MUST_USE Status builder_bool(Builder *builder, bool value, Err *err);
/* INT64, TIME, TIMESTAMP, TIMESTAMPTZ. */
MUST_USE Status builder_int64(Builder *builder, int64_t value, Err *err);
MUST_USE Status builder_double(Builder *builder, double value, Err *err);
MUST_USE Status builder_date(Builder *builder, int32_t days, Err *err);
MUST_USE Status builder_numeric(Builder *builder, Decimal value, Err *err);
MUST_USE Status builder_numeric_double(Builder *builder, double value, Err *err);
MUST_USE Status builder_interval(Builder *builder, Interval value, Err *err);
MUST_USE Status builder_uuid(Builder *builder, const uint8_t bytes[16], Err *err);
/* TEXT, BYTES, JSON: copies the bytes. */
MUST_USE Status builder_text(Builder *builder, Str bytes, Err *err);
/* Register a heap that later views may point into (takes a reference); its index. */
MUST_USE Status builder_heap(Builder *builder, Buffer *heap, int32_t *ret_index, Err *err);
/* A view into a registered heap, without copying (short text is inlined). */
MUST_USE Status builder_view(Builder *builder, int32_t heap, int64_t offset, int32_t len, Err *err);

/* DYNAMIC: the builder of the child of that type with the row's tag and place already written;
 * the caller appends exactly one value to it. */
MUST_USE Status builder_dynamic(Builder *builder, TypeId child, Builder **ret_child, Err *err);

/* Append one row of a column of the same type (or of any type when the builder is DYNAMIC). */
MUST_USE Status builder_copy(Builder *builder, const Column *from, int64_t row, Err *err);

/* The column; the builder is empty again with the same type and budget. On failure it is kept. */
MUST_USE Status builder_finish(Builder *builder, Column *ret_column, Err *err);

#endif
