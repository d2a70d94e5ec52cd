/* Running a checked tree over chunks of rows: three lanes (value, NULL, error), only where asked.
 */
#ifndef NEURON_EVAL_H
#define NEURON_EVAL_H

#include "engine/expr/check.h"

/* One failed row. */
typedef struct LaneError {
    int32_t row;
    int32_t position; /* byte offset in the text */
    Str column;       /* the only column or path that the call got; empty: none or several */
    char sqlstate[6];
    bool forgotten; /* somebody caught it, or it didn't count */
    Str message;
} LaneError;

/* Failed rows of one chunk, in the order in which they failed. */
typedef struct ErrorLane {
    LaneError *items;
    int64_t count, capacity;
    Arena *arena; /* of the chunk */
    bool full;    /* memory ran out: reported when the kernel ends */
} ErrorLane;

typedef struct Eval {
    const ExprRun *run;
    const Batch *batch; /* NULL: constants only */
    int64_t from;       /* first row of the chunk, a multiple of VECTOR_ROWS */
    int64_t rows;
    Arena *arena; /* cleared between chunks */
    ErrorLane lane;
} Eval;

/* Rows of the chunk that are to be computed. */
typedef struct Mask {
    uint64_t words[VECTOR_WORDS];
} Mask;

Mask mask_all(int64_t rows);
bool mask_any(const Mask *mask);
bool mask_is_all(const Mask *mask, int64_t rows);

/* Compute the node for the active rows. *ret points into the arena, the tree or the batch. */
MUST_USE Status eval_node(Eval *eval, const ExprNode *node, const Mask *active, Vector *ret_vector,
                          Err *err);
/* Forget the errors of the rows in `mask` that were added since `start`. */
void lane_forget(ErrorLane *lane, int64_t start, const uint64_t *rows);
/* The first error of a row that still counts, or NULL. */
const LaneError *lane_find(const ErrorLane *lane, int64_t row);

/* A column of the batch as a vector, without copying where the layouts agree. */
MUST_USE Status eval_load(Eval *eval, const Column *column, Vector *ret_vector, Err *err);

/* A text column as views. */
MUST_USE Status eval_load_views(Eval *eval, const Column *column, Vector *ret_vector, Err *err);

/* Look the node's path up in the JSON or dynamic values of *vector. */
MUST_USE Status eval_path(Eval *eval, const ExprNode *node, const Mask *active, Vector *vector,
                          Err *err);

/* A JSON value as a dynamic one; text with escapes is decoded into the arena. */
MUST_USE Status cell_from_slot(const JsonSlot *slot, Arena *arena, Cell *cell, bool *ret_null,
                               Err *err);

#endif
