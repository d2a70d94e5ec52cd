/* Runs a check over a dataset: source, batches, report. */
#include "work/quality/quality_run.h"

#include <stdatomic.h>

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"

#define WAIT_NS INT64_C(1000000000)
#define PROGRESS_NS INT64_C(200000000)
/* Texts, their views and what is made of them stay in the cache. */
enum { TEXT_BATCH_BYTES = 128 << 10 };

typedef struct QualityRun {
    const QualitySet *set;
    const QualityEnv *env;
    SourceReq req;
    Arena arena;   /* of parameters */
    Budget states; /* of what the check holds: batches keep their part of the whole */
    Source *source;
    SourceInfo info;
    bool info_ready;
    int64_t now_us;
    bool untyped, again;
    QualityCheck *check;
    Expr *where;
    uint64_t *keep;
    int64_t keep_rows;
    RejectList refused;
    int64_t shown_ns;
} QualityRun;

static void run_done(QualityRun *run)
{
    quality_check_free(run->check);
    expr_free(run->where);
    mem_free(run->keep);
    reject_list_done(&run->refused);
    source_close(run->source);
    if (run->info_ready) source_info_done(&run->info);
    arena_done(&run->arena);
}

/* ---- other datasets ---- */

typedef Status (*BatchEach)(void *arg, const Batch *batch, Err *err);

static Status read_all(Source *source, const QualityEnv *env, BatchEach each, void *arg, Err *err)
{
    TRY(source_open(source, NULL, env->budget, err));
    for (int32_t part = 0; part < source_parts(source); part++) {
        bool more = true;
        while (more) {
            SourceEvent event;
            if (env->cancelled && atomic_load(env->cancelled)) {
                return err_set(err, ERR_CANCELLED, "cancelled");
            }
            TRY(source_next(source, part, clock_mono_ns() + WAIT_NS, &event, err));
            more = event.kind != SOURCE_END;
            CLEANUP(batch_unref_p) Batch *batch = event.batch;
            batch_unref(event.rejects);
            if (batch) TRY(each(arg, batch, err));
        }
    }
    return OK;
}

static Status read_other(const QualityEnv *env, const OtherData *other, Str query, BatchEach each,
                         void *arg, Err *err)
{
    SourceReq req = {.location = &other->location,
                     .table = query.len ? STR_NULL : other->table,
                     .query = query,
                     .limits.parallel = 1,
                     .spool_folder = env->spool_folder,
                     .stop = env->cancelled};
    Source *source = NULL;
    SourceInfo info;
    TRY(connector_source(&req, &source, err));
    Status status = source_describe(source, &info, err);
    if (status == OK) {
        source_info_done(&info);
        status = read_all(source, env, each, arg, err);
    }
    source_close(source);
    return status == OK ? OK : err_prefix(err, "%.*s: ", STR_ARG(other->location.text));
}

static Status count_batch(void *arg, const Batch *batch, Err *err UNUSED)
{
    int64_t *rows = arg;
    *rows += batch->rows;
    return OK;
}

static Status other_count(void *arg, const OtherData *other, int64_t *ret_rows, Err *err)
{
    *ret_rows = 0;
    return read_other(arg, other, STR_NULL, count_batch, ret_rows, err);
}

typedef struct FieldEach {
    const OtherData *other;
    Status (*each)(void *to, const Column *column, Err *err);
    void *to;
} FieldEach;

static Status field_batch(void *arg, const Batch *batch, Err *err)
{
    const FieldEach *field = arg;
    int32_t at = schema_find_written(batch->schema, field->other->field);
    if (at >= 0) return field->each(field->to, &batch->columns[at], err);
    return err_set(err, ERR_CONFIG, "no column \"%.*s\"", STR_ARG(field->other->field));
}

static Status other_values(void *arg, const OtherData *other,
                           Status (*each)(void *to, const Column *column, Err *err), void *to,
                           Err *err)
{
    FieldEach field = {other, each, to};
    return read_other(arg, other, STR_NULL, field_batch, &field, err);
}

