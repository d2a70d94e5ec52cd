/* Forms of the grammar that stand for other expressions: BETWEEN, IN, ANY, ARRAY[…], rows. */
#include "engine/expr/check.h"

static ExprNode *make_node(Checker *c, ExprKind kind, const ExprNode *like, Str name, int32_t count)
{
    ExprNode *node = ARENA_NEW(c->arena, ExprNode);
    ExprNode **args = ARENA_ARRAY(c->arena, ExprNode *, count ? count : 1);
    if (!node || !args) return NULL;
    *node = (ExprNode){.kind = kind,
                       .position = like->position,
                       .name = name,
                       .args = args,
                       .arg_count = count,
                       .type = TYPE_UNKNOWN};
    return node;
}

static Status make_pair(Checker *c, const ExprNode *like, Str op, ExprNode *a, ExprNode *b,
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
    ExprNode *both = make_node(c, EXPR_AND, node, STR(""), 2);
    if (!both) return err_memory(err);
    TRY(make_pair(c, node, STR(">="), node->args[0], node->args[1], &both->args[0], err));
    TRY(make_pair(c, node, STR("<="), node->args[0], node->args[2], &both->args[1], err));
    *at = both;
    return check_node(c, at, err);
}

static Status expand_symmetric(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    ExprNode *low = NULL, *high = NULL;
    TRY(make_pair(c, node, STR("least"), node->args[1], node->args[2], &low, err));
    TRY(make_pair(c, node, STR("greatest"), node->args[1], node->args[2], &high, err));
    node->args[1] = low;
    node->args[2] = high;
    return expand_between(c, at, err);
}

/* left op item for each item, joined by OR or AND. */
static Status expand_items(Checker *c, ExprNode **at, Str op, ExprKind kind, ExprNode *left,
                           ExprNode *const *items, int32_t count, Err *err)
{
    ExprNode *all = make_node(c, kind, *at, STR(""), count);
    if (!all) return err_memory(err);
    for (int32_t i = 0; i < count; i++) {
        TRY(make_pair(c, *at, op, left, items[i], &all->args[i], err));
    }
    *at = all;
    return check_node(c, at, err);
}

/* ---- rows: (a, b) < (c, d) ---- */

static bool is_row(const ExprNode *node)
{
    return node->kind == EXPR_CALL && !node->checked && str_eq(node->name, STR("row"));
}

/* a < c OR (a = c AND (b < d OR …)); the last pair by the operator itself. */
static Status row_order(Checker *c, const ExprNode *node, int32_t from, ExprNode **ret_node,
                        Err *err)
{
    ExprNode *a = node->args[0]->args[from], *b = node->args[1]->args[from];
    if (from + 1 == node->args[0]->arg_count) {
        return make_pair(c, node, node->name, a, b, ret_node, err);
    }
    ExprNode *any = make_node(c, EXPR_OR, node, STR(""), 2);
    ExprNode *same = make_node(c, EXPR_AND, node, STR(""), 2);
    if (!any || !same) return err_memory(err);
    TRY(make_pair(c, node, str_slice(node->name, 0, 1), a, b, &any->args[0], err));
    TRY(make_pair(c, node, STR("="), a, b, &same->args[0], err));
    TRY(row_order(c, node, from + 1, &same->args[1], err));
    any->args[1] = same;
    *ret_node = any;
    return OK;
}

static Status expand_rows(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    bool both = is_row(node->args[0]) && is_row(node->args[1]);
    if (!both || node->args[0]->arg_count != node->args[1]->arg_count) {
        return expr_fail(c->text, node->position, err,
                         "unequal number of entries in row expressions");
    }
    bool equal = str_eq(node->name, STR("=")),
         ordered = !equal && (node->name.ptr[0] == '<' || node->name.ptr[0] == '>') &&
                   !str_eq(node->name, STR("<>"));
    if (ordered) TRY(row_order(c, node, 0, at, err));
    else {
        int32_t count = node->args[0]->arg_count;
        *at = make_node(c, equal ? EXPR_AND : EXPR_OR, node, STR(""), count);
        if (!*at) return err_memory(err);
        for (int32_t i = 0; i < count; i++) {
            TRY(make_pair(c, node, node->name, node->args[0]->args[i], node->args[1]->args[i],
                          &(*at)->args[i], err));
        }
    }
    return check_node(c, at, err);
}

