/* Calls: which overload of a function fits the arguments, and what has to be cast for it. */
#include <stdio.h>

#include "engine/expr/check.h"
#include "engine/expr/eval.h"

enum { SIGNATURE_ARGS_MAX = 8, NO_MATCH = -1 };

/* Parameters beyond the column types. */
enum { PARAM_ANY = TYPE_COUNT + 1, PARAM_T };

typedef struct Signature {
    int32_t params[SIGNATURE_ARGS_MAX];
    int32_t count; /* fixed parameters, the repeating one included */
    int32_t required;
    bool repeats; /* the last one may come any number of times, also none */
    int32_t result;
} Signature;

static int32_t param_of(Str word)
{
    if (str_eq(word, STR("any"))) return PARAM_ANY;
    if (str_eq(word, STR("T"))) return PARAM_T;
    if (str_eq(word, STR("double"))) return TYPE_DOUBLE;
    TypeId type = TYPE_COUNT;
    int32_t precision, scale;
    bool known = type_parse(word, &type, &precision, &scale);
    assert(known);
    return (int32_t)type;
}

/* "text, bigint, [bigint] -> text", "any… -> text" */
static Signature signature_parse(const char *text)
{
    Signature s = {0};
    Str all = str_from(text);
    int64_t arrow = str_find(all, STR("->"));
    assert(arrow >= 0);
    s.result = param_of(str_trim(str_slice(all, arrow + 2, all.len)));
    Str args = str_trim(str_slice(all, 0, arrow));
    Str part;
    bool optional = false;
    while (args.len && str_next_part(&args, ',', &part)) {
        part = str_trim(part);
        if (str_starts(part, STR("["))) {
            optional = true;
            part = str_slice(part, 1, part.len);
        }
        if (str_ends(part, STR("]"))) part.len--;
        if (str_ends(part, STR("…"))) {
            s.repeats = true;
            part.len -= STR("…").len;
        }
        assert(s.count < SIGNATURE_ARGS_MAX);
        s.params[s.count++] = param_of(str_trim(part));
        if (!optional && !s.repeats) s.required = s.count;
    }
    return s;
}

static int32_t param_at(const Signature *s, int32_t i)
{
    return s->params[i < s->count ? i : s->count - 1];
}

/* How far an argument is from a parameter; NO_MATCH when it can't be one. */
static int32_t distance(TypeId from, int32_t to)
{
    if ((int32_t)from == to) return 0;
    if (to == PARAM_ANY) return 4;
    if (from == TYPE_UNKNOWN) return to == TYPE_TEXT ? 1 : 2;
    if (from == TYPE_DYNAMIC) {
        static const int8_t FROM_DYNAMIC[TYPE_COUNT] = {
            [TYPE_BOOL] = 4,  [TYPE_INT64] = 8,      [TYPE_DOUBLE] = 6,      [TYPE_NUMERIC] = 3,
            [TYPE_TEXT] = 4,  [TYPE_BYTES] = 9,      [TYPE_JSON] = 5,        [TYPE_DATE] = 11,
            [TYPE_TIME] = 12, [TYPE_TIMESTAMP] = 10, [TYPE_TIMESTAMPTZ] = 9, [TYPE_INTERVAL] = 12,
            [TYPE_UUID] = 12};
        return FROM_DYNAMIC[to];
    }
    if (from == TYPE_INT64 && to == TYPE_NUMERIC) return 2;
    if (from == TYPE_INT64 && to == TYPE_DOUBLE) return 3;
    if (from == TYPE_NUMERIC && to == TYPE_DOUBLE) return 2;
    if (from == TYPE_DATE && to == TYPE_TIMESTAMP) return 2;
    if (from == TYPE_DATE && to == TYPE_TIMESTAMPTZ) return 3;
    if (from == TYPE_TIMESTAMP && to == TYPE_TIMESTAMPTZ) return 2;
    if (to == TYPE_DYNAMIC && from == TYPE_JSON) return 1;
    return NO_MATCH;
}

