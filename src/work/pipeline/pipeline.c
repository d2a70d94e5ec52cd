/* Pipelines: one bounded run from a source through steps into a sink, published at one moment. */
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/base/datetime.h"
#include "foundation/base/hash.h"
#include "foundation/base/thread.h"
#include "foundation/codec/uuid.h"
#include "work/pipeline/pipeline_impl.h"
#include "work/step/step_check.h"

static Status run_id_new(char run_id[40], Err *err)
{
    uint8_t bytes[16];
    TRY(uuid_random(bytes, err));
    uuid_format(bytes, run_id);
    run_id[UUID_TEXT_LEN] = 0;
    return OK;
}

static void add_drop(RunResult *result, Str reason, int64_t rows)
{
    if (rows == 0) return;
    RunDrop *drop = &result->drops[result->drop_count++];
    str_to_array(drop->step, sizeof drop->step, reason);
    drop->rows = rows;
}

static void result_counts(const FlowResult *flow, const Assembly *a, RunResult *result)
{
    const FlowLedger *l = &flow->ledger;
    result->rows.extracted = l->extracted;
    result->rows.transformed = l->transformed;
    result->rows.rejected = l->rejected;
    result->rows.loaded = l->loaded;
    result->bytes = l->bytes;
    result->rows.inserted = flow->counts.inserted;
    result->rows.updated = flow->counts.updated;
    result->rows.unchanged = flow->counts.unchanged;
    result->rows.deleted = flow->counts.deleted;
    result->read_ns = flow->read_ns;
    result->steps_ns = flow->steps_ns;
    result->stage_ns = flow->stage_ns;
    result->publish_ns = flow->publish_ns;
    result->drop_count = 0;
    for (int32_t i = 0; i < a->step_count; i++) {
        add_drop(result, str_from(a->steps[i]->name), step_dropped(a->steps[i]));
    }
    add_drop(result, STR("superseded"), flow->counts.superseded);
    add_drop(result, STR("discarded"), flow->counts.discarded);
}

/* What check steps found, also where that is why the run failed. */
static Status result_checks(const Assembly *a, RunResult *result, Err *err)
{
    buf_clear(&result->checks);
    for (int32_t i = 0; i < a->step_count; i++) {
        CLEANUP(buf_done) Buf one = buf_make(1 << 24);
        bool is_check = false;
        TRY(step_check_result(a->steps[i], &is_check, &one, err));
        if (!is_check) continue;
        if (result->checks.len) TRY(buf_append_char(&result->checks, ',', err));
        TRY(buf_append(&result->checks, buf_str(&one), err));
    }
    return OK;
}

static Status warn(Buf *lines, Err *err, const char *format, ...) PRINTF_LIKE(3, 4);
static Status warn(Buf *lines, Err *err, const char *format, ...)
{
    va_list args;
    char text[1 << 10];
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (lines->len) TRY(buf_append_char(lines, '\n', err));
    return buf_append(lines, str_from(text), err);
}

/* What can't be promised of rows below the watermark. */
static Status watermark_warnings(const Assembly *a, const Position *position, Buf *lines, Err *err)
{
    int64_t us = 0;
    bool zone = false;
    Str watermark = buf_str(&position->cursor);
    if (a->target_note) {
        TRY(warn(lines, err, "the table \"%.*s\" isn't as the last run left it: %s; %s",
                 STR_ARG(a->config->table), a->target_note,
                 a->fresh ? "everything was read again"
                          : "rows below the watermark are not in it"));
    }
    bool twice = a->options->since.len && !a->req.source.order.rows_keyed;
    if (twice && a->config->mode == SINK_APPEND) {
        TRY(warn(lines, err, "rows since %.*s were appended, also those that an earlier run had",
                 STR_ARG(a->options->since)));
    }
    bool dated = watermark.len >= 10 && watermark.ptr[4] == '-';
    if (!a->advance || !dated || !datetime_cast_timestamp(watermark, &us, &zone)) return OK;
    if (us == DATETIME_INFINITY || us < clock_now_us() + DATETIME_DAY_US) return OK;
    return warn(
        lines, err,
        "the watermark %.*s is in the future: rows with earlier values are not read any more",
        STR_ARG(watermark));
}

/* What the source and the checks have to say about this attempt. */
static Status result_warnings(const Assembly *a, const FlowResult *flow, RunResult *result,
                              Err *err)
{
    const FlowLedger *ledger = &flow->ledger;
    buf_clear(&result->warnings);
    if (a->config->mode == SINK_MIRROR && ledger->rejected > 0) {
        TRY(buf_printf(
            &result->warnings, err,
            "%lld rows were rejected: this run deleted nothing in the target, since what "
            "is missing may be in the source",
            (long long)ledger->rejected));
    }
    TRY(watermark_warnings(a, &flow->position, &result->warnings, err));
    const SourceNotes *notes = &a->source->notes;
    for (int32_t i = 0; i < notes->count; i++) {
        if (result->warnings.len) TRY(buf_append_char(&result->warnings, '\n', err));
        TRY(buf_append(&result->warnings, notes->texts[i], err));
    }
    for (int32_t i = 0; i < a->step_count; i++) {
        TRY(step_check_warnings(a->steps[i], &result->warnings, err));
    }
    return OK;
}

