/* Steps that look at one batch at a time: select, where, drop_nulls; and how steps are chained. */
#include "work/step/step_impl.h"

#include <stdio.h>

#include "foundation/base/mem.h"

Status step_init(Step *step, const StepOps *ops, int32_t number, const char *kind,
                 const Schema *schema)
{
    step->ops = ops;
    step->schema = schema_ref(schema);
    (void)snprintf(step->name, sizeof step->name, "%d. %s", number, kind);
    return OK;
}

void step_free(Step *step)
{
    if (!step) return;
    schema_unref(step->schema);
    step->schema = NULL;
    step->ops->free(step);
}

int32_t step_pass(const Step *step, int32_t column)
{
    return step->ops->pass ? step->ops->pass(step, column) : column;
}

Status step_chain_run(Step *const *steps, int32_t from, int32_t count, const ExprRun *run,
                      Batch *in, RejectWriter *rejects, Batch **ret_out, Err *err)
{
    Batch *batch = in;
    for (int32_t i = from; i < count && batch; i++) {
        Step *step = steps[i];
        Batch *out = NULL;
        int64_t rejected = rejects->total;
        step->rows_in += batch->rows;
        if (step->ops->run(step, run, batch, rejects, &out, err) != OK) {
            return err_prefix(err, "step %s: ", step->name);
        }
        step->rejected += rejects->total - rejected;
        step->rows_out += out ? out->rows : 0;
        batch = out;
    }
    *ret_out = batch;
    return OK;
}

Status step_chain_finish(Step *const *steps, int32_t count, const ExprRun *run,
                         RejectWriter *rejects, int32_t *at, Batch **ret_out, Err *err)
{
    *ret_out = NULL;
    while (*at < count) {
        Step *step = steps[*at];
        Batch *held = NULL;
        int64_t rejected = rejects->total;
        if (step->ops->finish && step->ops->finish(step, run, rejects, &held, err) != OK) {
            return err_prefix(err, "step %s: ", step->name);
        }
        step->rejected += rejects->total - rejected;
        if (!held) {
            *at += 1;
            continue;
        }
        step->rows_out += held->rows;
        TRY(step_chain_run(steps, *at + 1, count, run, held, rejects, ret_out, err));
        if (*ret_out) return OK;
    }
    return OK;
}

Status step_chain_save(Step *const *steps, int32_t count, Buf *out, Err *err)
{
    const char *sep = "{";
    for (int32_t i = 0; i < count; i++) {
        const Step *step = steps[i];
        if (!step->ops->save) continue;
        TRY(buf_printf(out, err, "%s\"%s\":", sep, step->name));
        TRY(step->ops->save(step, out, err));
        sep = ",";
    }
    return *sep == ',' ? buf_append_char(out, '}', err) : OK;
}

/* The failed rows of one step over one batch, on their way to the reject lane. */
Status step_reject(Step *step, const Batch *in, RejectList *list, RejectWriter *rejects, Err *err)
{
    if (list->count == 0) return OK;
    Status status = reject_writer_add(rejects, str_from(step->name), in, list, err);
    reject_list_clear(list);
    return status;
}

/* ---- select ---- */

typedef struct SelectStep {
    Step step;
    Select *select;
    RejectList rejects;
} SelectStep;

static const StepOps SELECT_OPS;

static Status select_step_run(Step *step, const ExprRun *run, Batch *in, RejectWriter *rejects,
                              Batch **ret_out, Err *err)
{
    SelectStep *self = STEP_SELF(SelectStep, SELECT_OPS, step);
    CLEANUP(batch_unref_p) Batch *batch = in;
    CLEANUP(batch_unref_p) Batch *out = NULL;
    TRY(select_run(self->select, run, batch, &self->rejects, &out, err));
    TRY(step_reject(step, batch, &self->rejects, rejects, err));
    *ret_out = TAKE(out);
    return OK;
}

static void select_step_free(Step *step)
{
    SelectStep *self = STEP_SELF(SelectStep, SELECT_OPS, step);
    select_free(self->select);
    reject_list_done(&self->rejects);
    mem_free(self);
}

static int32_t select_step_pass(const Step *step, int32_t column)
{
    return select_pass(STEP_SELF(const SelectStep, SELECT_OPS, step)->select, column);
}

static const StepOps SELECT_OPS = {
    .run = select_step_run, .pass = select_step_pass, .free = select_step_free};

Status step_select_new(int32_t number, Str text, const Schema *in, PathSet *paths, Step **ret_step,
                       Err *err)
{
    Select *select = NULL;
    TRY(select_compile(text, in, paths, &select, err));
    SelectStep *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) {
        select_free(select);
        return err_memory(err);
    }
    self->select = select;
    reject_list_init(&self->rejects);
    *ret_step = &self->step;
    return step_init(&self->step, &SELECT_OPS, number, "select", select_schema(select));
}

/* ---- where ---- */

typedef struct WhereStep {
    Step step;
    Expr *expr;
    RejectList rejects;
    KeepMask keep;
} WhereStep;

static const StepOps WHERE_OPS;

Status keep_mask_reserve(KeepMask *mask, int64_t rows, Err *err)
{
    if (rows <= mask->rows) return OK;
    uint64_t *bits = mem_array((rows + 63) / 64, 8);
    if (!bits) return err_memory(err);
    mem_free(mask->bits);
    mask->bits = bits;
    mask->rows = rows;
    return OK;
}

Status hash_rows_reserve(HashRows *hashes, int64_t rows, Err *err)
{
    if (rows <= hashes->rows) return OK;
    Hash128 *items = mem_array(rows, (int64_t)sizeof *items);
    if (!items) return err_memory(err);
    mem_free(hashes->items);
    hashes->items = items;
    hashes->rows = rows;
    return OK;
}