/* ---- the dataset ---- */

static bool gives_texts(const QualitySet *set)
{
    return set->from.connector->texts;
}

/* One file of text can be read as texts, in one pass, where no rule needs its types. */
static bool can_be_untyped(const QualityRun *run)
{
    Str path = run->set->from.path;
    bool several = str_eq(path, STR("-"));
    for (int64_t i = 0; i < path.len; i++) several |= strchr("*?[", path.ptr[i]) != NULL;
    return gives_texts(run->set) && !several && !run->env->where.len &&
           !quality_set_needs_types(run->set);
}

static Status open_source(QualityRun *run, Err *err)
{
    const QualitySet *set = run->set;
    const SourceParam *params = NULL;
    TRY(source_params_at(set->params, set->param_count, run->now_us, &run->arena, &params, err));
    run->req =
        (SourceReq){.location = &set->from,
                    .table = set->table,
                    .query = set->query,
                    .params = params,
                    .param_count = set->param_count,
                    .limits.parallel = 1,
                    .rejects = true,
                    .spool_folder = run->env->spool_folder,
                    .limits.batch_bytes = gives_texts(set) ? TEXT_BATCH_BYTES : 0,
                    .texts = run->untyped,
                    .limits.memory_bytes = run->env->budget ? run->env->budget->max_bytes : 0,
                    .stop = run->env->cancelled};
    TRY(connector_source(&run->req, &run->source, err));
    TRY(source_describe(run->source, &run->info, err));
    run->info_ready = true;
    return OK;
}

static Status keep_rows(QualityRun *run, Batch **batch, Err *err)
{
    ExprRun expr = {.now_us = run->now_us};
    Batch *kept = NULL;
    if ((*batch)->rows > run->keep_rows) {
        mem_free(run->keep);
        run->keep_rows = (*batch)->rows;
        run->keep = mem_array((run->keep_rows + 63) / 64, 8);
        if (!run->keep) return err_memory(err);
    }
    TRY(expr_filter(run->where, &expr, *batch, run->keep, &run->refused, err));
    if (run->refused.count) {
        return err_set(err, ERR_DATA, "--where fails for a row: %.*s",
                       STR_ARG(run->refused.items[0].reason));
    }
    TRY(batch_filter(*batch, (const uint8_t *)run->keep, &kept, err));
    batch_unref(*batch);
    *batch = kept;
    return OK;
}

static void show(QualityRun *run)
{
    int64_t now_ns = clock_mono_ns();
    if (!run->env->progress || now_ns - run->shown_ns < PROGRESS_NS) return;
    run->shown_ns = now_ns;
    run->env->progress(run->env->progress_arg, quality_check_rows(run->check),
                       run->info.rows_estimate);
}

static Status take(QualityRun *run, SourceEvent *event, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = event->batch;
    CLEANUP(batch_unref_p) Batch *rejects = event->rejects;
    if (rejects) TRY(quality_check_unreadable(run->check, rejects, err));
    if (!batch) return OK;
    if (run->where) TRY(keep_rows(run, &batch, err));
    TRY(quality_check_update(run->check, batch, NULL, NULL, err));
    show(run);
    return OK;
}

static Status read_dataset(QualityRun *run, Err *err)
{
    TRY(source_open(run->source, NULL, run->env->budget, err));
    for (int32_t part = 0; part < source_parts(run->source); part++) {
        bool more = true;
        while (more) {
            SourceEvent event;
            if (run->env->cancelled && atomic_load(run->env->cancelled)) {
                return err_set(err, ERR_CANCELLED, "cancelled");
            }
            TRY(source_next(run->source, part, clock_mono_ns() + WAIT_NS, &event, err));
            more = event.kind != SOURCE_END;
            TRY(take(run, &event, err));
        }
    }
    return OK;
}

