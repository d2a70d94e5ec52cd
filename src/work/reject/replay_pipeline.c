/* A pipeline as its replays see it: from which step, under which name, and what leaves its tables.
 */
#include "foundation/base/number.h"
#include "work/reject/replay_rows.h"

/* "2. where" failed: from it on. "read": from the first. "write": none. */
int32_t replay_first_step(const PipelineConfig *p, Str stage)
{
    int64_t number = 0, dot = str_find_char(stage, '.');
    bool numbered = dot > 0 && number_parse_int64(str_slice(stage, 0, dot), &number) == NUMBER_OK;
    if (numbered && number >= 1 && number <= p->step_count) return (int32_t)number - 1;
    return str_eq(stage, STR("read")) ? 0 : p->step_count;
}

Status replay_pipeline(const RefusedPlace *place, Arena *arena, PipelineConfig *p, Err *err)
{
    *p = *place->pipeline;
    p->from_table = p->query = STR_NULL;
    p->param_count = 0;
    p->incremental = (Incremental){0};
    if (p->mode == SINK_REPLACE || p->mode == SINK_MIRROR) {
        p->mode = p->target.key_count ? SINK_UPSERT : SINK_APPEND;
    }
    /* A file belongs to one name, the pipeline's own; it takes what has none. */
    if (p->to.kind != LOCATION_FILE)
        return arena_printf(arena, &p->name, err, "%.*s.rejects", STR_ARG(p->name));
    p->name = STR_NULL;
    return OK;
}

Status replay_forget(const Replay *replay, Str run_id, Str places, Err *err)
{
    const RefusedPlace *place = replay->place;
    Str table = place->pipeline ? place->pipeline->reject.table : place->table;
    PipelineEnv env = {.cancelled = replay->env->stop};
    return rejects_forget(place->location, table, run_id, places, &env, err);
}
