/* A batch with every column type in it, made from a seed, and how to compare cells. */
#ifndef NEURON_SAMPLE_BATCH_H
#define NEURON_SAMPLE_BATCH_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/column/batch.h"
#include "engine/column/builder.h"

/* Every type once, and NUMERIC twice: rows with scales of their own, rows with one scale. */
enum { SAMPLE_COLUMNS = TYPE_COUNT + 1, SAMPLE_FIXED_SCALE = TYPE_COUNT };

static inline Status sample_schema(Schema **ret_schema, Err *err)
{
    Field fields[SAMPLE_COLUMNS] = {0};
    for (int32_t i = 0; i < TYPE_COUNT; i++) {
        fields[i].name = str_from(type_name((TypeId)i));
        fields[i].type = (TypeId)i;
        fields[i].native = STR("native");
    }
    fields[SAMPLE_FIXED_SCALE] = (Field){
        .name = STR("fixed"), .type = TYPE_NUMERIC, .precision = 20, .scale = 3, .native = STR("")};
    return schema_new(fields, SAMPLE_COLUMNS, false, ret_schema, err);
}

static inline Str sample_text(int64_t seed, char buffer[128])
{
    int64_t len = seed * 31 % 41;
    for (int64_t i = 0; i < len; i++) buffer[i] = (char)('a' + (seed + i) % 26);
    return str_make(buffer, len);
}

static inline Status sample_numeric(Builder *b, int64_t seed, bool fixed, Err *err)
{
    Int128 value = (Int128)seed * seed * (seed % 2 ? -1 : 1);
    if (fixed) return builder_numeric(b, (Decimal){value, 3}, err);
    if (seed % 13 == 0) return builder_numeric_double(b, (double)seed / 8, err);
    if (seed % 7 == 0) value *= decimal_power10(25);
    return builder_numeric(b, (Decimal){value, (int32_t)(seed % 4)}, err);
}

static inline Status sample_value(Builder *b, TypeId type, int64_t seed, Err *err);

static inline Status sample_dynamic(Builder *b, int64_t seed, Err *err)
{
    static const TypeId of[] = {TYPE_BOOL,    TYPE_INT64, TYPE_DOUBLE,
                                TYPE_NUMERIC, TYPE_TEXT,  TYPE_JSON};
    TypeId type = of[seed % COUNT_OF(of)];
    Builder *child = NULL;
    TRY(builder_dynamic(b, type, &child, err));
    return sample_value(child, type, seed, err);
}

static inline Status sample_value(Builder *b, TypeId type, int64_t seed, Err *err)
{
    char buffer[128];
    uint8_t uuid[16];
    switch (type) {
    case TYPE_BOOL:
        return builder_bool(b, seed % 3 == 0, err);
    case TYPE_INT64:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return builder_int64(b, seed * 1000003 - 500, err);
    case TYPE_TIME:
        return builder_int64(b, seed * 1000 % DATETIME_DAY_US, err);
    case TYPE_DOUBLE:
        return builder_double(b, (double)seed / 3, err);
    case TYPE_NUMERIC:
        return sample_numeric(b, seed, false, err);
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
        return builder_text(b, sample_text(seed, buffer), err);
    case TYPE_DATE:
        return builder_date(b, (int32_t)(seed - 100), err);
    case TYPE_INTERVAL:
        return builder_interval(b, (Interval){(int32_t)seed, -3, seed * 77}, err);
    case TYPE_UUID:
        for (int32_t i = 0; i < 16; i++) uuid[i] = (uint8_t)(seed * 17 + i);
        return builder_uuid(b, uuid, err);
    case TYPE_DYNAMIC:
        return sample_dynamic(b, seed, err);
    case TYPE_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "no such type");
}

static inline Status sample_fill(Builder *b, int32_t column, int64_t rows, Err *err)
{
    for (int64_t row = 0; row < rows; row++) {
        int64_t seed = row * SAMPLE_COLUMNS + column;
        bool null = (row * 7 + column) % 5 == 0 && row > 70;
        if (null) TRY(builder_null(b, err));
        else if (column == SAMPLE_FIXED_SCALE) TRY(sample_numeric(b, seed, true, err));
        else TRY(sample_value(b, (TypeId)column, seed, err));
    }
    return OK;
}

static inline Status sample_column(int32_t column, int64_t rows, Column *ret_column, Err *err)
{
    Builder b;
    builder_init(&b, column == SAMPLE_FIXED_SCALE ? TYPE_NUMERIC : (TypeId)column, NULL);
    Status status = sample_fill(&b, column, rows, err);
    if (status == OK) status = builder_finish(&b, ret_column, err);
    builder_done(&b);
    return status;
}

/* No NULLs up to row 70, one row in five from there. Rows are 3 apart in their source. */
static inline Status sample_batch(int64_t rows, Batch **ret_batch, Err *err)
{
    CLEANUP(schema_unref_p) Schema *schema = NULL;
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(sample_schema(&schema, err));
    TRY(batch_new(schema, &batch, err));
    batch->rows = rows;
    for (int32_t i = 0; i < SAMPLE_COLUMNS; i++) {
        TRY(sample_column(i, rows, &batch->columns[i], err));
    }
    batch->seq = 5;
    batch->epoch = 6;
    batch->span = (Span){.part = 2, .first = 1000, .next = 1000 + 3 * rows, .bytes = 4321};
    TRY(arena_copy(&batch->arena, STR("2024-02-29"), &batch->span.cursor, err));
    TRY(buffer_new(rows * 8, NULL, &batch->ordinals, err));
    for (int64_t i = 0; i < rows; i++) {
        ((int64_t *)(void *)batch->ordinals->data)[i] = 1000 + 3 * i;
    }
    *ret_batch = TAKE(batch);
    return OK;
}

/* The same value (and the same form of it), or both NULL. */
static inline bool cell_same(const Column *a, int64_t i, const Column *b, int64_t k)
{
    if (column_is_null(a, i) || column_is_null(b, k)) {
        return column_is_null(a, i) && column_is_null(b, k);
    }
    if (a->type != b->type) return false;
    if (a->type == TYPE_DYNAMIC) {
        const Column *left = column_dynamic(a, i, &i);
        const Column *right = column_dynamic(b, k, &k);
        return cell_same(left, i, right, k);
    }
    if (a->type == TYPE_BOOL) return column_bool(a, i) == column_bool(b, k);
    if (type_is_view(a->type)) return str_eq(column_text(a, i), column_text(b, k));
    if (a->type == TYPE_NUMERIC && column_scale(a, i) != column_scale(b, k)) return false;
    int64_t width = type_width(a->type);
    return memcmp(a->data->data + (a->offset + i) * width, b->data->data + (b->offset + k) * width,
                  (size_t)width) == 0;
}

static inline bool row_same(const Batch *a, int64_t i, const Batch *b, int64_t k)
{
    for (int32_t column = 0; column < a->schema->count; column++) {
        if (!cell_same(&a->columns[column], i, &b->columns[column], k)) return false;
    }
    return true;
}

#endif
