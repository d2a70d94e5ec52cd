/* A pipeline's refused rows: gathered by step, begun, loaded. */
#include "work/reject/replay_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "foundation/base/file.h"
#include "foundation/base/hash.h"
#include "foundation/base/number.h"

enum { PLACES_MAX = 1 << 30 };

void replay_rows_done(ReplayRows *rows)
{
    for (int32_t i = 0; i < rows->stage_count; i++) {
        StageRows *stage = &rows->stages[i];
        if (stage->fd >= 0) {
            file_close(stage->fd);
            (void)unlink(stage->path);
        }
        buf_done(&stage->waiting);
        buf_done(&stage->places);
    }
}

/* ---- gathering ---- */

static Status stage_open(const ReplayRows *rows, StageRows *stage, Err *err)
{
    Str folder = rows->replay->env->spool_folder;
    const char *temporary = getenv("TMPDIR");
    if (!folder.len) folder = temporary && temporary[0] ? str_from(temporary) : STR("/tmp");
    (void)snprintf(stage->path, sizeof stage->path, "%.*s/neuron-replay-XXXXXX.ndjson",
                   STR_ARG(folder));
    stage->waiting = buf_make(INT64_C(1) << 31);
    stage->places = buf_make(PLACES_MAX);
    stage->fd = mkostemps(stage->path, 7, 0);
    if (stage->fd >= 0) return OK;
    return err_errno(err, errno, "%s can't be made", stage->path);
}

static Status stage_of(ReplayRows *rows, int32_t step, StageRows **ret_stage, Err *err)
{
    for (int32_t i = 0; i < rows->stage_count; i++) {
        *ret_stage = &rows->stages[i];
        if ((*ret_stage)->step == step) return OK;
    }
    if (rows->stage_count == REPLAY_STAGES_MAX) return err_set(err, ERR_LIMIT, "too many stages");
    *ret_stage = &rows->stages[rows->stage_count++];
    **ret_stage = (StageRows){.step = step, .fd = -1};
    return stage_open(rows, *ret_stage, err);
}

static Status stage_flush(StageRows *stage, Err *err)
{
    TRY(file_write(stage->fd, buf_str(&stage->waiting), err));
    buf_clear(&stage->waiting);
    return OK;
}

static Status put_place(StageRows *stage, Str place, Err *err)
{
    if (stage->places.len) TRY(buf_append_char(&stage->places, ',', err));
    return buf_append(&stage->places, place, err);
}

/* Ordinals that follow each other are one range. */
static Status range_flush(StageRows *stage, Err *err)
{
    char text[100];
    if (stage->from == stage->to) return OK;
    int len = snprintf(text, sizeof text, "[%d,%lld,%lld]", stage->part, (long long)stage->from,
                       (long long)stage->to);
    stage->from = stage->to;
    return put_place(stage, str_make(text, len), err);
}

static Status add_place(StageRows *stage, const Refused *refused, Err *err)
{
    if (refused->place.len) return put_place(stage, refused->place, err);
    bool follows = refused->part == stage->part && refused->ordinal == stage->to;
    if (!follows) {
        TRY(range_flush(stage, err));
        stage->part = refused->part;
        stage->from = refused->ordinal;
    }
    stage->to = refused->ordinal + 1;
    return OK;
}

Status replay_rows_add(ReplayRows *rows, const Refused *refused, Str fixed, Err *err)
{
    StageRows *stage = NULL;
    const PipelineConfig *p = rows->replay->place->pipeline;
    TRY(stage_of(rows, replay_first_step(p, refused->stage), &stage, err));
    TRY(add_place(stage, refused, err));
    TRY(buf_append(&stage->waiting, fixed, err));
    TRY(buf_append_char(&stage->waiting, '\n', err));
    return stage->waiting.len > (1 << 20) ? stage_flush(stage, err) : OK;
}

/* ---- what is begun ---- */

/* A new name each time: rows of the same text are not the same rows. */
static Status run_new(char run[32], Err *err)
{
    uint64_t random = 0;
    TRY(hash_random(&random, sizeof random, err));
    (void)snprintf(run, 32, "replay-%016llx", (unsigned long long)random);
    return OK;
}

