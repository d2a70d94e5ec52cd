/* Commands: journal, acknowledge, carry out through Control, complete; stop only after that. */
#include "service/federate/federate_impl.h"

/* One open command, copied out of the store. */
typedef struct Order {
    struct Order *next;
    Str id, type, status, body, result;
} Order;

typedef struct Orders {
    Arena arena;
    Order *first, *last;
} Orders;

/* ---- fetch ---- */

static void keep_command(Federate *f, const JsonValue *command)
{
    Err err = {0};
    bool is_new = false;
    Str id = json_member_text(command, STR("commandId"), STR_NULL);
    const JsonValue *data = json_member(command, STR("commandData"));
    CLEANUP(buf_done) Buf quoted = buf_make(FEDERATE_JSON_MAX);
    if (!id.len) return;
    Str body = data ? data->text : STR("{}");
    if (data && data->kind == JSON_STRING && json_put_text(&quoted, data->text, &err) == OK) {
        body = buf_str(&quoted);
    }
    StateCommand kept = {.id = id,
                         .type = json_member_text(command, STR("commandType"), STR("")),
                         .status = STR("received"),
                         .body = body,
                         .at_us = clock_now_us(),
                         .open = true};
    if (state_command_put(f->o.store, &kept, &is_new, &err) != OK) {
        LOG_ERR(LOG_ERROR, "federation", "a command can't be kept, so it is not taken", &err);
        return;
    }
    if (is_new) {
        LOG(LOG_INFO, "federation", "command received", log_text("id", id),
            log_text("type", kept.type));
    }
    f->commands_open = true;
}

void federate_poll(Federate *f)
{
    Arena arena = arena_make(32 << 20);
    const JsonValue *list = NULL;
    Call call = {.operation = "commands",
                 .method = "GET",
                 .path = STR("/api/api-neurons/commands/pending"),
                 .status = 200};
    if (federate_call(f, &call, &arena, &list) == CALL_OK && list && list->kind == JSON_ARRAY) {
        for (const JsonValue *at = list->first; at; at = at->next) keep_command(f, at);
    }
    arena_done(&arena);
}

/* ---- carry out ---- */

static void set_status(Federate *f, Order *order, Str status, Str result, bool open)
{
    Err err = {0};
    order->status = status;
    order->result = result;
    if (state_command_status(f->o.store, order->id, status, result, open, &err) != OK) {
        LOG_ERR(LOG_ERROR, "federation", "the journal of commands fails", &err);
    }
}

/* The body of `complete`, kept until it is delivered. */
static void settle(Federate *f, Orders *orders, Order *order, Str response, const Err *why)
{
    Err err = {0};
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    JsonWriter w = json_writer_make(&out, &err);
    json_object_begin(&w);
    json_key(&w, "success");
    json_write_bool(&w, why == NULL);
    json_key(&w, "response");
    /* The core takes no more than 100 KB. */
    bool fits = response.len && response.len < FEDERATE_BODY_MAX / 2;
    json_write_raw(&w, fits ? response : STR("null"));
    json_key(&w, "errorMessage");
    json_write_text_or_null(&w, why ? str_from(why->message) : STR_NULL);
    json_object_end(&w);
    Str text = STR_NULL;
    if (json_writer_end(&w) != OK || arena_copy(&orders->arena, buf_str(&out), &text, &err) != OK) {
        text = STR("{\"success\":false,\"response\":null,\"errorMessage\":\"out of memory\"}");
    }
    set_status(f, order, STR("done"), text, true);
}

static Status run_task(Federate *f, const JsonValue *data, char run_id[40], Buf *out, Err *err)
{
    const Control *c = f->o.control;
    Str type =
        json_member_text(data, STR("task_type"), json_member_text(data, STR("task"), STR_NULL));
    Str name = json_member_text(data, STR("name"), STR_NULL);
    if (str_eq(type, STR("pipeline"))) {
        return c->run_start(c->arg, name, STR("federation"), run_id, out, err);
    }
    if (str_eq(type, STR("check")) && c->quality_check) {
        return c->quality_check(c->arg, name, STR("federation"), out, err);
    }
    return err_set(err, ERR_USAGE, "run_task needs task_type pipeline or check, and a name");
}

static Status update(Federate *f, const JsonValue *data, Buf *out, Err *err)
{
    const Control *c = f->o.control;
    const JsonValue *inner = json_member(data, STR("config"));
    const JsonValue *config = inner && inner->kind == JSON_OBJECT ? inner : data;
    int64_t seconds = 0;
    bool beats = json_int64(json_member(config, STR("heartbeat_interval")), &seconds);
    if (beats && seconds > 90) {
        return err_set(err, ERR_USAGE, "heartbeat_interval past 90 s would look like an outage");
    }
    TRY(c->config_update(c->arg, config ? config->text : STR("{}"), out, err));
    if (beats && seconds > 0) {
        f->heartbeat_us = seconds * 1000000;
        f->beat_ns = f->beat_due_ns = clock_mono_ns();
    }
    return OK;
}

static bool is_end(const Order *order)
{
    return str_eq(order->type, STR("stop")) || str_eq(order->type, STR("restart"));
}

static Status execute(Federate *f, const Order *order, Arena *arena, char run_id[40], Buf *out,
                      Err *err)
{
    const Control *c = f->o.control;
    JsonValue *data = NULL;
    Health health = HEALTH_HEALTHY;
    TRY(json_parse(order->body, arena, &data, err));
    if (str_eq(order->type, STR("health_check"))) return c->health(c->arg, true, &health, out, err);
    if (str_eq(order->type, STR("config_update"))) return update(f, data, out, err);
    if (str_eq(order->type, STR("run_task"))) return run_task(f, data, run_id, out, err);
    if (str_eq(order->type, STR("stop"))) {
        return buf_append(out, STR("{\"stopped\":true}"), err);
    }
    if (is_end(order)) return buf_append(out, STR("{\"restarting\":true}"), err);
    return err_set(err, ERR_USAGE, "Unknown command type: %.*s", STR_ARG(order->type));
}

