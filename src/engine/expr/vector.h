/* Vectors: up to 2,048 rows of one operand, as kernels see them. */
#ifndef NEURON_VECTOR_H
#define NEURON_VECTOR_H

#include "engine/column/column.h"

enum { VECTOR_ROWS = 2048, VECTOR_WORDS = VECTOR_ROWS / 64 };

/* A dynamic value: its own type beside it. TEXT, BYTES and JSON in `text`. Never NULL (validity
 * says that). */
typedef struct Cell {
    uint8_t type;  /* TypeId: BOOL, INT64, DOUBLE, NUMERIC, TEXT, BYTES, JSON (object or array) */
    uint8_t scale; /* NUMERIC */
    union {
        bool boolean;
        int64_t integer;
        double real;
        Int128 numeric;
        Str text;
    };
} Cell;

/* One operand for the rows of a chunk. Element types in `data` by TypeId:
 *   BOOL uint8_t (0, 1)   INT64 TIME TIMESTAMP TIMESTAMPTZ int64_t   DOUBLE double   DATE int32_t
 *   NUMERIC Int128 (+ scales)   TEXT BYTES JSON Str   INTERVAL Interval   UUID uint8_t[16]
 *   DYNAMIC Cell
 * `mask` is 0 for a constant (its one value is at index 0) and -1 otherwise: element of a row is
 * data[row & mask]. Rows that are NULL or failed hold a defined zero. Everything belongs to the
 * chunk's arena or to the input batch. */
typedef struct Vector {
    TypeId type;
    int64_t mask;
    uint8_t scale; /* NUMERIC with scales == NULL: all rows */
    uint8_t
        *scales; /* NUMERIC: one per row (index row & mask); NUMERIC_SCALE_DOUBLE as in Column */
    uint64_t *valid;  /* one bit per row (not masked); NULL: no NULLs */
    uint64_t *errors; /* one bit per row that failed; NULL: none. A failed row's valid bit is 0 */
    void *data;
    /* Text columns for functions with FUNCTION_VIEWS only: as they stand, `data` is NULL then. */
    const TextView *views;
    Buffer *const *heaps;
} Vector;

/* Eight booleans of a byte each (0 or 1) as eight bits, the first one lowest, and back. */
static inline uint64_t bools_pack8(const uint8_t *bools)
{
    uint64_t bytes;
    memcpy(&bytes, bools, 8);
    return (bytes * UINT64_C(0x0102040810204080)) >> 56;
}
static inline void bools_unpack8(uint64_t bits, uint8_t *ret_bools)
{
    uint64_t each = ((bits & 0xff) * UINT64_C(0x0101010101010101)) & UINT64_C(0x8040201008040201);
    uint64_t bytes = ((each + UINT64_C(0x7f7f7f7f7f7f7f7f)) >> 7) & UINT64_C(0x0101010101010101);
    memcpy(ret_bools, &bytes, 8);
}
/* 64 booleans, or the `count` that there are, as one word. */
static inline uint64_t bools_pack(const uint8_t *bools, int64_t count)
{
    uint64_t word = 0;
    int64_t i = 0;
    for (; i + 8 <= count && i < 64; i += 8) word |= bools_pack8(bools + i) << i;
    for (; i < count && i < 64; i++) word |= (uint64_t)bools[i] << i;
    return word;
}

static inline int64_t *vector_int64(const Vector *v)
{
    return (int64_t *)v->data;
}
static inline double *vector_double(const Vector *v)
{
    return (double *)v->data;
}
static inline int32_t *vector_date(const Vector *v)
{
    return (int32_t *)v->data;
}
static inline uint8_t *vector_bool(const Vector *v)
{
    return (uint8_t *)v->data;
}
static inline Int128 *vector_numeric(const Vector *v)
{
    return (Int128 *)v->data;
}
static inline Str *vector_text(const Vector *v)
{
    return (Str *)v->data;
}
static inline Interval *vector_interval(const Vector *v)
{
    return (Interval *)v->data;
}
static inline uint8_t *vector_uuid(const Vector *v, int64_t row)
{
    return (uint8_t *)v->data + 16 * (row & v->mask);
}
static inline Cell *vector_cell(const Vector *v)
{
    return (Cell *)v->data;
}
static inline uint8_t vector_scale(const Vector *v, int64_t row)
{
    return v->scales ? v->scales[row & v->mask] : v->scale;
}

/* A vector of `rows` elements; data is not zeroed when `raw`. */
MUST_USE Status vector_make(Arena *arena, TypeId type, int64_t rows, bool raw, Vector *ret_vector,
                            Err *err);
int64_t vector_width(TypeId type);

#endif
