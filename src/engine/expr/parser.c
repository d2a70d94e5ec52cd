/* The parser: operators by PostgreSQL's precedence (www.postgresql.org/docs/15, 4.1.6). */
#include <stdio.h>

#include "engine/expr/parser_impl.h"

bool token_is(const Token *token, const char *symbol)
{
    return token->kind == TOKEN_SYMBOL && str_eq(token->text, str_from(symbol));
}

bool token_is_word(const Token *token, const char *word)
{
    return token->kind == TOKEN_NAME && !token->quoted &&
           str_eq_nocase(token->text, str_from(word));
}

bool parser_take(Parser *p, const char *symbol)
{
    if (!token_is(parser_token(p), symbol)) return false;
    p->at++;
    return true;
}

bool parser_take_word(Parser *p, const char *word)
{
    if (!token_is_word(parser_token(p), word)) return false;
    p->at++;
    return true;
}

Status parser_unexpected(const Parser *p, const char *wanted, Err *err)
{
    const Token *token = parser_token(p);
    if (token->kind == TOKEN_END) {
        return expr_fail(p->text, token->position, err, "%s expected, but the text ends", wanted);
    }
    return expr_fail(p->text, token->position, err, "%s expected, not \"%.*s\"", wanted,
                     STR_ARG(str_slice(p->text, token->position, token->end)));
}

Status parser_expect(Parser *p, const char *symbol, Err *err)
{
    char wanted[32];
    if (parser_take(p, symbol)) return OK;
    (void)snprintf(wanted, sizeof wanted, "\"%s\"", symbol);
    return parser_unexpected(p, wanted, err);
}

Status parser_expect_word(Parser *p, const char *word, Err *err)
{
    return parser_take_word(p, word) ? OK : parser_unexpected(p, word, err);
}

Status parser_node(Parser *p, ExprKind kind, int32_t position, int32_t args, ExprNode **ret_node,
                   Err *err)
{
    if (++p->nodes > EXPR_NODES_MAX) {
        return expr_fail(p->text, position, err, "the expression is too large");
    }
    ExprNode *node = ARENA_NEW(p->arena, ExprNode);
    if (!node) return err_memory(err);
    node->kind = kind;
    node->position = position;
    node->type = TYPE_UNKNOWN;
    node->args = ARENA_ARRAY(p->arena, ExprNode *, args ? args : 1);
    if (!node->args) return err_memory(err);
    node->arg_count = args;
    *ret_node = node;
    return OK;
}

Status parser_call(Parser *p, const char *name, int32_t position, ExprNode *a, ExprNode *b,
                   ExprNode *c, ExprNode **ret_node, Err *err)
{
    TRY(parser_node(p, EXPR_CALL, position, (a != NULL) + (b != NULL) + (c != NULL), ret_node,
                    err));
    (*ret_node)->name = str_from(name);
    ExprNode *args[] = {a, b, c};
    for (int32_t i = 0; i < (*ret_node)->arg_count; i++) (*ret_node)->args[i] = args[i];
    return OK;
}

Status parser_literal(Parser *p, Str text, int32_t position, ExprNode **ret_node, Err *err)
{
    TRY(parser_node(p, EXPR_LITERAL, position, 0, ret_node, err));
    (*ret_node)->name = text;
    return OK;
}

typedef struct Operator {
    const char *symbol;
    int32_t level;
    const char *function; /* NULL: the symbol */
} Operator;

