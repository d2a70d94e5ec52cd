/* Vectors put behind each other into a column. */
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

/* Values of 4 and 8 bytes without NULLs or constants are copied whole. */
static bool store_bulk(Builder *b, const Vector *v, int64_t rows)
{
    int32_t width = type_width(v->type);
    bool plain = v->type != TYPE_BOOL && (width == 4 || width == 8) && v->mask == -1;
    if (!plain || b->valid) return false;
    for (int64_t row = 0; v->valid && row < rows; row += 64) {
        uint64_t all = rows - row >= 64 ? UINT64_MAX : (UINT64_C(1) << (rows - row)) - 1;
        if ((v->valid[row / 64] & all) != all) return false;
    }
    memcpy(b->data->data + b->length * width, v->data, (size_t)(rows * width));
    b->length += rows;
    return true;
}

Status store_vector(Builder *b, const Vector *v, int64_t rows, Err *err)
{
    TRY(builder_reserve(b, rows, err));
    if (store_bulk(b, v, rows)) return OK;
    for (int64_t row = 0; row < rows; row++) TRY(store_row(b, v, row, err));
    return OK;
}
