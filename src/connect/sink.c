/* Sinks: dispatch to the connector, with the defaults for what it does not offer; plan and state.
 */
#include "connect/sink.h"

#include <assert.h>
#include <stdio.h>

enum { SINK_PLAN_BYTES_MAX = 16 << 20 };

void sink_plan_done(SinkPlan *plan)
{
    arena_done(&plan->arena);
    *plan = (SinkPlan){0};
}

Status sink_replayed_gone(Err *err)
{
    (void)err_set(err, ERR_FENCED, "rows to be replayed are not in their table any more");
    return err_hint(err, "another replay took them meanwhile; nothing was loaded, replay again");
}

static Status list_add(Arena *arena, Str **list, int32_t *count, Str text, Err *err)
{
    Str *items = ARENA_ARRAY(arena, Str, *count + 1);
    if (!items) return err_memory(err);
    if (*count > 0) memcpy(items, *list, (size_t)*count * sizeof *items);
    items[*count] = text;
    *list = items;
    (*count)++;
    return OK;
}

static PRINTF_LIKE(4, 0) Status
    plan_format(Arena *arena, Str *ret_text, Err *err, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0) return err_set(err, ERR_INTERNAL, "a text of the plan cannot be written");
    char *text = arena_alloc(arena, (int64_t)len + 1);
    if (!text) return err_memory(err);
    (void)vsnprintf(text, (size_t)len + 1, format, args);
    *ret_text = str_make(text, len);
    return OK;
}

Status sink_plan_add(SinkPlan *plan, SinkPlanPart part, Err *err, const char *format, ...)
{
    Str text = STR_NULL;
    va_list args;
    va_start(args, format);
    Status status = plan_format(&plan->arena, &text, err, format, args);
    va_end(args);
    TRY(status);
    switch (part) {
    case PLAN_SQL:
        return list_add(&plan->arena, &plan->sql, &plan->sql_count, text, err);
    case PLAN_DDL:
        return list_add(&plan->arena, &plan->ddl, &plan->ddl_count, text, err);
    case PLAN_TYPE:
        return list_add(&plan->arena, &plan->types, &plan->type_count, text, err);
    case PLAN_LOCK:
        return list_add(&plan->arena, &plan->locks, &plan->lock_count, text, err);
    case PLAN_WARNING:
        return list_add(&plan->arena, &plan->warnings, &plan->warning_count, text, err);
    }
    return OK;
}

void load_state_init(LoadState *state)
{
    *state = (LoadState){0};
    position_init(&state->position);
}

void load_state_done(LoadState *state)
{
    position_done(&state->position);
    *state = (LoadState){0};
}

Status sink_describe(Sink *sink, const Schema *schema, SinkPlan *ret_plan, Err *err)
{
    SinkPlan plan = {0};
    plan.arena = arena_make(SINK_PLAN_BYTES_MAX);
    if (sink->ops->describe(sink, schema, &plan, err) != OK) {
        sink_plan_done(&plan);
        return FAIL;
    }
    *ret_plan = plan;
    return OK;
}

Status sink_takes(Sink *sink, const Schema *schema, Str wire, bool *ret_takes, Err *err)
{
    *ret_takes = false;
    if (wire.len == 0 || !sink->ops->takes) return OK;
    return sink->ops->takes(sink, schema, wire, ret_takes, err);
}

Status sink_state(Sink *sink, LoadState *ret_state, Err *err)
{
    LoadState state;
    load_state_init(&state);
    if (sink->ops->state && sink->ops->state(sink, &state, err) != OK) {
        load_state_done(&state);
        return FAIL;
    }
    *ret_state = state;
    return OK;
}

Status sink_state_set(Sink *sink, const Position *position, Err *err)
{
    if (sink->ops->state_set) return sink->ops->state_set(sink, position, err);
    (void)err_set(err, ERR_CONFIG, "%.*s: keeps no watermark", STR_ARG(sink->req->location->text));
    return err_hint(err, "only databases and appended files keep the state of a pipeline");
}

