/* Vectors appended to each other into a column. */
#include "engine/expr/store.h"

static bool row_is_valid(const Vector *v, int64_t row)
{
    return !v->valid || ((v->valid[row >> 6] >> (row & 63)) & 1);
}

static Status store_cell(Builder *b, const Cell *cell, Err *err)
{
    Builder *child = NULL;
    TRY(builder_dynamic(b, (TypeId)cell->type, &child, err));
    switch ((TypeId)cell->type) {
    case TYPE_BOOL:
        return builder_bool(child, cell->boolean, err);
    case TYPE_INT64:
        return builder_int64(child, cell->integer, err);
    case TYPE_DOUBLE:
        return builder_double(child, cell->real, err);
    case TYPE_NUMERIC:
        if (cell->scale == NUMERIC_SCALE_DOUBLE) {
            double real;
            memcpy(&real, &cell->numeric, sizeof real);
            return builder_numeric_double(child, real, err);
        }
        return builder_numeric(child, (Decimal){cell->numeric, cell->scale}, err);
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
        return builder_text(child, cell->text, err);
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "a dynamic value of a type that it can't have");
}

static Status store_numeric(Builder *b, const Vector *v, int64_t row, Err *err)
{
    Int128 value = vector_numeric(v)[row & v->mask];
    uint8_t scale = vector_scale(v, row);
    if (scale != NUMERIC_SCALE_DOUBLE) return builder_numeric(b, (Decimal){value, scale}, err);
    double real;
    memcpy(&real, &value, sizeof real);
    return builder_numeric_double(b, real, err);
}

static Status store_row(Builder *b, const Vector *v, int64_t row, Err *err)
{
    if (!row_is_valid(v, row)) return builder_null(b, err);
    int64_t at = row & v->mask;
    switch (v->type) {
    case TYPE_BOOL:
        return builder_bool(b, vector_bool(v)[at], err);
    case TYPE_INT64:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return builder_int64(b, vector_int64(v)[at], err);
    case TYPE_DOUBLE:
        return builder_double(b, vector_double(v)[at], err);
    case TYPE_DATE:
        return builder_date(b, vector_date(v)[at], err);
    case TYPE_NUMERIC:
        return store_numeric(b, v, row, err);
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
        return builder_text(b, vector_text(v)[at], err);
    case TYPE_INTERVAL:
        return builder_interval(b, vector_interval(v)[at], err);
    case TYPE_UUID:
        return builder_uuid(b, vector_uuid(v, row), err);
    case TYPE_DYNAMIC:
        return store_cell(b, &vector_cell(v)[at], err);
    case TYPE_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "a vector without a type");
}

/* Bits of the rows of one word that are there. */
static uint64_t word_rows(int64_t rows, int64_t base)
{
    return rows - base >= 64 ? UINT64_MAX : (UINT64_C(1) << (rows - base)) - 1;
}

static int64_t count_nulls(const Vector *v, int64_t rows)
{
    int64_t nulls = 0;
    for (int64_t base = 0; v->valid && base < rows; base += 64) {
        nulls += __builtin_popcountll(~v->valid[base / 64] & word_rows(rows, base));
    }
    return nulls;
}

/* The validity bits after those that the builder has; both begin at a word. */
static Status store_valid(Builder *b, const Vector *v, int64_t rows, int64_t nulls, Err *err)
{
    if (nulls == 0 && !b->valid) return OK;
    if (!b->valid) TRY(builder_valid(b, err));
    uint64_t *to = (uint64_t *)(void *)b->valid->data + b->length / 64;
    for (int64_t base = 0; base < rows; base += 64) {
        uint64_t valid = v->valid ? v->valid[base / 64] : UINT64_MAX;
        to[base / 64] = valid & word_rows(rows, base);
    }
    b->null_count += nulls;
    return OK;
}

/* NULLs hold zeros. */
static void clear_nulls(uint8_t *data, int64_t width, const Vector *v, int64_t rows)
{
    for (int64_t base = 0; base < rows; base += 64) {
        uint64_t nulls = ~v->valid[base / 64] & word_rows(rows, base);
        for (; nulls; nulls &= nulls - 1) {
            int64_t row = base + __builtin_ctzll(nulls);
            memset(data + row * width, 0, (size_t)width);
        }
    }
}

static void store_bools(Builder *b, const Vector *v, int64_t rows)
{
    uint64_t *to = (uint64_t *)(void *)b->data->data + b->length / 64;
    for (int64_t base = 0; base < rows; base += 64) {
        uint64_t valid = v->valid ? v->valid[base / 64] : UINT64_MAX;
        to[base / 64] = bools_pack(vector_bool(v) + base, rows - base) & valid;
    }
}

/* One scale for all rows that are there, the builder's when it has rows. */
static bool scale_is_one(const Builder *b, const Vector *v, int64_t rows, uint8_t *ret_scale)
{
    if (b->aux || !b->uniform_scale) return false;
    int64_t first = 0;
    while (first < rows && !row_is_valid(v, first)) first++;
    if (first == rows) return false;
    uint8_t scale = vector_scale(v, first);
    uint8_t differs = scale == NUMERIC_SCALE_DOUBLE;
    differs |= b->length > b->null_count && b->scale != scale;
    for (int64_t row = 0; v->scales && row < rows; row++) {
        bool valid = row_is_valid(v, row);
        differs |= valid & (v->scales[row] != scale);
    }
    *ret_scale = scale;
    return !differs;
}

/* Whole vectors of plain values after whole words of earlier rows. */
static Status store_bulk(Builder *b, const Vector *v, int64_t rows, bool *ret_stored, Err *err)
{
    int32_t width = type_width(v->type);
    bool plain = v->type == TYPE_BOOL || v->type == TYPE_NUMERIC || width == 4 || width == 8;
    *ret_stored = false;
    if (!plain || v->mask != -1 || b->length % 64 != 0) return OK;
    uint8_t scale = 0;
    if (v->type == TYPE_NUMERIC && !scale_is_one(b, v, rows, &scale)) return OK;
    int64_t nulls = count_nulls(v, rows);
    TRY(store_valid(b, v, rows, nulls, err));
    if (v->type == TYPE_NUMERIC) b->scale = scale;
    if (v->type == TYPE_BOOL) {
        store_bools(b, v, rows);
    } else {
        uint8_t *to = b->data->data + b->length * width;
        memcpy(to, v->data, (size_t)(rows * width));
        if (nulls) clear_nulls(to, width, v, rows);
    }
    b->length += rows;
    *ret_stored = true;
    return OK;
}

Status store_vector(Builder *b, const Vector *v, int64_t rows, Err *err)
{
    TRY(builder_reserve(b, rows, err));
    bool stored = false;
    TRY(store_bulk(b, v, rows, &stored, err));
    for (int64_t row = 0; row < rows && !stored; row++) TRY(store_row(b, v, row, err));
    return OK;
}
