/* Carrying out commands through Control: at once, or by something that is begun and waited for. */
#include "service/federate/federate_tasks.h"

#include "service/federate/federate_state.h"

/* Longer silence looks like an outage to the core. */
enum { HEARTBEAT_MAX_S = 90 };

Status task_configure(Federate *f, const JsonValue *config, Buf *out, Err *err)
{
    const Control *c = f->o.control;
    int64_t seconds = 0;
    bool beats = json_int64(json_member(config, STR("heartbeat_interval")), &seconds);
    if (beats && seconds > HEARTBEAT_MAX_S) {
        (void)err_set(err, ERR_USAGE, "heartbeat_interval: %lld s is too long", (long long)seconds);
        return err_hint(err, "at most %d: the core takes a neuron for dead after 120 s",
                        HEARTBEAT_MAX_S);
    }
    TRY(c->config_update(c->arg, config ? config->text : STR("{}"), out, err));
    if (beats && seconds > 0) {
        f->heartbeat_us = seconds * 1000000;
        f->o.report_us = f->heartbeat_us;
        f->due.beat_ns = f->due.beat_slot_ns = clock_mono_ns();
    }
    return OK;
}

static Status update(Federate *f, const JsonValue *data, Buf *out, Err *err)
{
    const JsonValue *inner = json_member(data, STR("config"));
    return task_configure(f, inner && inner->kind == JSON_OBJECT ? inner : data, out, err);
}

/* ---- beginning ---- */

static Status begin_run(const Control *c, Str name, Buf *waits, Buf *out, Err *err)
{
    char id[40] = "";
    TRY(c->runs.start(c->arg, name, STR("federation"), id, out, err));
    return buf_printf(waits, err, "%srun:%s", waits->len ? "," : "", id);
}

static Status begin_check(const Control *c, Str name, Buf *waits, Buf *out, Err *err)
{
    char id[40] = "";
    TRY(c->quality.check(c->arg, name, STR("federation"), id, out, err));
    return buf_printf(waits, err, "%scheck:%s", waits->len ? "," : "", id);
}

static Status begin_all_runs(const Control *c, Buf *waits, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(FEDERATE_JSON_MAX);
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    JsonValue *root = NULL;
    Status status = c->pipelines.list(c->arg, &text, err);
    if (status == OK) status = json_parse(buf_str(&text), &arena, &root, err);
    const JsonValue *list = status == OK ? json_member(root, STR("pipelines")) : NULL;
    for (const JsonValue *at = list ? list->first : NULL; at && status == OK; at = at->next) {
        buf_clear(out);
        status = begin_run(c, json_member_text(at, STR("name"), STR_NULL), waits, out, err);
    }
    arena_done(&arena);
    if (status != OK || waits->len) return status;
    return err_set(err, ERR_USAGE, "this neuron has no pipelines");
}

static Status run_task(const Control *c, const JsonValue *data, Buf *waits, Buf *out, Err *err)
{
    Str type =
        json_member_text(data, STR("task_type"), json_member_text(data, STR("task"), STR_NULL));
    Str name = json_member_text(data, STR("name"), STR_NULL);
    bool process = str_eq(type, STR("data_processing")) || str_eq(type, STR("batch_processing"));
    if (process && !name.len) return begin_all_runs(c, waits, out, err);
    if (process || (str_eq(type, STR("pipeline")) && name.len)) {
        return begin_run(c, name, waits, out, err);
    }
    if (str_eq(type, STR("check")) && name.len) return begin_check(c, name, waits, out, err);
    (void)err_set(err, ERR_USAGE, "run_task: the task \"%.*s\" can't be run here", STR_ARG(type));
    return err_hint(err, "task_type is pipeline or check with a name, or data_processing for all"
                         " pipelines");
}

static Status start(Federate *f, Str type, const JsonValue *data, Buf *waits, Buf *out, Err *err)
{
    const Control *c = f->o.control;
    Health health = HEALTH_HEALTHY;
    if (str_eq(type, STR("health_check"))) return c->health(c->arg, true, &health, out, err);
    if (str_eq(type, STR("config_update"))) return update(f, data, out, err);
    if (str_eq(type, STR("run_task"))) return run_task(c, data, waits, out, err);
    if (str_eq(type, STR("stop"))) return buf_append(out, STR("{\"stopped\":true}"), err);
    if (str_eq(type, STR("restart"))) return buf_append(out, STR("{\"restarting\":true}"), err);
    return err_set(err, ERR_USAGE, "Unknown command type: %.*s", STR_ARG(type));
}

Status task_start(Federate *f, Str type, Str body, Buf *waits, Buf *out, Err *err)
{
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    JsonValue *data = NULL;
    Status status = json_parse(body, &arena, &data, err);
    if (status == OK) status = start(f, type, data, waits, out, err);
    arena_done(&arena);
    return status;
}

/* ---- waiting ---- */

typedef struct Look {
    bool done, unknown, many;
    JsonWriter w;
    Err *why;
} Look;

/* A run is good when it succeeded, a check when it could run, whatever its verdict. */
static void judge(Look *look, const JsonValue *thing, bool is_run)
{
    bool good = str_eq(json_member_text(thing, STR("status"), STR_NULL), STR("success"));
    if (good || look->why->message[0]) return;
    const JsonValue *result = is_run ? json_member(thing, STR("result")) : thing;
    const JsonValue *error = json_member(result, STR("error"));
    Str what = json_member_text(
        error, STR("what"), is_run ? STR("the run did not succeed") : STR("the check did not run"));
    Str hint = json_member_text(error, STR("hint"), STR_NULL);
    (void)err_set(look->why, ERR_INTERNAL, "%.*s", STR_ARG(what));
    if (hint.len) (void)err_hint(look->why, "%.*s", STR_ARG(hint));
}

static Status look_at(const Control *c, Str wait, Look *look, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    JsonValue *thing = NULL;
    Err why = {0};
    bool is_check = str_starts(wait, STR("check:"));
    int64_t colon = str_find_char(wait, ':'); /* older journals have bare ids of runs */
    Str id = str_slice(wait, colon + 1, wait.len);
    Status status = is_check ? c->quality.check_get(c->arg, id, &out, &why)
                             : c->runs.get(c->arg, id, &out, &why);
    if (status == OK) status = json_parse(buf_str(&out), &arena, &thing, &why);
    if (status == OK) {
        const JsonValue *ended = json_member(thing, STR("finished_at"));
        look->done = look->done && ended && ended->kind == JSON_STRING;
        if (look->done) judge(look, thing, !is_check);
        body_value(&look->w, thing);
    } else if (why.kind == ERR_NOT_FOUND) {
        look->unknown = look->unknown || is_check;
        if (!is_check) *look->why = why;
        json_write_null(&look->w);
        status = OK;
    }
    if (status != OK && err) *err = why;
    arena_done(&arena);
    return status;
}

Status task_look(const Federate *f, Str waits, bool *ret_done, bool *ret_unknown, Buf *out,
                 Err *why, Err *err)
{
    Look look = {.done = true, .many = str_find_char(waits, ',') >= 0, .why = why};
    Str rest = waits, wait = STR_NULL;
    look.w = json_writer_make(out, err);
    if (look.many) json_array_begin(&look.w);
    while (str_next_part(&rest, ',', &wait)) TRY(look_at(f->o.control, wait, &look, err));
    if (look.many) json_array_end(&look.w);
    *ret_done = look.done;
    *ret_unknown = look.unknown;
    return json_writer_end(&look.w);
}
