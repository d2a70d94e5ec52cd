/* Calls: which overload of a function fits the arguments, and what has to be cast for it. */
#include <stdio.h>

#include "engine/expr/check.h"
#include "engine/expr/constant.h"
#include "engine/expr/eval.h"

enum { SIGNATURE_ARGS_MAX = 8, NO_MATCH = -1 };

/* Parameters beyond the column types. */
enum { PARAM_ANY = TYPE_COUNT + 1, PARAM_T, PARAM_ARRAY, PARAM_ELEMENT };

typedef struct Signature {
    int32_t params[SIGNATURE_ARGS_MAX];
    int32_t count; /* fixed parameters, the repeating one included */
    int32_t required;
    bool repeats; /* the last one may come any number of times, also none */
    int32_t result;
    bool result_array; /* of elements of type `result` */
} Signature;

static int32_t param_of(Str word)
{
    if (str_eq(word, STR("any"))) return PARAM_ANY;
    if (str_eq(word, STR("T"))) return PARAM_T;
    if (str_eq(word, STR("E"))) return PARAM_ELEMENT;
    if (str_eq(word, STR("array"))) return PARAM_ARRAY;
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
    Str result = str_trim(str_slice(all, arrow + 2, all.len));
    s.result_array = str_ends(result, STR("[]"));
    if (s.result_array) result.len -= 2;
    s.result = param_of(result);
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
static int32_t distance(const ExprNode *arg, int32_t to)
{
    TypeId from = arg->type;
    if (to == PARAM_ELEMENT) return 1;
    if (to == PARAM_ARRAY) {
        return arg->array             ? 0
               : from == TYPE_UNKNOWN ? 2
               : from == TYPE_JSON    ? 3
               : from == TYPE_DYNAMIC ? 9
                                      : NO_MATCH;
    }
    if (to == PARAM_ANY) return 4;
    if (arg->array && to != TYPE_JSON) return NO_MATCH;
    if ((int32_t)from == to) return arg->array;
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
    bool wants_array = false, has_array = false;
    for (int32_t i = 0; i < node->arg_count; i++) {
        TypeId type = node->args[i]->type;
        int32_t param = param_at(s, i);
        if (param == PARAM_T) {
            if (!type_unify(t, type, &t)) return NO_MATCH;
            total++;
            continue;
        }
        wants_array |= param == PARAM_ARRAY;
        has_array |= node->args[i]->array;
        int32_t one = distance(node->args[i], param);
        if (one == NO_MATCH) return NO_MATCH;
        total += one;
    }
    *ret_t = t == TYPE_UNKNOWN ? TYPE_TEXT : t;
    /* What only could be an array is one where nothing else fits. */
    return wants_array && !has_array ? total + 20 : total;
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

/* The first array among the arguments of such parameters; NULL: none is known to be one. */
static const ExprNode *array_argument(const Signature *s, const ExprNode *node)
{
    for (int32_t i = 0; i < node->arg_count; i++) {
        bool counts = param_at(s, i) == PARAM_ARRAY || param_at(s, i) == PARAM_T;
        if (counts && node->args[i]->array) return node->args[i];
    }
    return NULL;
}

static Status bind_argument(Checker *c, ExprNode **arg, int32_t param, TypeId t, TypeId element,
                            Err *err)
{
    bool untyped = (*arg)->type == TYPE_UNKNOWN;
    if (param == PARAM_ANY) return check_settle(c, arg, err);
    if (param == PARAM_ARRAY) {
        return untyped ? check_array_literal(c, arg, element, err)
                       : check_coerce(c, arg, TYPE_JSON, err);
    }
    if (param == PARAM_ELEMENT) {
        return untyped ? check_coerce(c, arg, element, err) : check_settle(c, arg, err);
    }
    /* PostgreSQL reads an untyped literal as JSON where JSON is wanted. */
    if (param == TYPE_DYNAMIC && untyped) TRY(check_coerce(c, arg, TYPE_JSON, err));
    return check_coerce(c, arg, param == PARAM_T ? t : (TypeId)param, err);
}

static Status bind(Checker *c, ExprNode *node, const Function *function, TypeId t, Err *err)
{
    Signature s = signature_parse(function->signature);
    const ExprNode *array = array_argument(&s, node);
    TypeId element = array ? array->element : TYPE_TEXT;
    for (int32_t i = 0; i < node->arg_count; i++) {
        TRY(bind_argument(c, &node->args[i], param_at(&s, i), t, element, err));
    }
    node->function = function;
    node->type = s.result == PARAM_T ? t : (TypeId)s.result;
    node->array = s.result_array || s.result == PARAM_ARRAY || (s.result == PARAM_T && array);
    node->element = s.result_array ? (TypeId)s.result : element;
    if (node->array) node->type = TYPE_JSON;
    if (s.result == PARAM_ELEMENT) node->type = TYPE_DYNAMIC;
    if (function->prepare) TRY(eval_prepare(c, node, err));
    TRY(check_fold(c, node, err));
    return OK;
}

Status check_call(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    node->checked = true;
    bool done = false;
    TRY(check_form(c, at, &done, err));
    if (done) return OK;
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
    TRY(bind(c, node, best, best_t, err));
    if (signature_parse(best->signature).result != PARAM_ELEMENT) return OK;
    /* The node itself becomes the cast. */
    ExprNode *call = ARENA_NEW(c->arena, ExprNode);
    if (!call) return err_memory(err);
    *call = *node;
    *at = call;
    return check_convert(c, at, call->element, err);
}
