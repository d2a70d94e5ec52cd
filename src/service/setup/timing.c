/* When pipelines run: their schedules, and which wait for which. */
#include "service/schedule/schedule.h"
#include "service/setup/sections.h"

static void check_schedule(Configuration *c, const PipelineOptions *o)
{
    Schedule schedule = {0};
    Err why = {0};
    const YamlNode *node = option_node(&o->head, "schedule");
    if (!node || o->when.schedule.len == 0) return;
    if (schedule_parse(o->when.schedule, &schedule, &why) != OK) {
        mistake_add(&c->mistakes, node->line, node->column, str_from(why.hint), "%s", why.message);
    }
    schedule_done(&schedule);
}

static int32_t pipeline_index(const Configuration *c, Str name)
{
    int32_t i = c->pipeline_count - 1;
    while (i >= 0 && !str_eq(c->pipelines[i].name, name)) i--;
    return i;
}

static void check_after(Configuration *c, const PipelineOptions *o)
{
    const YamlNode *node = option_node(&o->head, "after");
    for (int32_t i = 0; node && i < o->when.after.count; i++) {
        Str name = o->when.after.items[i], near = STR_NULL;
        if (pipeline_index(c, name) >= 0) continue;
        for (int32_t k = 0; k < c->pipeline_count && !near.ptr; k++) {
            near = str_nearest(name, &c->pipelines[k].name, 1);
        }
        mistake_add(&c->mistakes, node->line, node->column, near, "no pipeline \"%.*s\"",
                    STR_ARG(name));
    }
}

/* Can `from` be reached from itself? Follows each pipeline once. */
static bool waits_for_itself(const Configuration *c, int32_t from, bool *seen, int32_t *stack)
{
    int32_t depth = 0;
    stack[depth++] = from;
    while (depth > 0) {
        const PipelineOptions *o = c->options.pipelines.items[stack[--depth]];
        for (int32_t i = 0; i < o->when.after.count; i++) {
            int32_t next = pipeline_index(c, o->when.after.items[i]);
            if (next == from) return true;
            if (next < 0 || seen[next]) continue;
            seen[next] = true;
            stack[depth++] = next;
        }
    }
    return false;
}

static Status check_rings(Configuration *c, Err *err)
{
    int32_t count = c->pipeline_count;
    for (int32_t i = 0; i < count; i++) {
        const PipelineOptions *o = c->options.pipelines.items[i];
        const YamlNode *node = option_node(&o->head, "after");
        if (!node || o->when.after.count == 0) continue;
        bool *seen = ARENA_ARRAY(&c->arena, bool, count);
        int32_t *stack = ARENA_ARRAY(&c->arena, int32_t, count + 1);
        if (!seen || !stack) return err_memory(err);
        if (!waits_for_itself(c, i, seen, stack)) continue;
        mistake_add(&c->mistakes, node->line, node->column, STR("take one of them out of `after`"),
                    "the pipeline waits for itself");
    }
    return OK;
}

Status timing_check(Configuration *c, Err *err)
{
    for (int32_t i = 0; i < c->pipeline_count; i++) {
        check_schedule(c, c->options.pipelines.items[i]);
        check_after(c, c->options.pipelines.items[i]);
    }
    return check_rings(c, err);
}
