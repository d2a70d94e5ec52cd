/* drop_duplicates: exact by 128-bit row hash; in memory while it fits, spilled after that. */
#include "engine/expr/row_hash.h"
#include "foundation/base/mem.h"
#include "work/step/dedupe_spill.h"
#include "work/step/step_impl.h"

typedef struct DropDuplicatesStep {
    Step step;
    int32_t *columns;
    int32_t count;
    bool keep_last;
    Budget *budget;
    Str folder;
    DedupeSet seen;     /* of rows that were passed on; frozen once there is a spill */
    DedupeSpill *spill; /* NULL while everything fits */
    bool decided;
    HashRows hashes; /* of the batch at hand */
    KeepMask keep;
} DropDuplicatesStep;

static const StepOps DROP_DUPLICATES_OPS;

/* Put the rows aside that the frozen set doesn't know; those it knows are duplicates. */
static Status spill_rows(DropDuplicatesStep *self, Batch *batch, Err *err)
{
    memset(self->keep.bits, 0, (size_t)((batch->rows + 63) / 64) * 8);
    int64_t kept = 0;
    for (int64_t i = 0; i < batch->rows; i++) {
        if (dedupe_set_has(&self->seen, self->hashes.items[i])) continue;
        bit_set((uint8_t *)self->keep.bits, i);
        self->hashes.items[kept++] = self->hashes.items[i];
    }
    CLEANUP(batch_unref_p) Batch *rest = NULL;
    TRY(step_keep_rows(batch, self->keep.bits, &rest, err));
    if (!rest) return OK;
    self->step.held += rest->rows;
    return dedupe_spill_add(self->spill, rest, self->hashes.items, err);
}

static Status pass_new_rows(DropDuplicatesStep *self, Batch *batch, Batch **ret_out, Err *err)
{
    memset(self->keep.bits, 0, (size_t)((batch->rows + 63) / 64) * 8);
    for (int64_t i = 0; i < batch->rows; i++) {
        if (dedupe_set_add(&self->seen, self->hashes.items[i])) {
            bit_set((uint8_t *)self->keep.bits, i);
        }
    }
    return step_keep_rows(batch, self->keep.bits, ret_out, err);
}

static Status drop_duplicates_run(Step *step, const ExprRun *run UNUSED, Batch *in,
                                  RejectWriter *rejects UNUSED, Batch **ret_out, Err *err)
{
    DropDuplicatesStep *self = STEP_SELF(DropDuplicatesStep, DROP_DUPLICATES_OPS, step);
    CLEANUP(batch_unref_p) Batch *batch = in;
    TRY(hash_rows_reserve(&self->hashes, batch->rows, err));
    TRY(keep_mask_reserve(&self->keep, batch->rows, err));
    TRY(row_hash_batch(batch, self->columns, self->count, 0, batch->rows, self->hashes.items, err));
    if (!self->spill) {
        bool fits = false;
        if (!self->keep_last) TRY(dedupe_set_reserve(&self->seen, batch->rows, &fits, err));
        if (fits) return pass_new_rows(self, batch, ret_out, err);
        TRY(dedupe_spill_new(self->folder, self->keep_last, self->budget, &self->spill, err));
    }
    return spill_rows(self, batch, err);
}

static Status drop_duplicates_finish(Step *step, const ExprRun *run UNUSED,
                                     RejectWriter *rejects UNUSED, Batch **ret_out, Err *err)
{
    DropDuplicatesStep *self = STEP_SELF(DropDuplicatesStep, DROP_DUPLICATES_OPS, step);
    *ret_out = NULL;
    if (!self->spill) return OK;
    if (!self->decided) {
        dedupe_set_done(&self->seen);
        TRY(dedupe_spill_decide(self->spill, err));
        self->decided = true;
        step->held = 0;
    }
    return dedupe_spill_next(self->spill, ret_out, err);
}

static void drop_duplicates_reset(Step *step)
{
    DropDuplicatesStep *self = STEP_SELF(DropDuplicatesStep, DROP_DUPLICATES_OPS, step);
    dedupe_set_done(&self->seen);
    dedupe_spill_free(self->spill);
    self->spill = NULL;
    self->decided = false;
    step->held = 0;
}

static void drop_duplicates_free(Step *step)
{
    DropDuplicatesStep *self = STEP_SELF(DropDuplicatesStep, DROP_DUPLICATES_OPS, step);
    drop_duplicates_reset(step);
    mem_free(self->columns);
    mem_free(self->hashes.items);
    mem_free(self->keep.bits);
    mem_free(self);
}

static const StepOps DROP_DUPLICATES_OPS = {
    .run = drop_duplicates_run,
    .finish = drop_duplicates_finish,
    .reset = drop_duplicates_reset,
    .free = drop_duplicates_free,
};

Status step_drop_duplicates_new(int32_t number, const DropDuplicates *options, const Schema *in,
                                Step **ret_step, Err *err)
{
    if (in->open) {
        return err_set(err, ERR_CONFIG, "drop_duplicates needs known columns, not JSON objects");
    }
    DropDuplicatesStep *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->keep_last = options->keep_last;
    self->budget = options->budget;
    self->folder = options->spool_folder;
    dedupe_set_init(&self->seen, false, options->budget);
    if (step_columns(options->by, options->count, in, &self->columns, &self->count, err) != OK) {
        mem_free(self);
        return FAIL;
    }
    *ret_step = &self->step;
    return step_init(&self->step, &DROP_DUPLICATES_OPS, number, "drop_duplicates", in);
}