/* Rows that go through unopened come and go at one speed: little of them waits. */
static int64_t queue_bytes(const Budget *budget, bool wire)
{
    if (wire) return 2 << 20;
    int64_t share = budget ? budget->max_bytes / 16 : INT64_MAX;
    return int64_max(int64_min(share, 8 << 20), 256 << 10);
}

/* Rows that nobody looks into go from one system to another of its kind as they are on its wire. */
static Status wire_try(Assembly *a, Err *err)
{
    const RunOptions *options = a->options;
    bool whole = !a->step_count && !options->rows_max && !options->within && !a->config->reject.on;
    if (!whole) return OK;
    return sink_takes(a->sink, a->schema, a->info.wire, &a->req.source.wire, err);
}

static Status flow_of_assembly(Assembly *a, RunResult *result, bool *ret_rejects_kept, Err *err)
{
    const PipelineConfig *c = a->config;
    bool incremental = c->incremental.cursor.len > 0;
    FlowSpec spec = {
        .source = a->source,
        .sink = a->sink,
        .steps = a->steps,
        .step_count = a->step_count,
        .schema = a->schema,
        .out_name = c->table,
        .run_id = str_from(result->run_id),
        .epoch = a->state.epoch,
        .start = incremental && !a->fresh ? &a->state.position : NULL,
        .advance = a->advance,
        .origin = buf_str(&a->cursor.origin),
        .rejects.allowed = c->reject.on,
        .rejects.sink = a->reject_sink,
        .rejects.name = c->reject.table,
        .rejects.key = c->target.key,
        .rejects.key_count = c->target.key_count,
        .expr = {.now_us = clock_now_us()},
        /* What waits in the queues is bounded there; the budget is for what grows. */
        .limits.queue_bytes = queue_bytes(a->env->budget, a->req.source.wire),
        .observer.progress = a->env->progress,
        .observer.arg = a->env->progress_arg,
        .end.cancelled = a->env->cancelled,
    };
    FlowResult flow;
    flow_result_init(&flow);
    Status status = flow_run(&spec, &flow, err);
    Err ignored = {0};
    Status told = result_checks(a, result, status == OK ? err : &ignored);
    if (told == OK) told = result_warnings(a, &flow, result, status == OK ? err : &ignored);
    if (status == OK) status = told;
    if (status == OK) {
        result_counts(&flow, a, result);
        const Buf *cursor = a->advance ? &flow.position.cursor : &a->state.position.cursor;
        buf_clear(&result->watermark);
        status = buf_append(&result->watermark, buf_str(cursor), err);
    }
    *ret_rejects_kept = flow.rejects_kept;
    flow_result_done(&flow);
    return status;
}

/* ---- refused rows elsewhere, which are there before the data ---- */

static Status ask_target(void *arg, Str run_id, bool *ret_published, Err *err)
{
    const Assembly *a = arg;
    Outcome outcome = OUTCOME_UNKNOWN;
    SinkCounts counts = {0};
    TRY(sink_outcome(a->sink, run_id, 0, &outcome, &counts, err));
    if (outcome == OUTCOME_UNKNOWN) {
        return err_set(err, ERR_CONNECT, "whether the run %.*s was published is not known",
                       STR_ARG(run_id));
    }
    *ret_published = outcome == OUTCOME_COMMITTED;
    return OK;
}

static Status is_this_run(void *arg, Str run_id, bool *ret_published, Err *err UNUSED)
{
    *ret_published = str_eq(run_id, str_from(((const RunResult *)arg)->run_id));
    return OK;
}

/* A target that doesn't remember its runs can't be asked: what one leaves there when it is killed
 * stays. While it isn't killed it takes them out itself. */
static Status rejects_begin(Assembly *a, const RunResult *result, Err *err)
{
    bool asked = a->config->name.len && a->sink->ops->state && a->sink->ops->outcome;
    if (!a->reject_sink) return OK;
    /* Borrowed by the sink. */
    a->req.reject.reject.of = asked ? a->config->name : str_from(result->run_id);
    if (!asked) return OK;
    RejectsAsk ask = {.published = ask_target, .arg = a};
    if (sink_rejects_settle(a->reject_sink, &ask, err) == OK) return OK;
    return err_prefix(err, "rejects: ");
}

/* Another run that had begun before can't publish any more: this one was faster. What fails here is
 * settled by the next run, or is the error that there is already. */