static const Operator OPERATORS[] = {
    {"=", LEVEL_COMPARE, NULL},
    {"<>", LEVEL_COMPARE, NULL},
    {"!=", LEVEL_COMPARE, "<>"},
    {"<", LEVEL_COMPARE, NULL},
    {"<=", LEVEL_COMPARE, NULL},
    {">", LEVEL_COMPARE, NULL},
    {">=", LEVEL_COMPARE, NULL},
    {"~", LEVEL_OTHER, NULL},
    {"~*", LEVEL_OTHER, NULL},
    {"!~", LEVEL_OTHER, NULL},
    {"!~*", LEVEL_OTHER, NULL},
    {"~~", LEVEL_OTHER, "like"},
    {"~~*", LEVEL_OTHER, "ilike"},
    {"||", LEVEL_OTHER, NULL},
    {"->", LEVEL_OTHER, NULL},
    {"->>", LEVEL_OTHER, NULL},
    {"#>", LEVEL_OTHER, NULL},
    {"#>>", LEVEL_OTHER, NULL},
    {"@>", LEVEL_OTHER, NULL},
    {"<@", LEVEL_OTHER, NULL},
    {"?", LEVEL_OTHER, NULL},
    {"?|", LEVEL_OTHER, NULL},
    {"?&", LEVEL_OTHER, NULL},
    {"#-", LEVEL_OTHER, NULL},
    {"&&", LEVEL_OTHER, NULL},
    {"&", LEVEL_OTHER, NULL},
    {"|", LEVEL_OTHER, NULL},
    {"#", LEVEL_OTHER, NULL},
    {"<<", LEVEL_OTHER, NULL},
    {">>", LEVEL_OTHER, NULL},
    {"^@", LEVEL_OTHER, "starts_with"},
    {"@?", LEVEL_OTHER, "jsonb_path_exists"},
    {"!~~", LEVEL_OTHER, "not like"},
    {"!~~*", LEVEL_OTHER, "not ilike"},
    {"+", LEVEL_ADD, NULL},
    {"-", LEVEL_ADD, NULL},
    {"*", LEVEL_MULTIPLY, NULL},
    {"/", LEVEL_MULTIPLY, NULL},
    {"%", LEVEL_MULTIPLY, NULL},
    {"^", LEVEL_POWER, NULL},
};

static const Operator *operator_at(const Token *token)
{
    if (token->kind != TOKEN_SYMBOL) return NULL;
    for (int64_t i = 0; i < COUNT_OF(OPERATORS); i++) {
        if (str_eq(token->text, str_from(OPERATORS[i].symbol))) return &OPERATORS[i];
    }
    return NULL;
}

static Status parse_not(Parser *p, ExprNode *node, bool negate, ExprNode **ret_node, Err *err)
{
    if (negate) return parser_call(p, "not", node->position, node, NULL, NULL, ret_node, err);
    *ret_node = node;
    return OK;
}

/* ~ @ |/ ||/ in front of an operand; they bind looser than + and *. */
static Status parse_prefix(Parser *p, ExprNode **ret_node, bool *ret_done, Err *err)
{
    static const char *const PREFIXES[][2] = {
        {"~", "~"}, {"@", "abs"}, {"|/", "sqrt"}, {"||/", "cbrt"}};
    const Token *token = parser_token(p);
    *ret_done = false;
    for (int64_t i = 0; i < COUNT_OF(PREFIXES); i++) {
        if (!parser_take(p, PREFIXES[i][0])) continue;
        *ret_done = true;
        ExprNode *operand = NULL;
        TRY(parser_operand(p, LEVEL_OTHER + 1, &operand, err));
        return parser_call(p, PREFIXES[i][1], token->position, operand, NULL, NULL, ret_node, err);
    }
    return OK;
}

static Status parse_unary(Parser *p, ExprNode **ret_node, Err *err)
{
    const Token *token = parser_token(p);
    bool done = false;
    TRY(parse_prefix(p, ret_node, &done, err));
    if (done) return OK;
    if (!token_is(token, "-") && !token_is(token, "+")) return parser_primary(p, ret_node, err);
    bool negative = token_is(token, "-");
    p->at++;
    const Token *digits = parser_token(p);
    bool number = digits->kind == TOKEN_INTEGER || digits->kind == TOKEN_NUMBER;
    if (negative && number && digits->position == token->end &&
        !token_is(parser_ahead(p, 1), "::") && !token_is(parser_ahead(p, 1), "^")) {
        /* -9223372036854775808 is one number, not a negated one that is too large. */
        p->at++;
        TRY(parser_literal(p, str_slice(p->text, token->position, digits->end), token->position,
                           ret_node, err));
        (*ret_node)->type = digits->kind == TOKEN_INTEGER ? TYPE_INT64 : TYPE_NUMERIC;
        return OK;
    }
    ExprNode *operand = NULL;
    TRY(parser_operand(p, LEVEL_UNARY, &operand, err));
    if (!negative) {
        *ret_node = operand;
        return OK;
    }
    return parser_call(p, "negate", token->position, operand, NULL, NULL, ret_node, err);
}