bool sink_keeps_parts(const Sink *sink)
{
    return sink->ops->take && sink->req->topic.len > 0;
}

Status sink_take(Sink *sink, const int32_t *parts, int32_t count, Position *ret_from,
                 bool *ret_taken, Err *err)
{
    for (int32_t i = 0; i < count; i++) TRY(position_put(ret_from, parts[i], -1, err));
    *ret_taken = true;
    if (!sink_keeps_parts(sink) || count == 0) return OK;
    return sink->ops->take(sink, parts, count, ret_from, ret_taken, err);
}

bool sink_holds(const Sink *sink, int32_t part)
{
    return !sink_keeps_parts(sink) || sink->ops->holds(sink, part);
}

Status sink_claim(Sink *sink, const Position *position, const SinkRun *run, bool *ret_held,
                  Err *err)
{
    *ret_held = true;
    return sink_keeps_parts(sink) ? sink->ops->claim(sink, position, run, ret_held, err) : OK;
}

Status sink_open(Sink *sink, Str run_id, int64_t epoch, Err *err)
{
    assert(sink->phase == SINK_NEW);
    TRY(sink->ops->open(sink, run_id, epoch, err));
    sink->phase = SINK_IDLE;
    return OK;
}

Status sink_port(Sink *sink, SinkPortKind kind, Str name, const Schema *schema, int32_t *ret_port,
                 Err *err)
{
    assert(sink->phase == SINK_IDLE);
    return sink->ops->port(sink, kind, name, schema, ret_port, err);
}

Status sink_begin(Sink *sink, int64_t cycle, Err *err)
{
    assert(sink->phase == SINK_IDLE);
    if (sink->ops->begin) TRY(sink->ops->begin(sink, cycle, err));
    sink->phase = SINK_WRITING;
    return OK;
}

Status sink_write(Sink *sink, int32_t port, Batch *batch, RejectWriter *rejects, Err *err)
{
    assert(sink->phase == SINK_WRITING || sink->phase == SINK_APPLIED);
    return sink->ops->write(sink, port, batch, rejects, err);
}

Status sink_apply(Sink *sink, RejectWriter *rejects, SinkCounts *ret_counts, Err *err)
{
    assert(sink->phase == SINK_WRITING);
    TRY(sink->ops->apply(sink, rejects, ret_counts, err));
    sink->phase = SINK_APPLIED;
    return OK;
}

Status sink_commit(Sink *sink, const Position *position, const SinkRun *run,
                   CommitResult *ret_result, Err *err)
{
    assert(sink->phase == SINK_APPLIED);
    TRY(sink->ops->commit(sink, position, run, ret_result, err));
    bool ended = *ret_result != COMMIT_AGAIN && *ret_result != COMMIT_FENCED;
    if (ended) sink->phase = SINK_IDLE; /* the others are undone by an abort */
    return OK;
}

Status sink_outcome(Sink *sink, Str run_id, int64_t cycle, Outcome *ret_outcome,
                    SinkCounts *ret_counts, Err *err)
{
    if (sink->ops->outcome) {
        return sink->ops->outcome(sink, run_id, cycle, ret_outcome, ret_counts, err);
    }
    *ret_outcome = OUTCOME_UNKNOWN;
    *ret_counts = (SinkCounts){0};
    return OK;
}

Status sink_rejects_settle(Sink *sink, const RejectsAsk *ask, Err *err)
{
    return sink->ops->rejects_settle ? sink->ops->rejects_settle(sink, ask, err) : OK;
}

Status sink_abort(Sink *sink, Err *err)
{
    if (sink->phase != SINK_NEW) sink->phase = SINK_IDLE;
    return sink->ops->abort ? sink->ops->abort(sink, err) : OK;
}

void sink_cancel(Sink *sink)
{
    if (sink->ops->cancel) sink->ops->cancel(sink);
}

void sink_close(Sink *sink)
{
    if (sink) sink->ops->close(sink);
}
