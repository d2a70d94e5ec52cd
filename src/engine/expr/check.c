/* The type check: names to columns, casts put in, literals to constants. */
#include "engine/expr/check.h"

#include "engine/expr/constant.h"
#include "engine/expr/eval.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"

/* ---- names ---- */

static Status no_column(Checker *c, const ExprNode *node, Err *err)
{
    Str name = node->name;
    (void)expr_fail(c->text, node->position, err, "no column \"%.*s\"", STR_ARG(name));
    Str near = schema_nearest(c->schema, name);
    if (near.len) return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    char list[ERR_HINT_MAX - 32];
    int64_t len = 0;
    for (int32_t i = 0; i < c->schema->count; i++) {
        Str field = c->schema->fields[i].name;
        if (len + field.len + 2 > (int64_t)sizeof list) break;
        if (len) {
            list[len++] = ',';
            list[len++] = ' ';
        }
        memcpy(list + len, field.ptr, (size_t)field.len);
        len += field.len;
    }
    return err_hint(err, "there are: %.*s", (int)len, list);
}

static Status add_path(Checker *c, Str canonical, int32_t *ret_index, Err *err)
{
    PathSet *set = c->paths;
    for (int32_t i = 0; i < set->count; i++) {
        if (!str_eq(set->paths[i], canonical)) continue;
        *ret_index = i;
        return OK;
    }
    if (set->count == set->capacity) {
        int32_t capacity = set->capacity ? set->capacity * 2 : 8;
        Str *paths = mem_realloc(set->paths, capacity * (int64_t)sizeof *paths);
        if (!paths) return err_memory(err);
        set->paths = paths;
        set->capacity = capacity;
    }
    TRY(arena_copy(&set->arena, canonical, &set->paths[set->count], err));
    *ret_index = set->count++;
    return OK;
}

/* Rows are JSON objects and nobody has said yet which paths are read: this one is. */
static Status open_path(Checker *c, ExprNode *node, Err *err)
{
    int32_t index = 0;
    TRY(add_path(c, node->written, &index, err));
    node->column = c->path_base + index;
    node->type = TYPE_DYNAMIC;
    node->path.count = 0;
    return OK;
}

static Status note_chain(Checker *c, ExprNode *node, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    TRY(json_path_format(&node->path, &text, err));
    return arena_copy(c->arena, buf_str(&text), &node->written, err);
}

static Status check_column(Checker *c, ExprNode *node, Err *err)
{
    if (node->path.count == 0) {
        return expr_fail(c->text, node->position, err, "* has no meaning here");
    }
    TRY(note_chain(c, node, err));
    bool meta = node->name.len && node->name.ptr[0] == '@';
    if (c->schema->open && c->paths && !meta) return open_path(c, node, err);
    int32_t field = node->quoted ? schema_find(c->schema, node->name)
                                 : schema_find_written(c->schema, node->name);
    if (field == -2) {
        (void)expr_fail(c->text, node->position, err, "several columns are named \"%.*s\"",
                        STR_ARG(node->name));
        return err_hint(err, "write it in double quotes, with the right case");
    }
    /* Objects passed through by `*`: the path is looked up in each row's own text. */
    bool in_object = field < 0 && c->schema->open && !meta;
    if (field < 0 && !in_object) return no_column(c, node, err);
    node->column = in_object ? 0 : field;
    node->type = c->schema->fields[node->column].type;
    if (!in_object) {
        node->path.steps++;
        node->path.count--;
    }
    if (node->path.count == 0) return OK;
    if (node->type != TYPE_JSON && node->type != TYPE_DYNAMIC) {
        return expr_fail(c->text, node->position, err, "\"%.*s\" is %s and has no members",
                         STR_ARG(node->name), type_name(node->type));
    }
    node->type = TYPE_DYNAMIC;
    return OK;
}

/* ---- literals ---- */