static void rejects_end(Assembly *a, RunResult *result, bool kept, Status status)
{
    Err ignored = {0};
    bool published = false;
    RejectsAsk ask = {.published = is_this_run, .arg = result, .take_out = true};
    if (!a->reject_sink) return;
    if (status == OK) {
        IGNORE(sink_rejects_settle(a->reject_sink, &ask, &ignored));
        return;
    }
    Str run_id = str_from(result->run_id);
    if (!kept) return;
    if (a->sink->ops->outcome && ask_target(a, run_id, &published, &ignored) != OK) return;
    if (published) return;
    const PipelineConfig *c = a->config;
    IGNORE(rejects_forget(&c->reject.to, c->reject.table, run_id, STR_NULL, a->env, &ignored));
}

/* The same run_id again: what it published stands, and is not done twice. */
static Status already_published(Assembly *a, RunResult *result, bool *ret_done, Err *err)
{
    *ret_done = false;
    if (!a->config->name.len || !a->sink->ops->outcome) return OK;
    Outcome outcome = OUTCOME_UNKNOWN;
    SinkCounts counts = {0};
    TRY(sink_outcome(a->sink, str_from(result->run_id), 0, &outcome, &counts, err));
    if (outcome != OUTCOME_COMMITTED) return OK;
    *ret_done = true;
    result->rows.extracted = result->rows.transformed = result->rows.loaded = counts.loaded;
    result->rows.inserted = counts.inserted;
    result->rows.updated = counts.updated;
    result->rows.unchanged = counts.unchanged;
    result->rows.deleted = counts.deleted;
    (void)snprintf(result->message, sizeof result->message, "This run was already published");
    return buf_append(&result->watermark, buf_str(&a->state.position.cursor), err);
}

static bool is_cancelled(const PipelineEnv *env)
{
    return env->cancelled && atomic_load(env->cancelled);
}

static Status attempt(const PipelineConfig *config, const RunOptions *options,
                      const PipelineEnv *env, bool again, RunResult *result, Err *err)
{
    Assembly assembly;
    bool done = false;
    Status status = assembly_open(&assembly, config, options, env, err);
    assembly.req.reject.reject.again = again; /* the sink borrows it */
    if (status == OK) status = rejects_begin(&assembly, result, err);
    if (status == OK && again) status = already_published(&assembly, result, &done, err);
    if (status == OK && !done) status = wire_try(&assembly, err);
    if (status != OK && is_cancelled(env)) status = err_to_cancelled(err);
    if (status == OK && !done) {
        bool kept = false;
        status = flow_of_assembly(&assembly, result, &kept, err);
        rejects_end(&assembly, result, kept, status);
    }
    assembly_close(&assembly);
    return status;
}

/* Wait before the next attempt; false when cancelled meanwhile. */
static bool retry_wait(const PipelineEnv *env, int64_t wait_us)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    thread_cond_init(&cond);
    int64_t end_ns = clock_mono_ns() + wait_us * 1000;
    pthread_mutex_lock(&mutex);
    while (clock_mono_ns() < end_ns && !is_cancelled(env)) {
        (void)thread_cond_wait(&cond, &mutex, int64_min(end_ns, clock_mono_ns() + 100 * 1000000));
    }
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
    return !is_cancelled(env);
}

static void result_message(RunResult *result, const Err *err)
{
    if (result->status != RUN_SUCCESS) {
        (void)snprintf(result->message, sizeof result->message, "%.500s", err->message);
    } else if (result->message[0]) {
        return;
    } else if (result->rows.extracted == 0) {
        (void)snprintf(result->message, sizeof result->message, "No new data to process");
    } else {
        (void)snprintf(result->message, sizeof result->message, "%lld of %lld rows loaded",
                       (long long)result->rows.loaded, (long long)result->rows.extracted);
    }
}

Status pipeline_run(const PipelineConfig *config, const RunOptions *options, const PipelineEnv *env,
                    RunResult *result, Err *err)
{
    Err local = {0};
    if (!err) err = &local;
    int64_t start_ns = clock_mono_ns();
    str_to_array(result->pipeline, sizeof result->pipeline, config->name);
    bool again = options->run_id.len > 0;
    Status status = OK;
    if (again) str_to_array(result->run_id, sizeof result->run_id, options->run_id);
    else status = run_id_new(result->run_id, err);
    int32_t attempts = config->retry.attempts > 1 ? config->retry.attempts : 1;
    while (status == OK) {
        result->attempts++;
        status = attempt(config, options, env, again, result, err);
        if (status == OK || result->attempts >= attempts || !err_is_retriable(err)) break;
        /* What was not published is read again; what was is found by its run_id. */
        again = true;
        status = retry_wait(env, config->retry.wait_us) ? OK : err_to_cancelled(err);
    }
    result->duration_ns = clock_mono_ns() - start_ns;
    result->status = status == OK                 ? RUN_SUCCESS
                     : err->kind == ERR_CANCELLED ? RUN_CANCELLED
                                                  : RUN_FAILED;
    if (status != OK) {
        if (config->name.len) (void)err_prefix(err, "%.*s: ", STR_ARG(config->name));
        result->error = *err;
    }
    result_message(result, err);
    return status;
}