static Status begin(const ReplayRows *rows, const char *run, Err *err)
{
    const Replay *replay = rows->replay;
    if (replay->place->inside || !replay->begin) return OK;
    CLEANUP(buf_done) Buf text = buf_make(PLACES_MAX);
    CLEANUP(buf_done) Buf places = buf_make(PLACES_MAX);
    JsonWriter w = json_writer_make(&text, err);
    json_object_begin(&w);
    json_key(&w, "run");
    json_write_text(&w, str_from(run));
    json_key(&w, "cause");
    json_write_text(&w, replay->cause);
    json_key(&w, "stages");
    json_array_begin(&w);
    for (int32_t i = 0; i < rows->stage_count; i++) {
        buf_clear(&places);
        TRY(buf_printf(&places, err, "[%.*s]", STR_ARG(buf_str(&rows->stages[i].places))));
        json_object_begin(&w);
        json_key(&w, "step");
        json_write_int64(&w, rows->stages[i].step);
        json_key(&w, "places");
        json_write_raw(&w, buf_str(&places));
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    TRY(json_writer_end(&w));
    return replay->begin(replay->keep_arg, buf_str(&text), err);
}

/* ---- loading ---- */

static Status stage_load(const ReplayRows *rows, StageRows *stage, const char *run, Arena *arena,
                         RunResult *result, Err *err)
{
    const RefusedEnv *env = rows->replay->env;
    PipelineConfig p;
    int64_t epoch = rows->replay->epoch + rows->published;
    RunOptions options = {.epoch = &epoch};
    PipelineEnv pipeline_env = {
        .budget = env->budget, .spool_folder = env->spool_folder, .cancelled = env->stop};
    TRY(replay_pipeline(rows->replay->place, arena, &p, err));
    p.steps = p.steps ? p.steps + stage->step : NULL;
    p.step_count -= stage->step;
    p.steps_before = stage->step;
    bool json = p.from.connector && p.from.connector->open_rows;
    TRY(location_parse(env->registry, str_from(stage->path), arena, &p.from, err));
    if (!json) TRY(location_set(&p.from, arena, STR("strings"), STR("text"), err));
    TRY(arena_printf(arena, &options.run_id, err, "%s-%d", run, stage->step));
    CLEANUP(buf_done) Buf places = buf_make(PLACES_MAX);
    TRY(buf_printf(&places, err, "[%.*s]", STR_ARG(buf_str(&stage->places))));
    if (rows->replay->place->inside) options.replayed = buf_str(&places);
    TRY(stage_flush(stage, err));
    return pipeline_run(&p, &options, &pipeline_env, result, err);
}

static Status stage_run(const ReplayRows *rows, StageRows *stage, const char *run, Err *err)
{
    Arena arena = arena_make(1 << 20);
    RunResult result;
    run_result_init(&result);
    Status status = stage_load(rows, stage, run, &arena, &result, err);
    rows->result->loaded += result.rows.loaded;
    rows->result->rejected += result.rows.rejected;
    run_result_done(&result);
    arena_done(&arena);
    return status;
}

Status replay_epoch(const RefusedPlace *place, const RefusedEnv *env, int64_t *ret_epoch, Err *err)
{
    PipelineConfig p;
    PipelineEnv pipeline_env = {.budget = env->budget, .cancelled = env->stop};
    *ret_epoch = 0;
    if (!place->pipeline) return OK;
    Arena arena = arena_make(1 << 20);
    Status status = replay_pipeline(place, &arena, &p, err);
    if (status == OK) status = pipeline_epoch(&p, &pipeline_env, ret_epoch, err);
    arena_done(&arena);
    return status;
}

static Status forget_all(const ReplayRows *rows, Err *err)
{
    CLEANUP(buf_done) Buf places = buf_make(PLACES_MAX);
    for (int32_t i = 0; i < rows->stage_count; i++) {
        buf_clear(&places);
        TRY(buf_printf(&places, err, "[%.*s]", STR_ARG(buf_str(&rows->stages[i].places))));
        TRY(replay_forget(rows->replay, STR_NULL, buf_str(&places), err));
    }
    return OK;
}

Status replay_rows_run(ReplayRows *rows, Err *err)
{
    const Replay *replay = rows->replay;
    const RefusedPlace *place = replay->place;
    char run[32];
    if (rows->stage_count == 0) return OK;
    for (int32_t i = 0; i < rows->stage_count; i++) TRY(range_flush(&rows->stages[i], err));
    TRY(run_new(run, err));
    TRY(begin(rows, run, err));
    for (int32_t i = 0; i < rows->stage_count; i++) {
        TRY(stage_run(rows, &rows->stages[i], run, err));
        rows->published++;
    }
    if (place->inside) return OK;
    if (!place->ordered) TRY(forget_all(rows, err));
    if (replay->keep) TRY(replay->keep(replay->keep_arg, err));
    return replay->begin ? replay->begin(replay->keep_arg, STR_NULL, err) : OK;
}