/* ---- arrays ---- */

/* The items of one type, as JSON; the array has their type. */
static Status check_array(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    TypeId element = TYPE_UNKNOWN;
    for (int32_t i = 0; i < node->arg_count; i++) {
        TRY(check_node(c, &node->args[i], err));
        const ExprNode *item = node->args[i];
        if (item->array) {
            return expr_fail(c->text, item->position, err, "arrays of arrays are not supported");
        }
        if (!type_unify(element, item->type, &element)) {
            return expr_fail(c->text, item->position, err, "%s and %s have no common type",
                             type_name(element), type_name(item->type));
        }
    }
    if (element == TYPE_UNKNOWN) element = TYPE_TEXT;
    for (int32_t i = 0; i < node->arg_count; i++) {
        TRY(check_coerce(c, &node->args[i], element, err));
    }
    node->name = STR("json_build_array");
    TRY(check_call(c, at, err));
    (*at)->array = true;
    (*at)->element = element;
    return OK;
}

/* One item of '{a,"b c",NULL}'; *text becomes what follows. False: malformed. */
static bool array_item(Str *text, char *to, Str *ret_item, bool *ret_null)
{
    *text = str_trim(*text);
    bool quoted = text->len > 0 && text->ptr[0] == '"', closed = !quoted;
    int64_t at = quoted, len = 0, kept = 0;
    for (; at < text->len; at++) {
        char c = text->ptr[at];
        bool escaped = c == '\\' && at + 1 < text->len;
        if (quoted && c == '"') {
            closed = true;
            at++;
            break;
        }
        if (!quoted && (c == ',' || c == '}')) break;
        if (!quoted && (c == '{' || c == '"')) return false;
        to[len++] = escaped ? text->ptr[++at] : c;
        if (quoted || escaped || (c != ' ' && !(c >= '\t' && c <= '\r'))) kept = len;
    }
    *ret_item = str_make(to, kept);
    *ret_null = !quoted && str_eq_nocase(*ret_item, STR("null"));
    *text = str_trim(str_slice(*text, at, text->len));
    return closed && (quoted || kept > 0);
}

static Status malformed_array(Checker *c, const ExprNode *node, Err *err)
{
    (void)expr_fail(c->text, node->position, err, "malformed array literal: \"%.*s\"",
                    STR_ARG(str_slice(node->name, 0, 100)));
    return err_hint(err, "write it like '{1,2}' or ARRAY[1, 2]");
}

/* The literal's items as ARRAY[…] of literals, unchecked. */
static Status literal_items(Checker *c, const ExprNode *literal, ExprNode **ret_node, Err *err)
{
    Str text = str_trim(literal->name);
    if (text.len < 2 || text.ptr[0] != '{' || text.ptr[text.len - 1] != '}') {
        return malformed_array(c, literal, err);
    }
    int64_t most = 1;
    for (int64_t i = 0; i < text.len; i++) most += text.ptr[i] == ',';
    ExprNode *node = make_node(c, EXPR_CALL, literal, STR("array of"), (int32_t)most);
    char *bytes = arena_alloc(c->arena, text.len + 1);
    if (!node || !bytes) return err_memory(err);
    node->arg_count = 0;
    text = str_slice(text, 1, text.len);
    bool more = str_trim(text).len > 1;
    while (more) {
        Str item;
        bool null = false;
        if (!array_item(&text, bytes, &item, &null)) return malformed_array(c, literal, err);
        bytes += item.len;
        ExprNode *one = make_node(c, EXPR_LITERAL, literal, item, 0);
        if (!one) return err_memory(err);
        one->null = null;
        node->args[node->arg_count++] = one;
        more = str_starts(text, STR(","));
        if (!more && !str_eq(text, STR("}"))) return malformed_array(c, literal, err);
        text = str_slice(text, 1, text.len);
    }
    *ret_node = node;
    return OK;
}