static void start(Federate *f, Orders *orders, Order *order)
{
    Err err = {0};
    char run_id[40] = "";
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    set_status(f, order, STR("running"), STR_NULL, true);
    Status status = execute(f, order, &orders->arena, run_id, &out, &err);
    Str kept = STR_NULL;
    if (status == OK && run_id[0] &&
        arena_copy(&orders->arena, str_from(run_id), &kept, &err) == OK) {
        set_status(f, order, STR("waiting"), kept, true);
        return;
    }
    settle(f, orders, order, buf_str(&out), status == OK ? NULL : &err);
}

/* A run that was started: complete when it has ended, over restarts too. */
static void look(Federate *f, Orders *orders, Order *order)
{
    Err err = {0};
    JsonValue *run = NULL;
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    const Control *c = f->o.control;
    if (c->run_get(c->arg, order->result, &out, &err) != OK) {
        if (err.kind == ERR_NOT_FOUND) settle(f, orders, order, STR_NULL, &err);
        return;
    }
    if (json_parse(buf_str(&out), &orders->arena, &run, &err) != OK) return;
    const JsonValue *ended = json_member(run, STR("finished_at"));
    if (!ended || ended->kind != JSON_STRING) return;
    bool good = str_eq(json_member_text(run, STR("status"), STR_NULL), STR("success"));
    const JsonValue *error = json_member(json_member(run, STR("result")), STR("error"));
    Str what = json_member_text(error, STR("what"), STR("the run did not succeed"));
    (void)err_set(&err, ERR_INTERNAL, "%.*s", STR_ARG(what));
    settle(f, orders, order, buf_str(&out), good ? NULL : &err);
}

/* ---- tell the core ---- */

static Outcome tell(Federate *f, const Order *order, const char *verb, Str body)
{
    Arena arena = arena_make(8 << 20);
    CLEANUP(buf_done) Buf path = buf_make(4096);
    Outcome outcome = CALL_DOWN;
    if (buf_append(&path, STR("/api/api-neurons/commands/"), NULL) == OK &&
        http_escape(&path, order->id, NULL) == OK && buf_printf(&path, NULL, "/%s", verb) == OK) {
        Call call = {.operation = verb,
                     .method = "POST",
                     .path = buf_str(&path),
                     .body = body,
                     .status = 200,
                     .needed = "commandId",
                     .kind = JSON_STRING};
        outcome = federate_call(f, &call, &arena, NULL);
    }
    arena_done(&arena);
    return outcome;
}

static void acknowledge(Federate *f, Order *order)
{
    Outcome outcome = tell(f, order, "acknowledge", STR("{}"));
    if (outcome == CALL_OK) set_status(f, order, STR("acknowledged"), STR_NULL, true);
    if (outcome == CALL_GONE) set_status(f, order, STR("unknown"), STR_NULL, false);
}

static void complete(Federate *f, Order *order)
{
    Outcome outcome = tell(f, order, "complete", order->result);
    if (outcome != CALL_OK && outcome != CALL_GONE && outcome != CALL_REFUSED) return;
    set_status(f, order, STR("closed"), order->result, false);
    LOG(LOG_INFO, "federation", "command completed", log_text("id", order->id),
        log_text("type", order->type));
    if (!is_end(order)) return;
    const Control *c = f->o.control;
    bool stops = str_eq(order->type, STR("stop"));
    (void)(stops ? c->stop : c->restart)(c->arg, STR("federation"), NULL);
}

static void step(Federate *f, Orders *orders, Order *order)
{
    Err err = {0};
    if (str_eq(order->status, STR("received"))) acknowledge(f, order);
    if (str_eq(order->status, STR("running"))) {
        (void)err_set(&err, ERR_INTERNAL, "interrupted by restart");
        settle(f, orders, order, STR_NULL, &err);
    }
    if (str_eq(order->status, STR("acknowledged"))) start(f, orders, order);
    if (str_eq(order->status, STR("waiting"))) look(f, orders, order);
    if (str_eq(order->status, STR("done"))) complete(f, order);
}

static Status collect(void *arg, const StateCommand *c, Err *err)
{
    Orders *orders = arg;
    Order *order = ARENA_NEW(&orders->arena, Order);
    if (!order) return err_memory(err);
    TRY(arena_copy(&orders->arena, c->id, &order->id, err));
    TRY(arena_copy(&orders->arena, c->type, &order->type, err));
    TRY(arena_copy(&orders->arena, c->status, &order->status, err));
    TRY(arena_copy(&orders->arena, c->body, &order->body, err));
    TRY(arena_copy(&orders->arena, c->result, &order->result, err));
    if (orders->last) orders->last->next = order;
    else orders->first = order;
    orders->last = order;
    return OK;
}

void federate_commands(Federate *f)
{
    Err err = {0};
    Orders orders = {.arena = arena_make(64 << 20)};
    if (state_command_list(f->o.store, collect, &orders, &err) != OK) {
        LOG_ERR(LOG_ERROR, "federation", "the journal of commands can't be read", &err);
    }
    f->commands_open = orders.first != NULL;
    for (Order *o = orders.first; o && !atomic_load(&f->stop); o = o->next) {
        step(f, &orders, o);
        if (!f->up) break; /* in order, and not one timeout after another */
    }
    arena_done(&orders.arena);
}