static Status constant_vector(Checker *c, ExprNode *node, TypeId type, int64_t size, Err *err)
{
    node->vector = (Vector){.type = type, .mask = 0};
    node->vector.data = arena_alloc(c->arena, int64_max(size, 16));
    if (!node->vector.data) return err_memory(err);
    node->type = type;
    node->constant = true;
    if (!node->null) return OK;
    node->vector.valid = ARENA_ARRAY(c->arena, uint64_t, VECTOR_WORDS);
    return node->vector.valid ? OK : err_memory(err);
}

static Status check_number(Checker *c, ExprNode *node, Err *err)
{
    int64_t integer;
    Decimal decimal;
    if (node->type == TYPE_INT64 && number_parse_int64(node->name, &integer) == NUMBER_OK) {
        TRY(constant_vector(c, node, TYPE_INT64, 8, err));
        *vector_int64(&node->vector) = integer;
        return OK;
    }
    DecimalResult result = decimal_parse(node->name, &decimal);
    if (result == DECIMAL_OK) {
        TRY(constant_vector(c, node, TYPE_NUMERIC, 16, err));
        *vector_numeric(&node->vector) = decimal.value;
        node->vector.scale = (uint8_t)decimal.scale;
        return OK;
    }
    double real;
    if (number_parse_double(node->name, &real) != NUMBER_OK) {
        return expr_fail(c->text, node->position, err, "the number is out of range");
    }
    TRY(constant_vector(c, node, TYPE_DOUBLE, 8, err));
    *vector_double(&node->vector) = real;
    return OK;
}

static Status check_literal(Checker *c, ExprNode *node, Err *err)
{
    node->constant = true;
    if (node->type == TYPE_INT64 || node->type == TYPE_NUMERIC) return check_number(c, node, err);
    if (node->type != TYPE_BOOL) return OK; /* NULL and text wait for somebody to ask */
    TRY(constant_vector(c, node, TYPE_BOOL, 1, err));
    *vector_bool(&node->vector) = str_eq_nocase(node->name, STR("true"));
    return OK;
}

/* ---- types ---- */

static int32_t number_rank(TypeId type)
{
    return type == TYPE_INT64 ? 1 : type == TYPE_NUMERIC ? 2 : type == TYPE_DOUBLE ? 3 : 0;
}

static int32_t time_rank(TypeId type)
{
    return type == TYPE_DATE ? 1 : type == TYPE_TIMESTAMP ? 2 : type == TYPE_TIMESTAMPTZ ? 3 : 0;
}

bool type_unify(TypeId a, TypeId b, TypeId *ret_type)
{
    *ret_type = a;
    if (a == b || b == TYPE_UNKNOWN) return true;
    *ret_type = b;
    if (a == TYPE_UNKNOWN) return true;
    if (a == TYPE_DYNAMIC || b == TYPE_DYNAMIC) {
        TypeId other = a == TYPE_DYNAMIC ? b : a;
        *ret_type = other == TYPE_INT64 ? TYPE_NUMERIC : other;
        return true;
    }
    if (number_rank(a) && number_rank(b)) {
        *ret_type = number_rank(a) > number_rank(b) ? a : b;
        return true;
    }
    *ret_type = time_rank(a) > time_rank(b) ? a : b;
    return time_rank(a) && time_rank(b);
}

static Status text_constant(Checker *c, ExprNode *node, Err *err)
{
    TRY(constant_vector(c, node, TYPE_TEXT, (int64_t)sizeof(Str), err));
    *vector_text(&node->vector) = node->name;
    return OK;
}

static Status put_cast(Checker *c, ExprNode **node, TypeId type, bool explicit_cast, Err *err)
{
    const Function *function = cast_find((*node)->type, type, explicit_cast);
    if (!function) {
        return expr_fail(c->text, (*node)->position, err, "%s can't be cast to %s",
                         type_name((*node)->type), type_name(type));
    }
    ExprNode *cast = ARENA_NEW(c->arena, ExprNode);
    if (!cast) return err_memory(err);
    *cast =
        (ExprNode){.kind = EXPR_CALL, .position = (*node)->position, .type = type, .checked = true};
    cast->args = ARENA_ARRAY(c->arena, ExprNode *, 1);
    if (!cast->args) return err_memory(err);
    cast->args[0] = *node;
    cast->arg_count = 1;
    cast->function = function;
    cast->name = STR("cast");
    cast->constant = (*node)->constant;
    *node = cast;
    return OK;
}