static int64_t count_bits(const uint64_t *bits, int64_t rows)
{
    int64_t count = 0;
    for (int64_t word = 0; word < (rows + 63) / 64; word++) {
        count += __builtin_popcountll(bits[word]);
    }
    return count;
}

/* The kept rows; a batch that keeps all of them is passed on as it is. */
Status step_keep_rows(Batch *in, const uint64_t *keep, Batch **ret_out, Err *err)
{
    int64_t kept = count_bits(keep, in->rows);
    if (kept == 0) return OK;
    if (kept == in->rows) {
        *ret_out = batch_ref(in);
        return OK;
    }
    return batch_filter(in, (const uint8_t *)keep, ret_out, err);
}

static Status where_step_run(Step *step, const ExprRun *run, Batch *in, RejectWriter *rejects,
                             Batch **ret_out, Err *err)
{
    WhereStep *self = STEP_SELF(WhereStep, WHERE_OPS, step);
    CLEANUP(batch_unref_p) Batch *batch = in;
    TRY(keep_mask_reserve(&self->keep, batch->rows, err));
    TRY(expr_filter(self->expr, run, batch, self->keep.bits, &self->rejects, err));
    TRY(step_reject(step, batch, &self->rejects, rejects, err));
    return step_keep_rows(batch, self->keep.bits, ret_out, err);
}

static void where_step_free(Step *step)
{
    WhereStep *self = STEP_SELF(WhereStep, WHERE_OPS, step);
    expr_free(self->expr);
    reject_list_done(&self->rejects);
    mem_free(self->keep.bits);
    mem_free(self);
}

static const StepOps WHERE_OPS = {.run = where_step_run, .free = where_step_free};

Status step_where_new(int32_t number, Str text, const Schema *in, PathSet *paths, Step **ret_step,
                      Err *err)
{
    Expr *expr = NULL;
    TRY(expr_compile(text, in, paths, TYPE_BOOL, &expr, err));
    WhereStep *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) {
        expr_free(expr);
        return err_memory(err);
    }
    self->expr = expr;
    reject_list_init(&self->rejects);
    *ret_step = &self->step;
    return step_init(&self->step, &WHERE_OPS, number, "where", in);
}

/* ---- drop_nulls ---- */

typedef struct DropNullsStep {
    Step step;
    int32_t *columns;
    int32_t count;
    KeepMask keep;
} DropNullsStep;

static const StepOps DROP_NULLS_OPS;

static void clear_null_rows(const Column *column, int64_t rows, uint64_t *keep)
{
    if (!column->valid) return;
    const uint8_t *bits = column->valid->data + column->offset / 8;
    for (int64_t word = 0; word < (rows + 63) / 64; word++) {
        uint64_t valid;
        memcpy(&valid, bits + word * 8, 8);
        keep[word] &= valid;
    }
}

static void keep_all(uint64_t *keep, int64_t rows)
{
    int64_t words = (rows + 63) / 64;
    memset(keep, 0xff, (size_t)words * 8);
    if (rows % 64 != 0) keep[words - 1] = (UINT64_C(1) << (rows % 64)) - 1;
}

static Status drop_nulls_run(Step *step, const ExprRun *run UNUSED, Batch *in,
                             RejectWriter *rejects UNUSED, Batch **ret_out, Err *err)
{
    DropNullsStep *self = STEP_SELF(DropNullsStep, DROP_NULLS_OPS, step);
    CLEANUP(batch_unref_p) Batch *batch = in;
    TRY(keep_mask_reserve(&self->keep, batch->rows, err));
    keep_all(self->keep.bits, batch->rows);
    for (int32_t i = 0; i < self->count; i++) {
        clear_null_rows(&batch->columns[self->columns[i]], batch->rows, self->keep.bits);
    }
    return step_keep_rows(batch, self->keep.bits, ret_out, err);
}

static void drop_nulls_free(Step *step)
{
    DropNullsStep *self = STEP_SELF(DropNullsStep, DROP_NULLS_OPS, step);
    mem_free(self->columns);
    mem_free(self->keep.bits);
    mem_free(self);
}

static const StepOps DROP_NULLS_OPS = {.run = drop_nulls_run, .free = drop_nulls_free};

/* Field indices of the named columns, or of all columns when none is named. */
Status step_columns(const Str *names, int32_t count, const Schema *in, int32_t **ret_columns,
                    int32_t *ret_count, Err *err)
{
    int32_t total = count ? count : in->count;
    int32_t *columns = mem_array(total, (int64_t)sizeof *columns);
    if (!columns) return err_memory(err);
    for (int32_t i = 0; i < total; i++) {
        columns[i] = count ? schema_find(in, names[i]) : i;
        if (columns[i] >= 0) continue;
        Str near = schema_nearest(in, names[i]);
        Status status = err_set(err, ERR_CONFIG, "no column \"%.*s\"", STR_ARG(names[i]));
        if (near.len) (void)err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
        mem_free(columns);
        return status;
    }
    *ret_columns = columns;
    *ret_count = total;
    return OK;
}

Status step_drop_nulls_new(int32_t number, const Str *columns, int32_t count, const Schema *in,
                           Step **ret_step, Err *err)
{
    if (in->open) {
        return err_set(err, ERR_CONFIG, "drop_nulls needs known columns, not JSON objects");
    }
    DropNullsStep *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    if (step_columns(columns, count, in, &self->columns, &self->count, err) != OK) {
        mem_free(self);
        return FAIL;
    }
    *ret_step = &self->step;
    return step_init(&self->step, &DROP_NULLS_OPS, number, "drop_nulls", in);
}
