/* Steps: batches in, batches out, refused rows beside; the same for pipelines and streams. */
#ifndef NEURON_STEP_H
#define NEURON_STEP_H

#include "engine/expr/expr.h"
#include "engine/format/reject.h"

typedef struct Step Step;

typedef struct StepOps {
    /* Takes `in` over. *ret_out may be NULL (nothing passed). Failed rows go to `rejects`. */
    Status (*run)(Step *step, const ExprRun *run, Batch *in, RejectWriter *rejects, Batch **ret_out,
                  Err *err);
    /* After the last batch: what the step still holds, one batch a call, NULL at the end. NULL
     * entry: stateless, nothing held. */
    Status (*finish)(Step *step, const ExprRun *run, RejectWriter *rejects, Batch **ret_out,
                     Err *err);
    /* Forget what is held (an aborted cycle). May be NULL. */
    void (*reset)(Step *step);
    /* What the step keeps for the next run, as one JSON value: asked when everything went through,
     * written in the transaction of the rows. NULL: nothing. */
    Status (*save)(const Step *step, Buf *out, Err *err);
    /* The input column that an output column is, -1 for a computed one. NULL: all pass. */
    int32_t (*pass)(const Step *step, int32_t column);
    void (*free)(Step *step);
} StepOps;

/* Steps put this first in their own struct. One thread at a time. */
struct Step {
    const StepOps *ops;
    char name[64];  /* "2. where": its number and kind, as the result and rejects name it */
    Schema *schema; /* of its output; counted */
    int64_t rows_in;
    int64_t rows_out;
    int64_t rejected; /* rows_in = rows_out + rejected + dropped + again (+ held) */
    int64_t again;    /* rows that an earlier run had: they don't count as read */
    int64_t held;
};

/* The step's own struct, of which Step is the first member. */
#define STEP_SELF(Type, OPS, step) DOWNCAST(Type, step, (step)->ops == &(OPS))

/* `number` counts from 1. `in` is the schema of the batches that will come; for an open one `paths`
 * collects what must be read. A mistake is ERR_EXPRESSION or ERR_CONFIG. */
MUST_USE Status step_select_new(int32_t number, Str text, const Schema *in, PathSet *paths,
                                Step **ret_step, Err *err);
MUST_USE Status step_where_new(int32_t number, Str text, const Schema *in, PathSet *paths,
                               Step **ret_step, Err *err);
/* Rows with a NULL in one of the columns are dropped; count 0: any column. */
MUST_USE Status step_drop_nulls_new(int32_t number, const Str *columns, int32_t count,
                                    const Schema *in, Step **ret_step, Err *err);

typedef struct DropDuplicates {
    const Str *by; /* count 0: all columns */
    int32_t count;
    bool keep_last; /* else the first of equal rows stays */
    Budget *budget; /* past it rows are spilled; the result stays exact */
    Str spool_folder;
} DropDuplicates;
/* Equal means equal by value, NULL equal to NULL, as row_hash counts. The order of the rows that
 * stay is kept. */
MUST_USE Status step_drop_duplicates_new(int32_t number, const DropDuplicates *options,
                                         const Schema *in, Step **ret_step, Err *err);

/* Run the batch through steps[from … count); *ret_out NULL when nothing is left. */
MUST_USE Status step_chain_run(Step *const *steps, int32_t from, int32_t count, const ExprRun *run,
                               Batch *in, RejectWriter *rejects, Batch **ret_out, Err *err);
/* After the last batch: what stateful steps still hold, passed through the steps after them, one
 * batch a call; *ret_out NULL at the end. *at starts at 0 and is kept between calls. */
MUST_USE Status step_chain_finish(Step *const *steps, int32_t count, const ExprRun *run,
                                  RejectWriter *rejects, int32_t *at, Batch **ret_out, Err *err);
/* What the steps keep for the next run: {"name":…} of those that do, or nothing. */
MUST_USE Status step_chain_save(Step *const *steps, int32_t count, Buf *out, Err *err);
/* The input column that an output column is, unchanged; -1: it is computed. */
int32_t step_pass(const Step *step, int32_t column);
void step_free(Step *step);
DEFINE_FREE_P(Step, step_free)
static inline int64_t step_dropped(const Step *step)
{
    return step->rows_in - step->rows_out - step->rejected - step->held - step->again;
}

#endif
