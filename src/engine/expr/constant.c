/* Constants, computed when an expression is compiled. */
#include "engine/expr/constant.h"

#include <stdio.h>

#include "engine/expr/eval.h"

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
