/* The expression tree: what the parser makes, and what the check adds to it. Read-only for users.
 */
#ifndef NEURON_TREE_H
#define NEURON_TREE_H

#include "engine/expr/function.h"
#include "foundation/codec/json_walk.h"

typedef enum ExprKind {
    EXPR_LITERAL, /* value (after the check: `vector`) */
    EXPR_COLUMN,  /* a name or path; after the check: `column`, perhaps with `path` left to look up
                   */
    EXPR_CALL,    /* function or operator by `name` */
    EXPR_CAST,    /* args[0] to `type` */
    EXPR_AND,
    EXPR_OR,
    EXPR_CASE, /* args: when, then, when, then…, [else]; simple CASE is made searched */
    EXPR_COALESCE,
    EXPR_TRY,
    EXPR_CATCH,
} ExprKind;

/* Untyped literals (NULL, 'text') and what can't be told yet. */
#define TYPE_UNKNOWN TYPE_COUNT

typedef struct ExprNode {
    ExprKind kind;
    int32_t position; /* byte offset in the text */
    TypeId type;      /* after the check */
    struct ExprNode **args;
    int32_t arg_count;
    Str name;      /* calls: lower case; literals: their text */
    JsonPath path; /* columns: the whole chain as written, first step the name */
    Str written;   /* columns, after the check: the whole chain as one text */
    bool quoted;   /* the column's first name was quoted */
    bool null;     /* literal NULL */
    bool has_else; /* CASE */
    bool explicit_cast;
    bool array;     /* an array of SQL: JSON whose elements are counted from 1 */
    TypeId element; /* of an array */

    /* After the check: */
    int32_t column;           /* index in the schema */
    const Function *function; /* calls and casts */
    void *state;              /* from Function.prepare; owned by the program */
    Vector vector;            /* literals: a constant */
    bool constant;            /* no column below */
    bool checked;
} ExprNode;

typedef enum ItemKind { ITEM_EXPR, ITEM_STAR } ItemKind;

typedef struct SelectItem {
    ItemKind kind;
    int32_t position;
    ExprNode *expr;
    Str name;    /* given with AS, or derived; empty: none to be had */
    Str *except; /* STAR: EXCEPT (…) */
    int32_t except_count;
    struct SelectItem *replace; /* STAR: REPLACE (e AS a, …) */
    int32_t replace_count;
} SelectItem;

/* The source text with where errors point to. */
typedef struct ExprText {
    Str text;
} ExprText;

/* FAIL: ERR_EXPRESSION at byte `position`: line, column, and the line with a caret under it. */
Status expr_fail(Str text, int32_t position, Err *err, const char *format, ...) PRINTF_LIKE(4, 5);

enum { EXPR_DEPTH_MAX = 200, EXPR_NODES_MAX = 20000, EXPR_TEXT_MAX = 1 << 20 };

/* Parse a whole text; trees live in the arena. */
MUST_USE Status parse_expression(Str text, Arena *arena, ExprNode **ret_node, Err *err);
MUST_USE Status parse_select(Str text, Arena *arena, SelectItem **ret_items, int32_t *ret_count,
                             Err *err);

#endif