/* 'now', 'today', 'tomorrow' and 'yesterday' as a date or timestamp go by the run's now(). */
static Status day_word(Checker *c, ExprNode **node, TypeId type, bool *ret_done, Err *err)
{
    static const struct {
        const char *word, *text;
    } WORDS[] = {{"now", "now()"},
                 {"today", "current_date"},
                 {"tomorrow", "current_date + 1"},
                 {"yesterday", "current_date - 1"}};
    *ret_done = false;
    for (int64_t i = 0; type_has_date(type) && i < COUNT_OF(WORDS); i++) {
        if (!str_eq_nocase(str_trim((*node)->name), str_from(WORDS[i].word))) continue;
        ExprNode *moment = NULL;
        *ret_done = true;
        TRY(parse_expression(str_from(WORDS[i].text), c->arena, &moment, err));
        TRY(check_node(c, &moment, err));
        *node = moment;
        return check_convert(c, node, type, err);
    }
    return OK;
}

Status check_coerce(Checker *c, ExprNode **node, TypeId type, Err *err)
{
    if ((*node)->type == type) return OK;
    bool literal = (*node)->type == TYPE_UNKNOWN && (*node)->kind == EXPR_LITERAL;
    if (literal) {
        /* The literal may be an operand in other places too, of another type there. */
        ExprNode *own = ARENA_NEW(c->arena, ExprNode);
        if (!own) return err_memory(err);
        *own = **node;
        *node = own;
        if (own->null) return constant_vector(c, own, type, 32, err);
        bool day = false;
        TRY(day_word(c, node, type, &day, err));
        if (day) return OK;
        TRY(text_constant(c, *node, err));
        if (type == TYPE_TEXT) return OK;
        if (type == TYPE_DYNAMIC) return put_cast(c, node, type, false, err);
        TRY(put_cast(c, node, type, true, err));
        return eval_constant(c, *node, true, err);
    }
    TRY(put_cast(c, node, type, false, err));
    return check_fold(c, *node, err);
}

Status check_convert(Checker *c, ExprNode **node, TypeId type, Err *err)
{
    if ((*node)->type == type) return OK;
    TRY(put_cast(c, node, type, true, err));
    return check_fold(c, *node, err);
}

Status check_settle(Checker *c, ExprNode **node, Err *err)
{
    return (*node)->type == TYPE_UNKNOWN ? check_coerce(c, node, TYPE_TEXT, err) : OK;
}

Status check_fold(Checker *c, ExprNode *node, Err *err)
{
    if (!node->constant || node->kind != EXPR_CALL) return OK;
    if (node->function->flags & (FUNCTION_VOLATILE | FUNCTION_RUN)) {
        node->constant = false;
        return OK;
    }
    return eval_constant(c, node, false, err);
}

/* ---- casts ---- */

static Status wrap_call(Checker *c, ExprNode **node, const char *name, const int64_t *values,
                        int32_t count, Err *err)
{
    ExprNode *call = ARENA_NEW(c->arena, ExprNode);
    ExprNode **args = ARENA_ARRAY(c->arena, ExprNode *, count + 1);
    if (!call || !args) return err_memory(err);
    *call = (ExprNode){.kind = EXPR_CALL,
                       .position = (*node)->position,
                       .name = str_from(name),
                       .args = args,
                       .arg_count = count + 1,
                       .type = TYPE_UNKNOWN};
    args[0] = *node;
    for (int32_t i = 0; i < count; i++) {
        args[i + 1] = ARENA_NEW(c->arena, ExprNode);
        if (!args[i + 1]) return err_memory(err);
        *args[i + 1] =
            (ExprNode){.kind = EXPR_LITERAL, .position = (*node)->position, .checked = true};
        TRY(constant_vector(c, args[i + 1], TYPE_INT64, 8, err));
        *vector_int64(&args[i + 1]->vector) = values[i];
    }
    *node = call;
    return check_call(c, node, err);
}

