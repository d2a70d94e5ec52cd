/* Columns in Arrow memory layout: shared immutable buffers, and how to read values from them. */
#ifndef NEURON_COLUMN_H
#define NEURON_COLUMN_H

#include "engine/column/type.h"
#include "foundation/base/budget.h"
#include "foundation/base/datetime.h"
#include "foundation/base/decimal.h"

/* A counted block of bytes, 64-byte aligned when it is our own, with at least 64 readable bytes
 * after `size`. Immutable once shared. A foreign block (Arrow import, a file chunk, Kafka
 * messages) is adopted with a release function. Thread-safe counting. */
typedef struct Buffer {
    _Atomic int64_t refs;
    uint8_t *data;
    int64_t size;
    Budget *budget; /* charged with `size` until the end; may be NULL */
    void (*release)(void *ctx, uint8_t *data);
    void *ctx;
} Buffer;

/* Own memory, not zeroed beyond the 64 bytes of padding. `budget` may be NULL; a refused budget is
 * ERR_LIMIT. */
MUST_USE Status buffer_new(int64_t size, Budget *budget, Buffer **ret_buffer, Err *err);
/* Adopt foreign memory; release(ctx, data) runs when the last reference goes (NULL: nothing). */
MUST_USE Status buffer_adopt(uint8_t *data, int64_t size, void (*release)(void *, uint8_t *),
                             void *ctx, Buffer **ret_buffer, Err *err);
Buffer *buffer_ref(Buffer *buffer);
void buffer_unref(Buffer *buffer);
static inline void buffer_unref_p(Buffer **p)
{
    buffer_unref(*p);
    *p = NULL;
}

/* Arrow's string view: up to 12 bytes inline, longer text is a place in one of the heaps. */
typedef struct TextView {
    int32_t len;
    union {
        char inlined[12];
        struct {
            char prefix[4];
            int32_t heap; /* index into the column's heaps */
            int32_t offset;
        } ref;
    };
} TextView;
_Static_assert(sizeof(TextView) == 16, "Arrow view layout");

/* NUMERIC: `data` holds Int128 values. `aux` holds one byte per row: the scale (0…38), or
 * NUMERIC_SCALE_DOUBLE where the value is a double in the low 8 bytes (a JSON number past 38
 * digits, a NaN or infinity, or arithmetic with one). aux NULL: every row has the column's `scale`.
 */
enum { NUMERIC_SCALE_DOUBLE = 255 };

/* DYNAMIC: Arrow's dense union: `data` one int8 tag per row = index of the child; `aux` one int32
 * per row = row within that child. A NULL row has valid bit 0 (and any tag). Children have types
 * BOOL, INT64, DOUBLE, NUMERIC, TEXT, BYTES or JSON (objects and arrays only), each at most once,
 * no NULLs inside.
 *
 * INTERVAL: data holds Interval structs. UUID: 16 bytes, network order. DATE: int32.
 * BOOL: bits. All else as TypeId says.
 *
 * Rows [0, length) of a column are the rows offset … offset+length of its buffers; offset is a
 * multiple of 64, so that validity words stay aligned. Null rows hold zeros in data. */
typedef struct Column {
    TypeId type;
    uint8_t scale;
    int32_t heap_count;
    int32_t child_count;
    int64_t length;
    int64_t offset;
    int64_t null_count; /* -1: not counted */
    Buffer *valid;      /* bit set: a value; NULL: no NULLs */
    Buffer *data;
    Buffer *aux;
    Buffer **heaps;          /* for views: array of heap_count, owned by the column */
    struct Column *children; /* for DYNAMIC: array of child_count, owned */
} Column;

/* A second handle on the same buffers. `ret` is overwritten. */
MUST_USE Status column_share(const Column *column, Column *ret_column, Err *err);
/* Rows [from, from+length), from a multiple of 64. */
MUST_USE Status column_slice(const Column *column, int64_t from, int64_t length, Column *ret_column,
                             Err *err);
void column_done(Column *column);
/* A column of `length` NULLs. */
MUST_USE Status column_nulls(TypeId type, int64_t length, Column *ret_column, Err *err);
/* Bytes that the column keeps alive (whole buffers, each counted once per column). */
int64_t column_pinned_bytes(const Column *column);
/* Bytes that its rows need. */
int64_t column_used_bytes(const Column *column);

static inline bool bit_get(const uint8_t *bits, int64_t i)
{
    return (bits[i >> 3] >> (i & 7)) & 1;
}

static inline void bit_set(uint8_t *bits, int64_t i)
{
    bits[i >> 3] = (uint8_t)(bits[i >> 3] | (1u << (i & 7)));
}

static inline void bit_clear(uint8_t *bits, int64_t i)
{
    bits[i >> 3] = (uint8_t)(bits[i >> 3] & ~(1u << (i & 7)));
}

static inline bool column_is_null(const Column *c, int64_t row)
{
    return c->valid && !bit_get(c->valid->data, c->offset + row);
}

/* Typed pointers to row 0. Callers know the type. */
static inline const int64_t *column_int64(const Column *c)
{
    return (const int64_t *)(const void *)c->data->data + c->offset;
}
static inline const double *column_double(const Column *c)
{
    return (const double *)(const void *)c->data->data + c->offset;
}
static inline const int32_t *column_date(const Column *c)
{
    return (const int32_t *)(const void *)c->data->data + c->offset;
}
static inline const Int128 *column_numeric(const Column *c)
{
    return (const Int128 *)(const void *)c->data->data + c->offset;
}
static inline const Interval *column_interval(const Column *c)
{
    return (const Interval *)(const void *)c->data->data + c->offset;
}
static inline const uint8_t *column_uuid(const Column *c)
{
    return c->data->data + c->offset * 16;
}
static inline const TextView *column_views(const Column *c)
{
    return (const TextView *)(const void *)c->data->data + c->offset;
}
static inline bool column_bool(const Column *c, int64_t row)
{
    return bit_get(c->data->data, c->offset + row);
}
static inline uint8_t column_scale(const Column *c, int64_t row)
{
    return c->aux ? c->aux->data[c->offset + row] : c->scale;
}
static inline int8_t column_tag(const Column *c, int64_t row)
{
    return (int8_t)c->data->data[c->offset + row];
}
static inline int64_t column_child_row(const Column *c, int64_t row)
{
    return ((const int32_t *)(const void *)c->aux->data)[c->offset + row];
}
/* The bytes of a view; they live as long as the column's buffers. */
static inline Str column_text(const Column *c, int64_t row)
{
    const TextView *v = column_views(c) + row;
    if (v->len <= 12) return str_make(v->inlined, v->len);
    return str_make((const char *)c->heaps[v->ref.heap]->data + v->ref.offset, v->len);
}
/* The child column and its row that hold the value of a DYNAMIC row (which is not NULL). */
static inline const Column *column_dynamic(const Column *c, int64_t row, int64_t *ret_row)
{
    *ret_row = column_child_row(c, row);
    return &c->children[column_tag(c, row)];
}

#endif
