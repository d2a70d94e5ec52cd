/* A replay that was ended in its midst: which of its rows were published. */
#include <stdlib.h>

#include "foundation/base/mem.h"
#include "foundation/codec/json_tree.h"
#include "work/reject/replay_rows.h"

enum { BEGUN_MAX = INT32_MAX };

typedef struct Range {
    int64_t part, from, to;
} Range;

/* What was begun, of the steps whose run was published. */
typedef struct Begun {
    const Replay *replay;
    Str run, cause;
    bool published[REPLAY_STAGES_MAX + 1]; /* by step */
    Range *ranges;                         /* ascending */
    int64_t count, capacity;
} Begun;

/* ---- reading what was kept ---- */

static Status add_range(Begun *b, const JsonValue *place, Err *err)
{
    Range range = {0};
    if (b->count == b->capacity) {
        int64_t capacity = b->capacity ? b->capacity * 2 : 64;
        Range *ranges = mem_realloc(b->ranges, capacity * (int64_t)sizeof *ranges);
        if (!ranges) return err_memory(err);
        b->ranges = ranges;
        b->capacity = capacity;
    }
    (void)json_int64(json_element(place, 0), &range.part);
    (void)json_int64(json_element(place, 1), &range.from);
    (void)json_int64(json_element(place, 2), &range.to);
    b->ranges[b->count++] = range;
    return OK;
}

/* What a run that was not published refused is in its place already, before the rows: an empty try
 * of the same run takes it away. `places` NULL: it was not published. */
static Status settle_stage(Begun *b, int64_t step, Str run, const JsonValue *places, Err *err)
{
    bool dry = b->replay->dry_run;
    if (!places) return dry ? OK : replay_forget(b->replay, run, STR_NULL, err);
    if (step < 0 || step > REPLAY_STAGES_MAX) return OK;
    b->published[step] = true;
    if (!b->replay->place->ordered) {
        return dry ? OK : replay_forget(b->replay, STR_NULL, places->text, err);
    }
    for (const JsonValue *at = places->first; at; at = at->next) TRY(add_range(b, at, err));
    return OK;
}

static Status take_stage(Begun *b, const JsonValue *stage, Err *err)
{
    const RefusedEnv *env = b->replay->env;
    Arena arena = arena_make(1 << 20);
    PipelineConfig p;
    PipelineEnv pipeline_env = {.budget = env->budget, .cancelled = env->stop};
    const JsonValue *places = json_member(stage, STR("places"));
    Str run = STR_NULL;
    int64_t step = -1;
    bool published = false;
    (void)json_int64(json_member(stage, STR("step")), &step);
    Status status = replay_pipeline(b->replay->place, &arena, &p, err);
    if (status == OK) {
        status = arena_printf(&arena, &run, err, "%.*s-%lld", STR_ARG(b->run), (long long)step);
    }
    if (status == OK) status = pipeline_published(&p, run, &pipeline_env, &published, err);
    if (status == OK) status = settle_stage(b, step, run, published ? places : NULL, err);
    arena_done(&arena);
    return status;
}

static int compare_ranges(const void *a, const void *b)
{
    const Range *left = a, *right = b;
    if (left->part != right->part) return left->part < right->part ? -1 : 1;
    return left->from < right->from ? -1 : left->from > right->from;
}

/* ---- marking ---- */

/* The last range that begins at the row or before it; NULL: none of its part. */
static const Range *range_at(const Begun *b, const Refused *refused)
{
    int64_t low = 0, high = b->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const Range *range = &b->ranges[middle];
        bool behind = range->part > refused->part ||
                      (range->part == refused->part && range->from > refused->ordinal);
        if (behind) high = middle;
        else low = middle + 1;
    }
    const Range *found = low > 0 ? &b->ranges[low - 1] : NULL;
    return found && found->part == refused->part ? found : NULL;
}

static bool was_behind_all(const Begun *b, const Refused *refused)
{
    for (int64_t i = b->count - 1; i >= 0; i--) {
        if (b->ranges[i].part == refused->part) return refused->ordinal >= b->ranges[i].to;
    }
    return true;
}

/* As the replay would have marked it: what it gave back, and what it looked at and left. */
static Status visit(void *arg, const Refused *refused, Err *err)
{
    const Begun *b = arg;
    Causes *causes = b->replay->causes;
    Cause *cause = NULL;
    int32_t step = replay_first_step(b->replay->place->pipeline, refused->stage);
    bool looked = !b->cause.len || str_eq(b->cause, str_from(refused->cause));
    if (!looked || step > REPLAY_STAGES_MAX || !b->published[step]) return OK;
    const Range *range = range_at(b, refused);
    bool given = range && refused->ordinal < range->to;
    if (!given && was_behind_all(b, refused)) return OK;
    TRY(causes_find(causes, refused, &cause, err));
    if (!cause || (!given && cause_is_replayed(cause, refused))) return OK;
    return cause_mark(causes, cause, refused, !given, err);
}

static Status finish(Begun *b, Arena *arena, Err *err)
{
    const Replay *replay = b->replay;
    JsonValue *root = NULL;
    TRY(json_parse(replay->begun, arena, &root, err));
    b->run = json_member_text(root, STR("run"), STR(""));
    b->cause = json_member_text(root, STR("cause"), STR(""));
    const JsonValue *stages = json_member(root, STR("stages"));
    for (const JsonValue *at = stages ? stages->first : NULL; at; at = at->next) {
        TRY(take_stage(b, at, err));
    }
    if (b->count > 0) {
        qsort(b->ranges, (size_t)b->count, sizeof *b->ranges, compare_ranges);
        TRY(refused_read(replay->place, replay->env, visit, b, err));
    }
    if (replay->dry_run) return OK;
    if (replay->keep) TRY(replay->keep(replay->keep_arg, err));
    return replay->begin ? replay->begin(replay->keep_arg, STR_NULL, err) : OK;
}

Status replay_rows_finish(const Replay *replay, Err *err)
{
    if (!replay->begun.len) return OK;
    Arena arena = arena_make(BEGUN_MAX);
    Begun begun = {.replay = replay};
    Status status = finish(&begun, &arena, err);
    mem_free(begun.ranges);
    arena_done(&arena);
    if (status == OK) return OK;
    return err_prefix(err, "what the last replay had begun can't be finished: ");
}
