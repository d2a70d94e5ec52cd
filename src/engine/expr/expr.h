/* Expressions and select lists: compiled once against a schema, run over batches. */
#ifndef NEURON_EXPR_H
#define NEURON_EXPR_H

#include "engine/column/batch.h"
#include "foundation/base/buf.h"

/* What a run or micro-batch fixes for all its rows. */
typedef struct ExprRun {
    int64_t now_us;        /* the value of now() */
    Str timezone;          /* session zone for casts of timestamptz; empty: UTC */
    const bool *cancelled; /* polled between chunks; may be NULL */
} ExprRun;

/* Paths that an open schema is asked for: while compiling against an open schema, a name or path
 * that the schema does not have yet is added here (canonical text, once). Afterwards
 * pathset_schema gives the schema whose batches the compiled objects take. */
typedef struct PathSet {
    Str *paths; /* canonical: a.b[0]."odd key" */
    int32_t count, capacity;
    Arena arena;
} PathSet;
void pathset_init(PathSet *paths);
void pathset_done(PathSet *paths);
/* The open schema: field 0 the row (spread), then metadata fields `meta` (types fixed: @topic TEXT,
 * @partition INT64, @offset INT64, @key TEXT, @timestamp TIMESTAMPTZ, @headers JSON, @key_bytes
 * BYTES: the key where it is not UTF-8, and @key is NULL) when `meta`, then one DYNAMIC field per
 * path. */
MUST_USE Status pathset_schema(const PathSet *paths, bool meta, Schema **ret_schema, Err *err);

/* A compiled select list. Immutable, usable by one thread at a time. */
typedef struct Select Select;

/* Text as in SPEC: `*, * EXCEPT (a), * REPLACE (e AS a), e AS name`. `in` open: names become paths,
 * collected in `paths` (not NULL then). A mistake is ERR_EXPRESSION with line, column, a caret
 * excerpt in the message and a suggestion as hint. */
MUST_USE Status select_compile(Str text, const Schema *in, PathSet *paths, Select **ret_select,
                               Err *err);
void select_free(Select *select);
DEFINE_FREE_P(Select, select_free)
/* Output schema. From an open schema with `*` it is open: field 0 spread with its exceptions, the
 * computed columns after it. */
const Schema *select_schema(const Select *select);
/* The input column that an output column is, unchanged; -1: it is computed. */
int32_t select_pass(const Select *select, int32_t column);
/* Output batch with the rows that did not fail (order kept); failed rows are added to `rejects`
 * (row index in `in`). Columns that only pass through share buffers. */
MUST_USE Status select_run(Select *select, const ExprRun *run, Batch *in, RejectList *rejects,
                           Batch **ret_out, Err *err);

/* A compiled condition or single expression. */
typedef struct Expr Expr;
/* `want` TYPE_BOOL for conditions (anything else is a type error); TYPE_COUNT: any type. */
MUST_USE Status expr_compile(Str text, const Schema *in, PathSet *paths, TypeId want,
                             Expr **ret_expr, Err *err);
void expr_free(Expr *expr);
DEFINE_FREE_P(Expr, expr_free)
TypeId expr_type(const Expr *expr);
/* Conditions: sets keep's bit for rows that are true; NULL and false are not kept; failed rows are
 * not kept and added to `rejects`. keep: (rows+63)/64 words. */
MUST_USE Status expr_filter(Expr *expr, const ExprRun *run, const Batch *in, uint64_t *ret_keep,
                            RejectList *rejects, Err *err);
/* One column of values; failed rows hold NULL there and are added to `rejects`. */
MUST_USE Status expr_column(Expr *expr, const ExprRun *run, const Batch *in, Column *ret_column,
                            RejectList *rejects, Err *err);

/* For tools: types, paths read, what can fail, one per line (neuron eval --explain). */
MUST_USE Status select_explain(const Select *select, Buf *out, Err *err);
/* The function table as text, JSON or Markdown (neuron eval --functions, docs/expressions.md). */
typedef enum FunctionFormat { FUNCTION_TEXT, FUNCTION_JSON, FUNCTION_MARKDOWN } FunctionFormat;
MUST_USE Status function_list(FunctionFormat format, Buf *out, Err *err);

#endif