/* [SYMMETRIC] low AND high */
static Status parse_between(Parser *p, ExprNode *left, bool negate, ExprNode **ret_node, Err *err)
{
    bool symmetric = parser_take_word(p, "symmetric");
    if (!symmetric) (void)parser_take_word(p, "asymmetric");
    ExprNode *low = NULL, *high = NULL;
    TRY(parser_operand(p, LEVEL_RANGE + 1, &low, err));
    TRY(parser_expect_word(p, "and", err));
    TRY(parser_operand(p, LEVEL_RANGE + 1, &high, err));
    ExprNode *node = NULL;
    TRY(parser_call(p, symmetric ? "between_symmetric" : "between", left->position, left, low, high,
                    &node, err));
    return parse_not(p, node, negate, ret_node, err);
}

/* (a, b, …): a chain of equalities, so that NULLs and errors count as SQL says. */
static Status parse_in(Parser *p, ExprNode *left, bool negate, ExprNode **ret_node, Err *err)
{
    TRY(parser_expect(p, "(", err));
    ExprNode *any = NULL;
    ExprNode *items[1024];
    int32_t count = 0;
    do {
        if (count == 1024) {
            return expr_fail(p->text, left->position, err, "more than 1,024 values in IN");
        }
        TRY(parser_expression(p, &items[count++], err));
    } while (parser_take(p, ","));
    TRY(parser_expect(p, ")", err));
    TRY(parser_node(p, EXPR_CALL, left->position, count + 1, &any, err));
    any->name = STR("in");
    any->args[0] = left;
    for (int32_t i = 0; i < count; i++) any->args[i + 1] = items[i];
    return parse_not(p, any, negate, ret_node, err);
}

/* ANY (array), SOME (array) or ALL (array) at the right of an operator. */
static Status parse_any(Parser *p, const char *op, ExprNode *left, ExprNode **ret_node,
                        bool *ret_done, Err *err)
{
    const Token *word = parser_token(p);
    bool all = token_is_word(word, "all");
    *ret_done = all || token_is_word(word, "any") || token_is_word(word, "some");
    *ret_done = *ret_done && token_is(parser_ahead(p, 1), "(");
    if (!*ret_done) return OK;
    p->at += 2;
    ExprNode *array = NULL, *name = NULL;
    TRY(parser_expression(p, &array, err));
    TRY(parser_expect(p, ")", err));
    TRY(parser_literal(p, str_from(op), word->position, &name, err));
    return parser_call(p, all ? "all of" : "any of", left->position, left, array, name, ret_node,
                       err);
}

static Status parse_like(Parser *p, const char *name, ExprNode *left, bool negate,
                         ExprNode **ret_node, Err *err)
{
    ExprNode *pattern = NULL, *escape = NULL, *node = NULL;
    bool any = false;
    const char *op = !negate                               ? name
                     : str_eq(str_from(name), STR("like")) ? "not like"
                                                           : "not ilike";
    TRY(parse_any(p, op, left, ret_node, &any, err));
    if (any) return OK;
    TRY(parser_operand(p, LEVEL_RANGE + 1, &pattern, err));
    if (parser_take_word(p, "escape")) TRY(parser_operand(p, LEVEL_RANGE + 1, &escape, err));
    TRY(parser_call(p, name, left->position, left, pattern, escape, &node, err));
    return parse_not(p, node, negate, ret_node, err);
}

static bool is_pair(const ExprNode *node)
{
    return node->kind == EXPR_CALL && str_eq(node->name, STR("row")) && node->arg_count == 2;
}

/* (a, b) OVERLAPS (c, d) */
static Status parse_overlaps(Parser *p, ExprNode *left, ExprNode **ret_node, Err *err)
{
    ExprNode *right = NULL;
    TRY(parser_operand(p, LEVEL_RANGE + 1, &right, err));
    if (!is_pair(left) || !is_pair(right)) {
        return expr_fail(p->text, left->position, err,
                         "OVERLAPS takes two pairs: (a, b) OVERLAPS (c, d)");
    }
    TRY(parser_node(p, EXPR_CALL, left->position, 4, ret_node, err));
    (*ret_node)->name = STR("overlaps of");
    for (int32_t i = 0; i < 2; i++) {
        (*ret_node)->args[i] = left->args[i];
        (*ret_node)->args[2 + i] = right->args[i];
    }
    return OK;
}

