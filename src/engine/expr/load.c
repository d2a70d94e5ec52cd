/* Columns as vectors, and paths looked up in their values. */
#include "engine/expr/eval.h"

#include <math.h>

#include "foundation/base/number.h"

/* ---- columns ---- */

static Status load_bool(Eval *eval, const Column *c, Vector *v, Err *err)
{
    uint8_t *out = arena_raw(eval->arena, eval->rows);
    if (!out) return err_memory(err);
    for (int64_t i = 0; i < eval->rows; i++) out[i] = column_bool(c, eval->from + i);
    v->data = out;
    return OK;
}

static Status load_text(Eval *eval, const Column *c, Vector *v, Err *err)
{
    Str *out = arena_raw(eval->arena, eval->rows * (int64_t)sizeof *out);
    if (!out) return err_memory(err);
    const TextView *views = column_views(c) + eval->from;
    int64_t rows = eval->rows;
    if (c->heap_count == 1) {
        const char *heap = (const char *)c->heaps[0]->data;
        for (int64_t i = 0; i < rows; i++) {
            const char *far = heap + views[i].ref.offset;
            out[i] = str_make(views[i].len <= 12 ? views[i].inlined : far, views[i].len);
        }
    } else {
        for (int64_t i = 0; i < rows; i++) out[i] = column_text(c, eval->from + i);
    }
    v->data = out;
    return OK;
}

static void load_cell(const Column *c, int64_t row, Cell *cell)
{
    int64_t at = 0;
    const Column *child = column_dynamic(c, row, &at);
    cell->type = (uint8_t)child->type;
    switch (child->type) {
    case TYPE_BOOL:
        cell->boolean = column_bool(child, at);
        return;
    case TYPE_INT64:
        cell->integer = column_int64(child)[at];
        return;
    case TYPE_DOUBLE:
        cell->real = column_double(child)[at];
        return;
    case TYPE_NUMERIC:
        cell->scale = column_scale(child, at);
        cell->numeric = column_numeric(child)[at];
        return;
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
        cell->text = column_text(child, at);
        return;
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
    assert(cell->type == TYPE_COUNT); /* a dynamic column holds nothing else */
}

static Status load_dynamic(Eval *eval, const Column *c, Vector *v, Err *err)
{
    Cell *out = ARENA_ARRAY(eval->arena, Cell, eval->rows);
    if (!out) return err_memory(err);
    for (int64_t i = 0; i < eval->rows; i++) {
        if (!column_is_null(c, eval->from + i)) load_cell(c, eval->from + i, &out[i]);
    }
    v->data = out;
    return OK;
}

/* Validity words of the chunk: those of the column where a whole vector is there, else a copy. */
static Status load_valid(Eval *eval, const Column *c, Vector *v, Err *err)
{
    if (!c->valid) return OK;
    const uint8_t *bits = c->valid->data + (c->offset + eval->from) / 8;
    v->valid = ARENA_ARRAY(eval->arena, uint64_t, VECTOR_WORDS);
    if (!v->valid) return err_memory(err);
    memcpy(v->valid, bits, (size_t)((eval->rows + 63) / 64) * 8);
    return OK;
}

/* Vectors are read-only once made; the batch's bytes are never written through one. */
static void *borrowed(const uint8_t *data)
{
    union {
        const uint8_t *in;
        void *out;
    } handle = {.in = data};
    return handle.out;
}

Status eval_load(Eval *eval, const Column *c, Vector *v, Err *err)
{
    *v = (Vector){.type = c->type, .mask = -1, .scale = c->scale};
    TRY(load_valid(eval, c, v, err));
    if (c->type == TYPE_BOOL) return load_bool(eval, c, v, err);
    if (type_is_view(c->type)) return load_text(eval, c, v, err);
    if (c->type == TYPE_DYNAMIC) return load_dynamic(eval, c, v, err);
    int64_t first = c->offset + eval->from;
    v->data = borrowed(c->data->data + first * type_width(c->type));
    if (c->aux) v->scales = borrowed(c->aux->data + first);
    return OK;
}

Status eval_load_views(Eval *eval, const Column *c, Vector *v, Err *err)
{
    *v = (Vector){.type = c->type, .mask = -1, .views = column_views(c) + eval->from};
    v->heaps = c->heaps;
    return load_valid(eval, c, v, err);
}

/* ---- paths ---- */

Status cell_from_slot(const JsonSlot *slot, Arena *arena, Cell *cell, bool *ret_null, Err *err)
{
    *ret_null = slot->kind == JSON_MISSING || slot->kind == JSON_NULL;
    Decimal decimal;
    switch (slot->kind) {
    case JSON_MISSING:
    case JSON_NULL:
        return OK;
    case JSON_BOOL:
        cell->type = TYPE_BOOL;
        cell->boolean = slot->text.ptr[0] == 't';
        return OK;
    case JSON_NUMBER:
        cell->type = TYPE_NUMERIC;
        if (decimal_parse(slot->text, &decimal) == DECIMAL_OK) {
            cell->scale = (uint8_t)decimal.scale;
            cell->numeric = decimal.value;
            return OK;
        }
        cell->type = TYPE_DOUBLE;
        if (number_parse_double(slot->text, &cell->real) == NUMBER_OK) return OK;
        /* Past a double's range: as PostgreSQL's float8 can't say it, the nearest it has. */
        cell->real = slot->text.ptr[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        return OK;
    case JSON_STRING:
        cell->type = TYPE_TEXT;
        return json_text(slot, arena, &cell->text, err);
    case JSON_OBJECT:
    case JSON_ARRAY:
        cell->type = TYPE_JSON;
        cell->text = slot->text;
        return OK;
    }
    return OK;
}

static Str path_subject(const Vector *v, int64_t row)
{
    if (v->type == TYPE_JSON) return vector_text(v)[row & v->mask];
    const Cell *cell = &vector_cell(v)[row & v->mask];
    return cell->type == TYPE_JSON ? cell->text : STR_NULL;
}

Status eval_path(Eval *eval, const ExprNode *node, const Mask *active, Vector *vector, Err *err)
{
    Vector out;
    TRY(vector_make(eval->arena, TYPE_DYNAMIC, eval->rows, false, &out, err));
    out.valid = ARENA_ARRAY(eval->arena, uint64_t, VECTOR_WORDS);
    if (!out.valid) return err_memory(err);
    for (int64_t row = 0; row < eval->rows; row++) {
        bool there = (active->words[row >> 6] >> (row & 63)) & 1;
        if (vector->valid) there = there && ((vector->valid[row >> 6] >> (row & 63)) & 1);
        Str json = there ? path_subject(vector, row) : STR_NULL;
        if (json.len == 0) continue;
        JsonSlot slot = json_get_path(json, &node->path);
        bool null = false;
        TRY(cell_from_slot(&slot, eval->arena, &vector_cell(&out)[row], &null, err));
        if (!null) out.valid[row >> 6] |= UINT64_C(1) << (row & 63);
    }
    *vector = out;
    return OK;
}