/* The distance of all arguments, and what T stands for. */
static int32_t match(const Signature *s, const ExprNode *node, TypeId *ret_t)
{
    if (node->arg_count < s->required) return NO_MATCH;
    if (node->arg_count > s->count && !s->repeats) return NO_MATCH;
    TypeId t = TYPE_UNKNOWN;
    int32_t total = 0;
    for (int32_t i = 0; i < node->arg_count; i++) {
        TypeId type = node->args[i]->type;
        int32_t param = param_at(s, i);
        if (param == PARAM_T) {
            if (!type_unify(t, type, &t)) return NO_MATCH;
            total++;
            continue;
        }
        int32_t one = distance(type, param);
        if (one == NO_MATCH) return NO_MATCH;
        total += one;
    }
    *ret_t = t == TYPE_UNKNOWN ? TYPE_TEXT : t;
    return total;
}

static bool is_operator(Str name)
{
    return name.len && !((name.ptr[0] >= 'a' && name.ptr[0] <= 'z') || name.ptr[0] == '_');
}

/* "bigint, text" of the arguments. */
static void argument_types(const ExprNode *node, char *to, int64_t size)
{
    int64_t len = 0;
    to[0] = 0;
    for (int32_t i = 0; i < node->arg_count && len < size - 40; i++) {
        TypeId type = node->args[i]->type;
        len += snprintf(to + len, (size_t)(size - len), "%s%s", i ? ", " : "",
                        type == TYPE_UNKNOWN ? "text" : type_name(type));
    }
}

static Status no_function(Checker *c, const ExprNode *node, Err *err)
{
    (void)expr_fail(c->text, node->position, err, "no function %.*s", STR_ARG(node->name));
    Str near = function_nearest(node->name);
    if (near.len) return err_hint(err, "did you mean %.*s?", STR_ARG(near));
    return err_hint(err, "`neuron eval --functions` lists them");
}

static Status no_overload(Checker *c, const ExprNode *node, const Function *const *functions,
                          int32_t count, Err *err)
{
    char types[256];
    argument_types(node, types, sizeof types);
    if (is_operator(node->name) && node->arg_count == 2) {
        TypeId a = node->args[0]->type, b = node->args[1]->type;
        (void)expr_fail(c->text, node->position, err, "no operator %.*s for %s and %s",
                        STR_ARG(node->name), a == TYPE_UNKNOWN ? "text" : type_name(a),
                        b == TYPE_UNKNOWN ? "text" : type_name(b));
        return err_hint(err, "cast one side, like …::numeric");
    }
    (void)expr_fail(c->text, node->position, err, "no function %.*s(%s)", STR_ARG(node->name),
                    types);
    char list[ERR_HINT_MAX - 16];
    int64_t len = 0;
    for (int32_t i = 0; i < count && len < (int64_t)sizeof list - 80; i++) {
        len += snprintf(list + len, sizeof list - (size_t)len, "%s%s(%.60s)", len ? "; " : "",
                        functions[i]->name, functions[i]->signature);
    }
    return err_hint(err, "there is %s", list);
}

/* f(*) stands for all columns. */
static Status expand_star(Checker *c, ExprNode *node, Err *err)
{
    int32_t stars = 0;
    for (int32_t i = 0; i < node->arg_count; i++) {
        stars += node->args[i]->kind == EXPR_COLUMN && node->args[i]->path.count == 0 &&
                 !node->args[i]->checked;
    }
    if (stars == 0) return OK;
    int32_t fields = c->schema->open ? 1 : c->schema->count;
    ExprNode **args = ARENA_ARRAY(c->arena, ExprNode *, node->arg_count + stars * fields);
    if (!args) return err_memory(err);
    int32_t count = 0;
    for (int32_t i = 0; i < node->arg_count; i++) {
        ExprNode *arg = node->args[i];
        if (arg->kind != EXPR_COLUMN || arg->path.count || arg->checked) {
            args[count++] = arg;
            continue;
        }
        for (int32_t f = 0; f < fields; f++) {
            ExprNode *column = ARENA_NEW(c->arena, ExprNode);
            if (!column) return err_memory(err);
            *column = (ExprNode){.kind = EXPR_COLUMN,
                                 .written = c->schema->fields[f].name,
                                 .position = arg->position,
                                 .column = f,
                                 .type = c->schema->fields[f].type,
                                 .checked = true};
            args[count++] = column;
        }
    }
    node->args = args;
    node->arg_count = count;
    return OK;
}