/* What a type's name says beyond the type: ranges, digits, lengths. */
static Status cast_modifier(Checker *c, ExprNode **node, Str name, Err *err)
{
    static const char *const WORDS[][2] = {{"int", "check_int4"},     {"integer", "check_int4"},
                                           {"int4", "check_int4"},    {"smallint", "check_int2"},
                                           {"int2", "check_int2"},    {"real", "check_float4"},
                                           {"float4", "check_float4"}};
    for (int64_t i = 0; i < COUNT_OF(WORDS); i++) {
        if (str_eq(name, str_from(WORDS[i][0]))) {
            return wrap_call(c, node, WORDS[i][1], NULL, 0, err);
        }
    }
    int64_t open = str_find_char(name, '(');
    if (open < 0) return OK;
    Str inside = str_slice(name, open + 1, str_find_char(name, ')'));
    int64_t values[2] = {0, 0};
    Str part;
    for (int32_t i = 0; i < 2 && str_next_part(&inside, ',', &part); i++) {
        (void)number_parse_int64(str_trim(part), &values[i]);
    }
    if ((*node)->type == TYPE_NUMERIC) {
        return wrap_call(c, node, "check_numeric", values, 2, err);
    }
    return (*node)->type == TYPE_TEXT ? wrap_call(c, node, "left", values, 1, err) : OK;
}

/* …::text[]: of a literal, of ARRAY[] and of arrays that have that type already. */
static Status check_array_cast(Checker *c, ExprNode **node, Err *err)
{
    ExprNode *cast = *node;
    TRY(check_node(c, &cast->args[0], err));
    ExprNode *operand = cast->args[0];
    bool empty = operand->array && operand->kind == EXPR_LITERAL && !operand->null &&
                 str_eq(vector_text(&operand->vector)[0], STR("[]"));
    if (operand->type == TYPE_UNKNOWN) {
        TRY(check_array_literal(c, &cast->args[0], cast->element, err));
    } else if (!empty && (!operand->array || operand->element != cast->element)) {
        (void)expr_fail(c->text, cast->position, err, "%s%s can't be cast to %s[]",
                        type_name(operand->array ? operand->element : operand->type),
                        operand->array ? "[]" : "", type_name(cast->element));
        return err_hint(err, "cast what the array is made of");
    }
    *node = cast->args[0];
    (*node)->array = true;
    (*node)->element = cast->element;
    return OK;
}

static Status check_cast(Checker *c, ExprNode **node, Err *err)
{
    ExprNode *cast = *node;
    if (cast->array) return check_array_cast(c, node, err);
    TypeId type = cast->type;
    TRY(check_node(c, &cast->args[0], err));
    ExprNode *operand = cast->args[0];
    bool literal = operand->kind == EXPR_LITERAL && operand->type == TYPE_UNKNOWN;
    if (literal || operand->type == type) {
        TRY(check_coerce(c, &cast->args[0], type, err));
        *node = cast->args[0];
        if (operand->null) return OK;
    } else {
        TRY(put_cast(c, &operand, type, true, err));
        operand->position = cast->position;
        TRY(check_fold(c, operand, err));
        *node = operand;
    }
    return cast_modifier(c, node, cast->name, err);
}

/* ---- forms ---- */

static Status check_args(Checker *c, ExprNode *node, Err *err)
{
    node->constant = true;
    for (int32_t i = 0; i < node->arg_count; i++) {
        TRY(check_node(c, &node->args[i], err));
        node->constant &= node->args[i]->constant;
    }
    return OK;
}

static Status no_common_type(Checker *c, const ExprNode *node, TypeId a, TypeId b, Err *err)
{
    (void)expr_fail(c->text, node->position, err, "%s and %s have no common type", type_name(a),
                    type_name(b));
    return err_hint(err, "cast one of them: …::%s", type_name(a));
}

