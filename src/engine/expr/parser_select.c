/* The parser's outside: whole texts, select lists with stars and names. */
#include "engine/expr/parser_impl.h"

enum { SELECT_ITEMS_MAX = 4096 };

static Status parser_init(Parser *p, Str text, Arena *arena, Err *err)
{
    *p = (Parser){.text = text, .arena = arena};
    if (text.len > EXPR_TEXT_MAX) {
        return err_set(err, ERR_EXPRESSION, "the expression is longer than %d bytes",
                       EXPR_TEXT_MAX);
    }
    if (!str_is_utf8(text)) return err_set(err, ERR_EXPRESSION, "the expression is not UTF-8");
    p->tokens = ARENA_ARRAY(arena, Token, text.len + 1);
    if (!p->tokens) return err_memory(err);
    Lexer lexer = {.text = text, .arena = arena};
    int32_t count = 0;
    do {
        TRY(lexer_next(&lexer, &p->tokens[count], err));
    } while (p->tokens[count++].kind != TOKEN_END);
    return OK;
}

Status parse_expression(Str text, Arena *arena, ExprNode **ret_node, Err *err)
{
    Parser p;
    TRY(parser_init(&p, text, arena, err));
    TRY(parser_expression(&p, ret_node, err));
    if (parser_token(&p)->kind == TOKEN_END) return OK;
    return parser_unexpected(&p, "an operator or the end", err);
}

/* A name for an unnamed column: of a path its last key, of a call its function, of a cast what is
 * cast. */
static Str derived_name(const ExprNode *node)
{
    const ExprNode *at = node;
    while (at->kind == EXPR_CAST || at->kind == EXPR_TRY || at->kind == EXPR_CATCH)
        at = at->args[0];
    if (at->kind == EXPR_COLUMN) {
        for (int32_t i = at->path.count - 1; i >= 0; i--) {
            if (!at->path.steps[i].is_index) return at->path.steps[i].key;
        }
    }
    if (at->kind == EXPR_CASE) return STR("case");
    bool word = at->kind == EXPR_CALL || at->kind == EXPR_COALESCE;
    if (word && at->name.len && at->name.ptr[0] >= 'a') return at->name;
    if (node->kind == EXPR_CAST) return node->name;
    return STR_NULL;
}

/* [AS] name */
static Status parse_name(Parser *p, SelectItem *item, Err *err)
{
    bool as = parser_take_word(p, "as");
    const Token *token = parser_token(p);
    if (token->kind == TOKEN_NAME && (as || !token_is_word(token, "catch"))) {
        item->name = token->text;
        p->at++;
        return OK;
    }
    if (as) return parser_unexpected(p, "a name", err);
    item->name = derived_name(item->expr);
    return OK;
}

static Status parse_except(Parser *p, SelectItem *item, Err *err)
{
    TRY(parser_expect(p, "(", err));
    item->except = ARENA_ARRAY(p->arena, Str, SELECT_ITEMS_MAX);
    if (!item->except) return err_memory(err);
    do {
        const Token *token = parser_token(p);
        if (token->kind != TOKEN_NAME) return parser_unexpected(p, "a column's name", err);
        if (item->except_count == SELECT_ITEMS_MAX) {
            return expr_fail(p->text, token->position, err, "too many names");
        }
        item->except[item->except_count++] = token->text;
        p->at++;
    } while (parser_take(p, ","));
    return parser_expect(p, ")", err);
}

static Status parse_replace(Parser *p, SelectItem *item, Err *err)
{
    enum { REPLACE_MAX = 256 };
    TRY(parser_expect(p, "(", err));
    item->replace = ARENA_ARRAY(p->arena, SelectItem, REPLACE_MAX);
    if (!item->replace) return err_memory(err);
    do {
        if (item->replace_count == REPLACE_MAX) {
            return expr_fail(p->text, parser_token(p)->position, err, "too many columns");
        }
        SelectItem *replaced = &item->replace[item->replace_count++];
        replaced->position = parser_token(p)->position;
        TRY(parser_expression(p, &replaced->expr, err));
        TRY(parser_expect_word(p, "as", err));
        if (parser_token(p)->kind != TOKEN_NAME) {
            return parser_unexpected(p, "a column's name", err);
        }
        replaced->name = parser_token(p)->text;
        p->at++;
    } while (parser_take(p, ","));
    return parser_expect(p, ")", err);
}

static Status parse_item(Parser *p, SelectItem *item, Err *err)
{
    item->position = parser_token(p)->position;
    if (!parser_take(p, "*")) {
        TRY(parser_expression(p, &item->expr, err));
        return parse_name(p, item, err);
    }
    item->kind = ITEM_STAR;
    while (true) {
        const Token *next = parser_ahead(p, 1);
        bool list = token_is(next, "(");
        if (list && !item->except && parser_take_word(p, "except")) {
            TRY(parse_except(p, item, err));
        } else if (list && !item->except && parser_take_word(p, "exclude")) {
            TRY(parse_except(p, item, err));
        } else if (list && !item->replace && parser_take_word(p, "replace")) {
            TRY(parse_replace(p, item, err));
        } else {
            return OK;
        }
    }
}

Status parse_select(Str text, Arena *arena, SelectItem **ret_items, int32_t *ret_count, Err *err)
{
    Parser p;
    TRY(parser_init(&p, text, arena, err));
    int32_t capacity = 16;
    SelectItem *items = ARENA_ARRAY(arena, SelectItem, capacity);
    int32_t count = 0;
    do {
        if (count == SELECT_ITEMS_MAX) {
            return expr_fail(text, parser_token(&p)->position, err, "too many columns");
        }
        if (count == capacity && items) {
            SelectItem *more = ARENA_ARRAY(arena, SelectItem, capacity * 2);
            if (more) memcpy(more, items, (size_t)count * sizeof *items);
            items = more;
            capacity *= 2;
        }
        if (!items) return err_memory(err);
        TRY(parse_item(&p, &items[count++], err));
    } while (parser_take(&p, ","));
    if (parser_token(&p)->kind != TOKEN_END) {
        return parser_unexpected(&p, "a comma or the end", err);
    }
    *ret_items = items;
    *ret_count = count;
    return OK;
}
