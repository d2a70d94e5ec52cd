/* Replaying: refused rows read, mended, given back, marked. */
#include "work/reject/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/format/message.h"
#include "foundation/base/file.h"
#include "foundation/base/hash.h"
#include "foundation/base/number.h"
#include "work/reject/replay_fix.h"

enum { STAGES_MAX = 64, SEND_ROWS = 5000, PATH_SIZE = 4096 };

/* Rows that go into the steps at one place. */
typedef struct StageRows {
    int32_t step; /* the first step that they go through */
    int64_t rows;
    uint64_t hash;
    int fd;
    char path[PATH_SIZE];
    Buf waiting;
} StageRows;

typedef struct Replaying {
    const Replay *replay;
    ReplayResult *result;
    Fix fix;
    MessageWriter messages;
    StageRows stages[STAGES_MAX];
    int32_t stage_count;
} Replaying;

/* ---- streams ---- */

static Status send_messages(Replaying *r, Err *err)
{
    const RefusedEnv *env = r->replay->env;
    StreamEnv stream_env = {.registry = env->registry, .budget = env->budget, .stop = env->stop};
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    if (r->messages.rows == 0) return OK;
    TRY(message_writer_take(&r->messages, &batch, err));
    TRY(stream_send_batch(r->replay->place->stream, &stream_env, batch, err));
    return r->replay->keep ? r->replay->keep(r->replay->keep_arg, err) : OK;
}

static Status add_message(Replaying *r, const Refused *refused, Str fixed, Err *err)
{
    Message message = {.key = refused->key, .value = fixed, .headers = refused->headers};
    return message_writer_add(&r->messages, &message, err);
}

/* ---- pipelines ---- */

/* "2. where" failed: from it on. "read": from the first. "write": none. */
static int32_t first_step(const PipelineConfig *p, Str stage)
{
    int64_t number = 0, dot = str_find_char(stage, '.');
    bool numbered = dot > 0 && number_parse_int64(str_slice(stage, 0, dot), &number) == NUMBER_OK;
    if (numbered && number >= 1 && number <= p->step_count) return (int32_t)number - 1;
    return str_eq(stage, STR("read")) ? 0 : p->step_count;
}

static Status stage_open(const Replaying *r, StageRows *stage, Err *err)
{
    Str folder = r->replay->env->spool_folder;
    const char *temporary = getenv("TMPDIR");
    if (!folder.len) folder = temporary && temporary[0] ? str_from(temporary) : STR("/tmp");
    (void)snprintf(stage->path, sizeof stage->path, "%.*s/neuron-replay-XXXXXX.ndjson",
                   STR_ARG(folder));
    stage->waiting = buf_make(INT64_C(1) << 31);
    stage->fd = mkostemps(stage->path, 7, 0);
    if (stage->fd >= 0) return OK;
    return err_errno(err, errno, "%s can't be made", stage->path);
}

static Status stage_of(Replaying *r, int32_t step, StageRows **ret_stage, Err *err)
{
    for (int32_t i = 0; i < r->stage_count; i++) {
        *ret_stage = &r->stages[i];
        if ((*ret_stage)->step == step) return OK;
    }
    if (r->stage_count == STAGES_MAX) return err_set(err, ERR_LIMIT, "too many stages");
    *ret_stage = &r->stages[r->stage_count++];
    **ret_stage = (StageRows){.step = step, .fd = -1};
    return stage_open(r, *ret_stage, err);
}

static Status stage_flush(StageRows *stage, Err *err)
{
    TRY(file_write(stage->fd, buf_str(&stage->waiting), err));
    buf_clear(&stage->waiting);
    return OK;
}

static Status add_row(Replaying *r, const Refused *refused, Str fixed, Err *err)
{
    StageRows *stage = NULL;
    TRY(stage_of(r, first_step(r->replay->place->pipeline, refused->stage), &stage, err));
    stage->hash = hash_64(fixed, stage->hash + 1);
    stage->rows++;
    TRY(buf_append(&stage->waiting, fixed, err));
    TRY(buf_append_char(&stage->waiting, '\n', err));
    return stage->waiting.len > (1 << 20) ? stage_flush(stage, err) : OK;
}