/* Bring the args from `first` on, every `step`-th and the ones that `extra` says, to one type. */
static Status unify_args(Checker *c, ExprNode *node, bool (*counts)(const ExprNode *, int32_t),
                         Err *err)
{
    TypeId type = TYPE_UNKNOWN;
    const ExprNode *first = NULL; /* that has a type */
    for (int32_t i = 0; i < node->arg_count; i++) {
        const ExprNode *arg = node->args[i];
        if (!counts(node, i) || arg->type == TYPE_UNKNOWN) continue;
        TypeId both;
        if (!type_unify(type, arg->type, &both) || (first && first->array != arg->array)) {
            return no_common_type(c, arg, type, arg->type, err);
        }
        type = both;
        if (!first) first = arg;
    }
    if (first && first->array) {
        node->array = true;
        node->element = first->element;
    }
    if (type == TYPE_UNKNOWN) type = TYPE_TEXT;
    for (int32_t i = 0; i < node->arg_count; i++) {
        if (counts(node, i)) TRY(check_coerce(c, &node->args[i], type, err));
    }
    node->type = type;
    return OK;
}

static bool every_arg(const ExprNode *node UNUSED, int32_t i UNUSED)
{
    return true;
}

static bool case_result(const ExprNode *node, int32_t i)
{
    return i % 2 == 1 || (node->has_else && i == node->arg_count - 1);
}

static Status check_case(Checker *c, ExprNode *node, Err *err)
{
    TRY(check_args(c, node, err));
    node->constant = false;
    for (int32_t i = 0; i + 1 < node->arg_count; i += 2) {
        if (case_result(node, i)) continue;
        TRY(check_coerce(c, &node->args[i], TYPE_BOOL, err));
    }
    return unify_args(c, node, case_result, err);
}

static Status check_logic(Checker *c, ExprNode *node, Err *err)
{
    TRY(check_args(c, node, err));
    node->constant = false;
    node->type = TYPE_BOOL;
    for (int32_t i = 0; i < node->arg_count; i++) {
        TRY(check_coerce(c, &node->args[i], TYPE_BOOL, err));
    }
    return OK;
}

static Status check_kind(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    switch (node->kind) {
    case EXPR_LITERAL:
        return check_literal(c, node, err);
    case EXPR_COLUMN:
        return check_column(c, node, err);
    case EXPR_CALL:
        return check_call(c, at, err);
    case EXPR_CAST:
        return check_cast(c, at, err);
    case EXPR_AND:
    case EXPR_OR:
        return check_logic(c, node, err);
    case EXPR_CASE:
        return check_case(c, node, err);
    case EXPR_COALESCE:
    case EXPR_TRY:
    case EXPR_CATCH:
        break;
    }
    TRY(check_args(c, node, err));
    node->constant = false;
    return unify_args(c, node, every_arg, err);
}

Status check_node(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    if (node->checked) return OK;
    node->checked = true;
    TRY(check_kind(c, at, err));
    if (*at == node) return OK;
    /* A node may be an operand in several places (CASE x WHEN …): it is replaced in its own place.
     */
    *node = **at;
    node->checked = true;
    *at = node;
    return OK;
}

bool node_can_fail(const ExprNode *node)
{
    if (node->kind == EXPR_TRY) return false;
    if (node->kind == EXPR_CATCH) return node_can_fail(node->args[1]);
    if (node->kind == EXPR_CALL && (node->function->flags & FUNCTION_FALLIBLE)) return true;
    for (int32_t i = 0; i < node->arg_count; i++) {
        if (node_can_fail(node->args[i])) return true;
    }
    return false;
}

void checker_release(Checker *c)
{
    for (int32_t i = 0; i < c->stateful_count; i++) {
        ExprNode *node = c->stateful[i];
        if (node->state && node->function->release) node->function->release(node->state);
        node->state = NULL;
    }
    c->stateful_count = 0;
}