Status check_array_literal(Checker *c, ExprNode **node, TypeId element, Err *err)
{
    if ((*node)->null) return check_coerce(c, node, TYPE_JSON, err);
    ExprNode *array = NULL;
    TRY(literal_items(c, *node, &array, err));
    for (int32_t i = 0; i < array->arg_count; i++) {
        TRY(check_node(c, &array->args[i], err));
        TRY(check_coerce(c, &array->args[i], element, err));
    }
    TRY(check_array(c, &array, err));
    array->element = element;
    array->checked = true;
    *node = array;
    return OK;
}

/* left op ANY (array): args left, array, the operator's name as a literal. */
static Status expand_any(Checker *c, ExprNode **at, bool all, Err *err)
{
    ExprNode *node = *at, *left = node->args[0], *array = node->args[1];
    Str op = node->args[2]->name;
    bool literal = array->kind == EXPR_LITERAL && !array->null && !array->checked;
    if (literal) TRY(literal_items(c, array, &array, err));
    if (array->kind == EXPR_CALL && !array->checked && str_eq(array->name, STR("array of"))) {
        return expand_items(c, at, op, all ? EXPR_AND : EXPR_OR, left, array->args,
                            array->arg_count, err);
    }
    bool equal = str_eq(op, STR("=")) && !all, unequal = str_eq(op, STR("<>")) && all;
    if (!equal && !unequal) {
        (void)expr_fail(c->text, node->position, err,
                        "%.*s %s knows only arrays that are written out", STR_ARG(op),
                        all ? "ALL" : "ANY");
        return err_hint(err, "write ARRAY[…], or use = ANY or <> ALL");
    }
    ExprNode *has = NULL;
    TRY(make_pair(c, node, STR("array_has"), array, left, &has, err));
    *at = has;
    if (unequal) {
        *at = make_node(c, EXPR_CALL, node, STR("not"), 1);
        if (!*at) return err_memory(err);
        (*at)->args[0] = has;
    }
    return check_node(c, at, err);
}

/* [n]: of an array counted from 1, of JSON from 0. */
static Status check_subscript(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    TRY(check_node(c, &node->args[0], err));
    node->name = node->args[0]->array ? STR("array_at") : STR("->");
    return check_call(c, at, err);
}

/* ---- OVERLAPS ---- */

/* Ends that are given as lengths are moved to begin + length. */
static Status check_overlaps(Checker *c, ExprNode **at, Err *err)
{
    ExprNode *node = *at;
    for (int32_t i = 0; i < 4; i++) {
        TRY(check_node(c, &node->args[i], err));
        if (i % 2 == 0 || node->args[i]->type != TYPE_INTERVAL) continue;
        TRY(make_pair(c, node, STR("+"), node->args[i - 1], node->args[i], &node->args[i], err));
        TRY(check_node(c, &node->args[i], err));
    }
    node->name = STR("overlaps");
    return check_call(c, at, err);
}

Status check_form(Checker *c, ExprNode **at, bool *ret_done, Err *err)
{
    ExprNode *node = *at;
    Str name = node->name;
    int32_t count = node->arg_count;
    *ret_done = true;
    if (count == 3 && str_eq(name, STR("between"))) return expand_between(c, at, err);
    if (count == 3 && str_eq(name, STR("between_symmetric"))) return expand_symmetric(c, at, err);
    if (count >= 2 && str_eq(name, STR("in"))) {
        return expand_items(c, at, STR("="), EXPR_OR, node->args[0], node->args + 1, count - 1,
                            err);
    }
    if (count == 2 && (is_row(node->args[0]) || is_row(node->args[1]))) {
        return expand_rows(c, at, err);
    }
    if (count == 3 && str_eq(name, STR("any of"))) return expand_any(c, at, false, err);
    if (count == 3 && str_eq(name, STR("all of"))) return expand_any(c, at, true, err);
    if (count == 2 && str_eq(name, STR("subscript of"))) return check_subscript(c, at, err);
    if (count == 4 && str_eq(name, STR("overlaps of"))) return check_overlaps(c, at, err);
    if (str_eq(name, STR("array of"))) return check_array(c, at, err);
    if (str_eq(name, STR("row"))) {
        (void)expr_fail(c->text, node->position, err, "a row of values has no type");
        return err_hint(err, "it may be compared with another row, also in IN");
    }
    *ret_done = false;
    return OK;
}