/* [NOT] BETWEEN | IN | LIKE | ILIKE | SIMILAR TO after an operand; *ret_done false: none of them.
 */
static Status parse_range(Parser *p, ExprNode *left, ExprNode **ret_node, bool *ret_done, Err *err)
{
    bool negate = token_is_word(parser_token(p), "not");
    const Token *word = parser_ahead(p, negate);
    *ret_done = true;
    p->at += negate;
    if (parser_take_word(p, "between")) return parse_between(p, left, negate, ret_node, err);
    if (parser_take_word(p, "in")) return parse_in(p, left, negate, ret_node, err);
    if (parser_take_word(p, "like")) return parse_like(p, "like", left, negate, ret_node, err);
    if (parser_take_word(p, "ilike")) return parse_like(p, "ilike", left, negate, ret_node, err);
    if (token_is_word(word, "similar") && token_is_word(parser_ahead(p, 1), "to")) {
        p->at += 2;
        return parse_like(p, "similar_to", left, negate, ret_node, err);
    }
    if (!negate && parser_take_word(p, "overlaps")) return parse_overlaps(p, left, ret_node, err);
    p->at -= negate;
    *ret_done = false;
    return OK;
}

/* [NFC | NFD | NFKC | NFKD] NORMALIZED */
static Status parse_normalized(Parser *p, ExprNode *left, ExprNode **ret_node, bool *ret_done,
                               Err *err)
{
    const Token *form = parser_token(p);
    bool short_form = token_is_word(form, "normalized");
    *ret_done = short_form || token_is_word(parser_ahead(p, 1), "normalized");
    if (!*ret_done) return OK;
    ExprNode *name = NULL;
    if (!short_form) TRY(parser_literal(p, form->text, form->position, &name, err));
    p->at += short_form ? 1 : 2;
    return parser_call(p, "is_normalized", left->position, left, name, NULL, ret_node, err);
}

/* IS [NOT] NULL | TRUE | FALSE | UNKNOWN | DISTINCT FROM e */
static Status parse_is(Parser *p, ExprNode *left, ExprNode **ret_node, Err *err)
{
    static const char *const WORDS[][2] = {
        {"null", "is_null"}, {"true", "is_true"}, {"false", "is_false"}, {"unknown", "is_null"}};
    bool negate = parser_take_word(p, "not");
    ExprNode *node = NULL;
    for (int64_t i = 0; i < COUNT_OF(WORDS); i++) {
        if (!parser_take_word(p, WORDS[i][0])) continue;
        TRY(parser_call(p, WORDS[i][1], left->position, left, NULL, NULL, &node, err));
        return parse_not(p, node, negate, ret_node, err);
    }
    bool done = false;
    TRY(parse_normalized(p, left, &node, &done, err));
    if (done) return parse_not(p, node, negate, ret_node, err);
    if (!parser_take_word(p, "distinct")) {
        return parser_unexpected(p, "NULL, TRUE, FALSE, UNKNOWN, NORMALIZED or DISTINCT FROM", err);
    }
    TRY(parser_expect_word(p, "from", err));
    ExprNode *right = NULL;
    TRY(parser_operand(p, LEVEL_IS + 1, &right, err));
    TRY(parser_call(p, "is_distinct", left->position, left, right, NULL, &node, err));
    return parse_not(p, node, negate, ret_node, err);
}

static Status parse_binary(Parser *p, const Operator *op, ExprNode *left, ExprNode **ret_node,
                           Err *err)
{
    const Token *token = parser_token(p);
    const char *name = op->function ? op->function : op->symbol;
    bool any = false, negate = str_starts(str_from(name), STR("not "));
    p->at++;
    TRY(parse_any(p, name, left, ret_node, &any, err));
    if (any) return OK;
    ExprNode *right = NULL, *node = NULL;
    TRY(parser_operand(p, op->level + 1, &right, err));
    TRY(parser_call(p, negate ? name + 4 : name, token->position, left, right, NULL, &node, err));
    return parse_not(p, node, negate, ret_node, err);
}