static ExprNode *make_node(Checker *c, ExprKind kind, const ExprNode *like, const char *name,
                           int32_t count)
{
    ExprNode *node = ARENA_NEW(c->arena, ExprNode);
    ExprNode **args = ARENA_ARRAY(c->arena, ExprNode *, count);
    if (!node || !args) return NULL;
    *node = (ExprNode){.kind = kind,
                       .position = like->position,
                       .name = str_from(name),
                       .args = args,
                       .arg_count = count,
                       .type = TYPE_UNKNOWN};
    return node;
}

static Status make_pair(Checker *c, const ExprNode *like, const char *op, ExprNode *a, ExprNode *b,
                        ExprNode **ret_node, Err *err)
{
    ExprNode *node = make_node(c, EXPR_CALL, like, op, 2);
    if (!node) return err_memory(err);
    node->args[0] = a;
    node->args[1] = b;
    *ret_node = node;
    return OK;
}

/* x BETWEEN a AND b is x >= a AND x <= b. */
static Status expand_between(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    ExprNode *both = make_node(c, EXPR_AND, node, "", 2);
    if (!both) return err_memory(err);
    TRY(make_pair(c, node, ">=", node->args[0], node->args[1], &both->args[0], err));
    TRY(make_pair(c, node, "<=", node->args[0], node->args[2], &both->args[1], err));
    *at = both;
    return check_node(c, at, err);
}

static Status expand_symmetric(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    ExprNode *low = NULL, *high = NULL;
    TRY(make_pair(c, node, "least", node->args[1], node->args[2], &low, err));
    TRY(make_pair(c, node, "greatest", node->args[1], node->args[2], &high, err));
    node->args[1] = low;
    node->args[2] = high;
    return expand_between(c, at, err);
}

/* x IN (a, b) is x = a OR x = b. */
static Status expand_in(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    ExprNode *any = make_node(c, EXPR_OR, node, "", node->arg_count - 1);
    if (!any) return err_memory(err);
    for (int32_t i = 1; i < node->arg_count; i++) {
        TRY(make_pair(c, node, "=", node->args[0], node->args[i], &any->args[i - 1], err));
    }
    *at = any;
    return check_node(c, at, err);
}

static Status bind(Checker *c, ExprNode *node, const Function *function, TypeId t, Err *err)
{
    Signature s = signature_parse(function->signature);
    for (int32_t i = 0; i < node->arg_count; i++) {
        int32_t param = param_at(&s, i);
        if (param == PARAM_ANY) TRY(check_settle(c, &node->args[i], err));
        else TRY(check_coerce(c, &node->args[i], param == PARAM_T ? t : (TypeId)param, err));
    }
    node->function = function;
    node->type = s.result == PARAM_T ? t : (TypeId)s.result;
    if (!function->prepare) return check_fold(c, node, err);
    TRY(eval_prepare(c, node, err));
    return check_fold(c, node, err);
}

Status check_call(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    node->checked = true;
    /* Forms of the grammar; a call that only has such a form's name is no function. */
    bool three = node->arg_count == 3;
    if (three && str_eq(node->name, STR("between"))) return expand_between(c, at, err);
    if (three && str_eq(node->name, STR("between_symmetric"))) return expand_symmetric(c, at, err);
    if (node->arg_count >= 2 && str_eq(node->name, STR("in"))) return expand_in(c, at, err);
    TRY(expand_star(c, node, err));
    node->constant = true;
    for (int32_t i = 0; i < node->arg_count; i++) {
        TRY(check_node(c, &node->args[i], err));
        node->constant &= node->args[i]->constant;
    }
    const Function *functions[32];
    int32_t count = 0;
    TRY(function_find(node->name, functions, &count, err));
    if (count == 0) return no_function(c, node, err);
    const Function *best = NULL;
    TypeId best_t = TYPE_TEXT;
    int32_t best_distance = INT32_MAX;
    for (int32_t i = 0; i < count; i++) {
        Signature s = signature_parse(functions[i]->signature);
        TypeId t = TYPE_TEXT;
        int32_t one = match(&s, node, &t);
        if (one == NO_MATCH || one >= best_distance) continue;
        best = functions[i];
        best_t = t;
        best_distance = one;
    }
    if (!best) return no_overload(c, node, functions, count, err);
    return bind(c, node, best, best_t, err);
}
