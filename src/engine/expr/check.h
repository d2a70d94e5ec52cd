/* The type check: names to columns, calls to functions, casts put in; literals to constants. */
#ifndef NEURON_CHECK_H
#define NEURON_CHECK_H

#include "engine/expr/tree.h"

typedef struct Checker {
    Str text;
    const Schema *schema;
    PathSet *paths;      /* NULL: the schema is complete */
    int32_t path_base;   /* open with paths: index of the first path's column */
    Arena *arena;        /* of the tree */
    ExprNode **stateful; /* nodes whose state must be released, in the arena */
    int32_t stateful_count, stateful_capacity;
} Checker;

/* Checks the tree in place; *node may be replaced (a cast in front of it). `want` TYPE_UNKNOWN:
 * any. */
MUST_USE Status check_node(Checker *checker, ExprNode **node, Err *err);
/* Gives *node the type: constants are converted now, else a cast is put in front. */
MUST_USE Status check_coerce(Checker *checker, ExprNode **node, TypeId type, Err *err);
/* Calls: finds the overload, coerces the arguments. */
MUST_USE Status check_call(Checker *checker, ExprNode **node, Err *err);
/* The same by an explicit cast, which converts whatever is there. */
MUST_USE Status check_convert(Checker *checker, ExprNode **node, TypeId type, Err *err);
/* What the grammar has a form of its own for: BETWEEN, IN, ANY, ARRAY[…], rows, subscripts. *at is
 * replaced by what it stands for, checked; *ret_done false: it is a plain call. */
MUST_USE Status check_form(Checker *checker, ExprNode **at, bool *ret_done, Err *err);
/* An untyped literal like '{1,2}' as an array of that type. */
MUST_USE Status check_array_literal(Checker *checker, ExprNode **node, TypeId element, Err *err);
/* The type that both can be, TYPE_UNKNOWN when both are unknown; false: none. */
bool type_unify(TypeId a, TypeId b, TypeId *ret_type);
/* Compute a constant call now where that can't fail; else leave it. */
MUST_USE Status check_fold(Checker *checker, ExprNode *node, Err *err);
/* Types of literals that nobody asked for: text. */
MUST_USE Status check_settle(Checker *checker, ExprNode **node, Err *err);
/* True when some row may fail in it: a function that can, and nobody above who catches. */
bool node_can_fail(const ExprNode *node);
void checker_release(Checker *checker);

/* Functions by name (lower case), in table order; *ret_count 0: none. */
MUST_USE Status function_find(Str name, const Function *ret_functions[32], int32_t *ret_count,
                              Err *err);
Str function_nearest(Str name);
/* The cast between two types, NULL: none. */
const Function *cast_find(TypeId from, TypeId to, bool explicit_cast);

#endif