/* What may follow an operand at or above `level`; *ret_done false: nothing. */
static Status parse_behind(Parser *p, int32_t level, ExprNode **node, bool *ret_done, Err *err)
{
    const Token *token = parser_token(p);
    *ret_done = true;
    const Operator *op = operator_at(token);
    if (op && op->level >= level) return parse_binary(p, op, *node, node, err);
    if (level <= LEVEL_RANGE) {
        TRY(parse_range(p, *node, node, ret_done, err));
        if (*ret_done) return OK;
        *ret_done = true;
    }
    if (level <= LEVEL_IS && parser_take_word(p, "is")) return parse_is(p, *node, node, err);
    if (level <= LEVEL_IS && parser_take_word(p, "isnull")) {
        return parser_call(p, "is_null", token->position, *node, NULL, NULL, node, err);
    }
    if (level <= LEVEL_IS && parser_take_word(p, "notnull")) {
        ExprNode *null = NULL;
        TRY(parser_call(p, "is_null", token->position, *node, NULL, NULL, &null, err));
        return parse_not(p, null, true, node, err);
    }
    *ret_done = false;
    return OK;
}

Status parser_operand(Parser *p, int32_t level, ExprNode **ret_node, Err *err)
{
    if (++p->depth > EXPR_DEPTH_MAX) {
        return expr_fail(p->text, parser_token(p)->position, err,
                         "the expression is nested too deeply");
    }
    if (level <= LEVEL_NOT && token_is_word(parser_token(p), "not")) {
        int32_t position = parser_token(p)->position;
        p->at++;
        ExprNode *operand = NULL;
        TRY(parser_operand(p, LEVEL_NOT, &operand, err));
        TRY(parser_call(p, "not", position, operand, NULL, NULL, ret_node, err));
    } else {
        TRY(parse_unary(p, ret_node, err));
        bool more = true;
        int32_t behind = level > LEVEL_IS ? level : LEVEL_IS;
        while (more) TRY(parse_behind(p, behind, ret_node, &more, err));
    }
    p->depth--;
    return OK;
}

/* AND and OR lists as one node each: a AND b AND c has three arguments. */
static Status parse_list(Parser *p, const char *word, ExprKind kind,
                         Status (*item)(Parser *, ExprNode **, Err *), ExprNode **ret_node,
                         Err *err)
{
    ExprNode *first = NULL;
    TRY(item(p, &first, err));
    if (!token_is_word(parser_token(p), word)) {
        *ret_node = first;
        return OK;
    }
    ExprNode *items[256];
    int32_t count = 0;
    items[count++] = first;
    while (parser_take_word(p, word)) {
        if (count == 256) {
            return expr_fail(p->text, first->position, err, "more than 256 conditions in a row");
        }
        TRY(item(p, &items[count++], err));
    }
    TRY(parser_node(p, kind, first->position, count, ret_node, err));
    for (int32_t i = 0; i < count; i++) (*ret_node)->args[i] = items[i];
    return OK;
}

static Status parse_and_item(Parser *p, ExprNode **ret_node, Err *err)
{
    return parser_operand(p, LEVEL_NOT, ret_node, err);
}

static Status parse_or_item(Parser *p, ExprNode **ret_node, Err *err)
{
    return parse_list(p, "and", EXPR_AND, parse_and_item, ret_node, err);
}

Status parser_expression(Parser *p, ExprNode **ret_node, Err *err)
{
    if (++p->depth > EXPR_DEPTH_MAX) {
        return expr_fail(p->text, parser_token(p)->position, err,
                         "the expression is nested too deeply");
    }
    TRY(parse_list(p, "or", EXPR_OR, parse_or_item, ret_node, err));
    while (token_is_word(parser_token(p), "catch")) {
        int32_t position = parser_token(p)->position;
        p->at++;
        ExprNode *otherwise = NULL, *node = NULL;
        TRY(parse_list(p, "or", EXPR_OR, parse_or_item, &otherwise, err));
        TRY(parser_node(p, EXPR_CATCH, position, 2, &node, err));
        node->args[0] = *ret_node;
        node->args[1] = otherwise;
        *ret_node = node;
    }
    p->depth--;
    return OK;
}
