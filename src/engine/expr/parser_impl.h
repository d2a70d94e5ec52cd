/* What the parser's files share. */
#ifndef NEURON_PARSER_IMPL_H
#define NEURON_PARSER_IMPL_H

#include "engine/expr/lexer.h"

typedef struct Parser {
    Str text;
    Arena *arena;
    Token *tokens; /* all of them, TOKEN_END last */
    int32_t at;
    int32_t depth, nodes;
} Parser;

static inline const Token *parser_token(const Parser *p)
{
    return &p->tokens[p->at];
}
static inline const Token *parser_ahead(const Parser *p, int32_t n)
{
    int32_t i = p->at;
    while (n-- > 0 && p->tokens[i].kind != TOKEN_END) i++;
    return &p->tokens[i];
}
bool token_is(const Token *token, const char *symbol);
/* An unquoted name that is this word. */
bool token_is_word(const Token *token, const char *word);
bool parser_take(Parser *p, const char *symbol);
bool parser_take_word(Parser *p, const char *word);
MUST_USE Status parser_expect(Parser *p, const char *symbol, Err *err);
MUST_USE Status parser_expect_word(Parser *p, const char *word, Err *err);
/* "… here, not "x"" at the current token. */
Status parser_unexpected(const Parser *p, const char *wanted, Err *err);

MUST_USE Status parser_node(Parser *p, ExprKind kind, int32_t position, int32_t args,
                            ExprNode **ret_node, Err *err);
/* A call of a function with up to three arguments (NULL: fewer). */
MUST_USE Status parser_call(Parser *p, const char *name, int32_t position, ExprNode *a, ExprNode *b,
                            ExprNode *c, ExprNode **ret_node, Err *err);
MUST_USE Status parser_literal(Parser *p, Str text, int32_t position, ExprNode **ret_node,
                               Err *err);
MUST_USE Status parser_expression(Parser *p, ExprNode **ret_node, Err *err);
/* Operands tighter than comparison: what stands after BETWEEN, and IN's left side. */
MUST_USE Status parser_operand(Parser *p, int32_t level, ExprNode **ret_node, Err *err);
/* CASE, CAST, EXTRACT, SUBSTRING…, names, literals, parentheses. */
MUST_USE Status parser_primary(Parser *p, ExprNode **ret_node, Err *err);
/* A call with words between its arguments, like EXTRACT(year FROM x); *ret_done false: another. */
MUST_USE Status parser_wordy(Parser *p, ExprNode **ret_node, bool *ret_done, Err *err);
/* A type's name after :: or AS. */
MUST_USE Status parser_type(Parser *p, TypeId *ret_type, Str *ret_name, Err *err);

/* Binding levels, loosest first. */
enum {
    LEVEL_OR = 1,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_IS,
    LEVEL_COMPARE,
    LEVEL_RANGE, /* BETWEEN IN LIKE ~ */
    LEVEL_OTHER, /* || -> and friends */
    LEVEL_ADD,
    LEVEL_MULTIPLY,
    LEVEL_POWER,
    LEVEL_UNARY,
};

#endif