static Status stage_run(Replaying *r, StageRows *stage, Err *err)
{
    const RefusedEnv *env = r->replay->env;
    Arena arena = arena_make(1 << 20);
    PipelineConfig p = *r->replay->place->pipeline;
    char run_id[40];
    (void)snprintf(run_id, sizeof run_id, "replay-%016llx", (unsigned long long)stage->hash);
    RunOptions options = {.run_id = str_from(run_id)};
    PipelineEnv pipeline_env = {.registry = env->registry,
                                .budget = env->budget,
                                .spool_folder = env->spool_folder,
                                .cancelled = env->stop};
    p.from_table = p.query = STR_NULL;
    p.param_count = 0;
    p.incremental = (Incremental){0};
    p.steps = p.steps ? p.steps + stage->step : NULL;
    p.step_count -= stage->step;
    p.steps_before = stage->step;
    if (p.mode == SINK_REPLACE || p.mode == SINK_MIRROR) {
        p.mode = p.key_count ? SINK_UPSERT : SINK_APPEND;
    }
    RunResult result;
    run_result_init(&result);
    Status status = arena_printf(&arena, &p.name, err, "%.*s.rejects", STR_ARG(p.name));
    if (status == OK) status = location_parse(str_from(stage->path), &arena, &p.from, err);
    if (status == OK) status = stage_flush(stage, err);
    if (status == OK) status = pipeline_run(&p, &options, &pipeline_env, &result, err);
    r->result->loaded += result.loaded;
    r->result->rejected += result.rejected;
    run_result_done(&result);
    arena_done(&arena);
    return status;
}

static Status run_stages(Replaying *r, Err *err)
{
    for (int32_t i = 0; i < r->stage_count; i++) TRY(stage_run(r, &r->stages[i], err));
    return r->stage_count && r->replay->keep ? r->replay->keep(r->replay->keep_arg, err) : OK;
}

/* ---- each row ---- */

static Status give_back(Replaying *r, const Refused *refused, Str fixed, Err *err)
{
    r->result->replayed++;
    if (r->replay->dry_run) return OK;
    return r->replay->place->stream ? add_message(r, refused, fixed, err)
                                    : add_row(r, refused, fixed, err);
}

static Status visit(void *arg, const Refused *refused, Err *err)
{
    Replaying *r = arg;
    const Replay *replay = r->replay;
    Cause *cause = NULL;
    if (replay->cause.len && !str_eq(replay->cause, str_from(refused->cause))) return OK;
    TRY(causes_find(replay->causes, refused, &cause, err));
    if (!cause) return err_set(err, ERR_LIMIT, "more than %d causes; choose a --cause", CAUSES_MAX);
    if (!replay->all && cause_is_replayed(cause, refused)) {
        r->result->before++;
        return OK;
    }
    Str fixed = STR_NULL, why = STR("it is no JSON object");
    if (refused->object) TRY(fix_run(&r->fix, refused->original, &fixed, &why, err));
    if (replay->show) TRY(replay->show(replay->show_arg, refused, fixed, why, err));
    if (fixed.ptr) TRY(give_back(r, refused, fixed, err));
    else r->result->skipped++;
    if (!replay->dry_run) TRY(cause_mark(replay->causes, cause, refused, !fixed.ptr, err));
    return r->messages.rows >= SEND_ROWS ? send_messages(r, err) : OK;
}

static Status replay_all(Replaying *r, Err *err)
{
    const Replay *replay = r->replay;
    TRY(fix_init(&r->fix, replay->fix, err));
    TRY(message_writer_init(&r->messages, NULL, err));
    TRY(refused_read(replay->place, replay->env, visit, r, err));
    return replay->place->stream ? send_messages(r, err) : run_stages(r, err);
}

Status replay_run(const Replay *replay, ReplayResult *ret_result, Err *err)
{
    *ret_result = (ReplayResult){0};
    const StreamConfig *stream = replay->place->stream;
    if (stream && !stream->from_messages && !replay->dry_run) {
        (void)err_set(err, ERR_USAGE, "%.*s reads no topic, so nothing can be replayed into it",
                      STR_ARG(stream->name));
        return err_hint(err, "--dry-run shows the mended messages: append them to its file");
    }
    Replaying r = {.replay = replay, .result = ret_result};
    Status status = replay_all(&r, err);
    for (int32_t i = 0; i < r.stage_count; i++) {
        if (r.stages[i].fd >= 0) {
            file_close(r.stages[i].fd);
            (void)unlink(r.stages[i].path);
        }
        buf_done(&r.stages[i].waiting);
    }
    message_writer_done(&r.messages);
    fix_done(&r.fix);
    return status;
}
