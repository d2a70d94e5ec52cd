/* Columns as vectors, paths looked up in their values, constants computed when compiled. */
#include "engine/expr/eval.h"

#include <math.h>
#include <stdio.h>

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

/* ---- constants ---- */

static Status copy_value(Checker *c, const Vector *value, Vector *copy, Err *err)
{
    memcpy(copy->data, value->data, (size_t)vector_width(value->type));
    if (type_is_view(value->type)) {
        return arena_copy(c->arena, vector_text(value)[0], vector_text(copy), err);
    }
    if (value->type != TYPE_DYNAMIC) return OK;
    Cell *cell = vector_cell(copy);
    if (!type_is_view((TypeId)cell->type)) return OK;
    return arena_copy(c->arena, vector_cell(value)[0].text, &cell->text, err);
}

static Status constant_copy(Checker *c, ExprNode *node, const Vector *value, Err *err)
{
    bool null = value->valid && !(value->valid[0] & 1);
    Vector copy = {.type = value->type, .mask = 0, .scale = vector_scale(value, 0)};
    copy.data = arena_alloc(c->arena, int64_max(vector_width(value->type), 16));
    if (!copy.data) return err_memory(err);
    if (null) copy.valid = ARENA_ARRAY(c->arena, uint64_t, VECTOR_WORDS);
    if (null && !copy.valid) return err_memory(err);
    if (!null) TRY(copy_value(c, value, &copy, err));
    node->kind = EXPR_LITERAL;
    node->vector = copy;
    node->null = null;
    node->constant = true;
    return OK;
}

Status eval_constant(Checker *c, ExprNode *node, bool must, Err *err)
{
    Arena arena = arena_make(INT64_C(64) << 20);
    ExprRun run = {0};
    Eval eval = {.run = &run, .rows = 1, .arena = &arena, .lane = {.arena = &arena}};
    Mask one = {{1}};
    Vector value;
    Status status = eval_node(&eval, node, &one, &value, err);
    const LaneError *failed = status == OK ? lane_find(&eval.lane, 0) : NULL;
    if (failed && must) {
        status = expr_fail(c->text, node->position, err, "%.*s", STR_ARG(failed->message));
    } else if (status == OK && !failed) {
        status = constant_copy(c, node, &value, err);
    }
    arena_done(&arena);
    return status;
}

Status eval_prepare(Checker *c, ExprNode *node, Err *err)
{
    const Vector *constants[64] = {NULL};
    for (int32_t i = 0; i < node->arg_count && i < 64; i++) {
        const ExprNode *arg = node->args[i];
        if (arg->kind == EXPR_LITERAL && !arg->null) constants[i] = &arg->vector;
    }
    if (c->stateful_count == c->stateful_capacity) {
        int32_t capacity = c->stateful_capacity ? c->stateful_capacity * 2 : 8;
        ExprNode **nodes = ARENA_ARRAY(c->arena, ExprNode *, capacity);
        if (!nodes) return err_memory(err);
        if (c->stateful_count) {
            memcpy(nodes, c->stateful, (size_t)c->stateful_count * sizeof *nodes);
        }
        c->stateful = nodes;
        c->stateful_capacity = capacity;
    }
    if (node->function->prepare(constants, node->arg_count, &node->state, err) != OK) {
        char message[512];
        int64_t len = int64_min((int64_t)strlen(err->message), (int64_t)sizeof message - 1);
        memcpy(message, err->message, (size_t)len);
        message[len] = 0;
        char hint[ERR_HINT_MAX];
        (void)snprintf(hint, sizeof hint, "%s", err->hint);
        (void)expr_fail(c->text, node->position, err, "%s", message);
        return hint[0] ? err_hint(err, "%s", hint) : FAIL;
    }
    c->stateful[c->stateful_count++] = node;
    return OK;
}