/* Files give the same rows in the same order again. */
static Status address_repeats(QualityRun *run, QualityReport *report, Err *err)
{
    int64_t last = quality_check_last_repeat(report), row = 0;
    bool file = run->set->from.kind == LOCATION_FILE;
    if (last < 0 || !file || !run->info.replayable) return OK;
    source_close(run->source);
    run->source = NULL;
    TRY(connector_source(&run->req, &run->source, err));
    TRY(source_open(run->source, NULL, run->env->budget, err));
    while (row <= last) {
        SourceEvent event;
        TRY(source_next(run->source, 0, clock_mono_ns() + WAIT_NS, &event, err));
        CLEANUP(batch_unref_p) Batch *batch = event.batch;
        batch_unref(event.rejects);
        if (event.kind == SOURCE_END) return OK;
        if (!batch) continue;
        if (run->where) TRY(keep_rows(run, &batch, err));
        TRY(quality_check_address(run->check, batch, row, report, err));
        row += batch->rows;
    }
    return OK;
}

static int64_t line_of(void *arg, const Batch *batch, int64_t row)
{
    const QualityRun *run = arg;
    return source_line(run->source, batch, row);
}

static Status run_check(QualityRun *run, QualityReport **ret_report, Err *err)
{
    TRY(open_source(run, err));
    if (run->info.unbounded) {
        return err_set(err, ERR_CONFIG, "%.*s never ends; check it by a window of a stream",
                       STR_ARG(run->set->from.text));
    }
    Str where = run->env->where;
    if (where.len) {
        TRY(expr_compile(where, run->info.schema, NULL, TYPE_BOOL, &run->where, err));
    }
    OtherSide other = {(void *)(uintptr_t)run->env, other_count, other_values};
    CheckOptions options = {.set = run->set,
                            .schema = run->info.schema,
                            .text_file = gives_texts(run->set),
                            .untyped = run->untyped,
                            .line = line_of,
                            .line_arg = run,
                            .budget = &run->states,
                            .spool_folder = run->env->spool_folder,
                            .now_us = run->now_us,
                            .history = run->env->history,
                            .other = &other};
    TRY(quality_check_new(&options, &run->check, err));
    TRY(read_dataset(run, err));
    /* Seldom: texts that differ may be equal values. Once more, then, with types. */
    run->again = quality_check_needs_types(run->check);
    if (run->again) return OK;
    CLEANUP(quality_report_free_p) QualityReport *report = NULL;
    TRY(quality_check_finish(run->check, &report, err));
    TRY(address_repeats(run, report, err));
    *ret_report = TAKE(report);
    return OK;
}

static Status run_once(const QualitySet *set, const QualityEnv *env, bool typed, bool *ret_again,
                       QualityReport **ret_report, Err *err)
{
    QualityRun run = {.set = set, .env = env, .now_us = clock_now_us()};
    run.arena = arena_make(16 << 20);
    run.untyped = !typed && can_be_untyped(&run);
    int64_t memory = env->budget ? env->budget->max_bytes * 3 / 4 : INT64_MAX;
    budget_init(&run.states, "quality", env->budget, memory);
    reject_list_init(&run.refused);
    Status status = run_check(&run, ret_report, err);
    bool cancelled = env->cancelled && atomic_load(env->cancelled);
    if (status != OK && cancelled) status = err_to_cancelled(err);
    *ret_again = run.again;
    run_done(&run);
    return status;
}

Status quality_run(const QualitySet *set, const QualityEnv *env, QualityReport **ret_report,
                   Err *err)
{
    int64_t start_ns = clock_mono_ns();
    QualityReport *report = NULL;
    bool again = false;
    TRY(run_once(set, env, false, &again, &report, err));
    if (again) TRY(run_once(set, env, true, &again, &report, err));
    report->duration_ns = clock_mono_ns() - start_ns;
    *ret_report = report;
    return OK;
}
