/* Commands, each on its way by itself: journal, acknowledge, carry out, complete. */
#include "service/federate/federate_commands.h"

#include <stdio.h>

#include "foundation/base/mem.h"
#include "service/federate/federate_state.h"
#include "service/federate/federate_tasks.h"

#define LOOK_NS (FEDERATE_S_NS / 2)
#define POLL_PAUSE_MAX_NS (300 * FEDERATE_S_NS)
enum {
    SAME_ERRORS_SLIM = 3, /* identical 500s after which the result is left out */
    SAME_ERRORS_MAX = 6,  /* after which a command is given up */
    RESPONSE_MAX = FEDERATE_BODY_MAX / 2,
    ORDER_BYTES = 64 << 20
};

/*  RECEIVED -> ACKNOWLEDGED -> RUNNING -> DONE -> CLOSED
 *                                 |         ^
 *                                 +-> WAITING (for a run or a check)
 *
 * Each step is in the journal before it is acted on. A command that was RUNNING when the neuron was
 * cut off is DONE as failed; WAITING ones go on over restarts. */
typedef enum OrderStep {
    ORDER_RECEIVED,
    ORDER_ACKNOWLEDGED,
    ORDER_RUNNING,
    ORDER_WAITING,
    ORDER_DONE,
    ORDER_CLOSED
} OrderStep;

static const char *const STEPS[] = {"received", "acknowledged", "running",
                                    "waiting",  "done",         "closed"};

typedef struct Order {
    struct Order *next;
    Arena arena;
    Str id, type, body;
    Str result; /* WAITING: what for; DONE: the body of `complete` */
    OrderStep step;
    bool slim;                      /* the result was left out already */
    int32_t failures, same;         /* in a row; identical 500s among them */
    int64_t due_ns, failing_ns;     /* not before; since when it fails */
    char answer[FEDERATE_TEXT_MAX]; /* of the last failure */
} Order;

struct Orders {
    Order *first, *last;
};

/* ---- the list ---- */

static void order_free(Order *order)
{
    if (!order) return;
    Arena arena = order->arena;
    mem_free(order);
    arena_done(&arena);
}

static Status order_add(Federate *f, const StateCommand *c, Err *err)
{
    Order *order = mem_zalloc((int64_t)sizeof *order);
    if (!order) return err_memory(err);
    order->arena = arena_make(ORDER_BYTES);
    const struct {
        Str from, *to;
    } TEXTS[] = {{c->id, &order->id},
                 {c->type, &order->type},
                 {c->body, &order->body},
                 {c->result, &order->result}};
    for (int32_t i = 0; i < COUNT_OF(TEXTS); i++) {
        if (arena_copy(&order->arena, TEXTS[i].from, TEXTS[i].to, err) == OK) continue;
        order_free(order);
        return FAIL;
    }
    for (int32_t i = 0; i < COUNT_OF(STEPS); i++) {
        if (str_eq(c->status, str_from(STEPS[i]))) order->step = (OrderStep)i;
    }
    if (f->orders->last) f->orders->last->next = order;
    else f->orders->first = order;
    f->orders->last = order;
    return OK;
}

static void drop_closed(Orders *orders)
{
    Order **at = &orders->first;
    orders->last = NULL;
    while (*at) {
        Order *order = *at;
        if (order->step == ORDER_CLOSED) {
            *at = order->next;
            order_free(order);
        } else {
            orders->last = order;
            at = &order->next;
        }
    }
}

void federate_orders_free(Orders *orders)
{
    if (!orders) return;
    for (Order *order = orders->first, *next; order; order = next) {
        next = order->next;
        order_free(order);
    }
    mem_free(orders);
}

static Status load_order(void *arg, const StateCommand *c, Err *err)
{
    return order_add(arg, c, err);
}

Status federate_orders_load(Federate *f, Err *err)
{
    f->orders = mem_zalloc((int64_t)sizeof *f->orders);
    if (!f->orders) return err_memory(err);
    return state_command_list(f->o.store, load_order, f, err);
}

/* ---- fetch ---- */

static Status keep_command(void *arg, const ReplyCommand *command, Err *err UNUSED)
{
    Federate *f = arg;
    Err why = {0};
    bool is_new = false;
    StateCommand kept = {.id = command->id,
                         .type = command->type,
                         .status = str_from(STEPS[ORDER_RECEIVED]),
                         .body = command->body,
                         .at_us = clock_now_us(),
                         .open = true};
    Status status = state_command_put(f->o.store, &kept, &is_new, &why);
    if (status == OK && !is_new) return OK;
    if (status == OK) status = order_add(f, &kept, &why);
    if (status == OK) {
        LOG(LOG_INFO, "federation", "command received", log_text("id", kept.id),
            log_text("type", kept.type));
    } else {
        LOG_ERR(LOG_ERROR, "federation", "a command can't be kept, so it is not taken", &why);
    }
    return OK;
}

/* While it ends or is not up yet, commands are left to the core: nothing is taken that would not be
 * done. */
static bool takes_commands(const Federate *f)
{
    return !f->ends && f->o.control->ready(f->o.control->arg);
}

void federate_poll(Federate *f)
{
    Err err = {0};
    Answer a;
    int64_t skipped = 0, pause_ns = f->o.poll_us * 1000;
    CLEANUP(buf_done) Buf scratch = buf_make(FEDERATE_JSON_MAX);
    if (!takes_commands(f)) {
        f->due.poll_ns = clock_mono_ns() + LOOK_NS;
        return;
    }
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    Call call = {.operation = OP_COMMANDS};
    federate_call(f, &call, &arena, &a);
    f->failures.poll = a.outcome == CALL_OK ? 0 : f->failures.poll + 1;
    if (a.outcome == CALL_OK &&
        reply_commands(a.data, &scratch, keep_command, f, &skipped, &err) != OK) {
        LOG_ERR(LOG_ERROR, "federation", "commands can't be read", &err);
    }
    if (skipped) {
        LOG(LOG_WARN, "federation", "commands without a usable id or type are passed over",
            log_int("count", skipped));
    }
    arena_done(&arena);
    pause_ns <<= int64_min(int64_max(f->failures.poll - 1, 0), 6);
    f->due.poll_ns =
        clock_mono_ns() + int64_min(pause_ns, int64_max(POLL_PAUSE_MAX_NS, pause_ns >> 6));
}

/* ---- steps ---- */

static void set_step(Federate *f, Order *order, OrderStep step, Str result)
{
    Err err = {0};
    Str kept = STR_NULL;
    if (arena_copy(&order->arena, result, &kept, &err) == OK) {
        order->step = step;
        order->result = kept;
        order->failures = order->same = 0;
        order->due_ns = 0;
    }
    if (err.message[0] || state_command_status(f->o.store, order->id, str_from(STEPS[step]), kept,
                                               step != ORDER_CLOSED, &err) != OK) {
        LOG_ERR(LOG_ERROR, "federation", "the journal of commands fails", &err);
    }
}

static Status complete_body(bool success, Str response, Str message, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "success");
    json_write_bool(&w, success);
    json_key(&w, "response");
    /* The core takes no more than 100 KB. */
    bool fits = response.len && response.len < RESPONSE_MAX;
    json_write_raw(&w, fits ? response : STR("null"));
    json_key(&w, "errorMessage");
    json_write_text_or_null(&w, message);
    json_object_end(&w);
    return json_writer_end(&w);
}

/* The body of `complete`, kept until it is delivered. `why` NULL: it went well. */
static void settle(Federate *f, Order *order, Str response, const Err *why)
{
    Err err = {0};
    char text[ERR_MESSAGE_MAX + ERR_HINT_MAX + 4] = "";
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    if (why) {
        (void)snprintf(text, sizeof text, why->hint[0] ? "%s (%s)" : "%s", why->message, why->hint);
    }
    Str message = why ? str_from(text) : STR_NULL;
    if (complete_body(why == NULL, response, message, &out, &err) == OK) {
        set_step(f, order, ORDER_DONE, buf_str(&out));
        return;
    }
    set_step(f, order, ORDER_DONE,
             STR("{\"success\":false,\"response\":null,\"errorMessage\":\"out of memory\"}"));
}

static void start(Federate *f, Order *order)
{
    Err err = {0};
    CLEANUP(buf_done) Buf waits = buf_make(FEDERATE_JSON_MAX);
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    set_step(f, order, ORDER_RUNNING, STR_NULL);
    Status status = task_start(f, order->type, order->body, &waits, &out, &err);
    if (status == OK && waits.len) set_step(f, order, ORDER_WAITING, buf_str(&waits));
    else settle(f, order, buf_str(&out), status == OK ? NULL : &err);
}

static void look(Federate *f, Order *order)
{
    Err err = {0}, why = {0};
    bool done = false, unknown = false;
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    order->due_ns = clock_mono_ns() + LOOK_NS;
    if (task_look(f, order->result, &done, &unknown, &out, &why, &err) != OK) return;
    /* A check does not outlive the neuron that was to make it: it is made now. */
    if (unknown) set_step(f, order, ORDER_ACKNOWLEDGED, STR_NULL);
    else if (done) settle(f, order, buf_str(&out), why.message[0] ? &why : NULL);
}

/* ---- telling the core ---- */

static void call_step(Federate *f, const Order *order, Operation operation, Str body, Answer *a)
{
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    CLEANUP(buf_done) Buf path = buf_make(4096);
    *a = (Answer){.outcome = CALL_DOWN};
    if (buf_append(&path, STR("/api/api-neurons/commands/"), NULL) == OK &&
        http_escape(&path, order->id, NULL) == OK &&
        buf_printf(&path, NULL, "/%s", operation_form(operation)->name) == OK) {
        Call call = {.operation = operation,
                     .path = buf_str(&path),
                     .body = body,
                     .once = order->failures > 0};
        federate_call(f, &call, &arena, a);
    }
    a->data = NULL;
    arena_done(&arena);
}

/* It failed and is tried again after a while. True where that is of no use: the core takes
 * everything else, and this it answers with the same 500 again and again. */
static bool is_hopeless(Federate *f, Order *order, const Answer *a)
{
    int64_t now_ns = clock_mono_ns();
    bool same = a->outcome == CALL_ERROR && strcmp(order->answer, a->text) == 0;
    if (order->failures++ == 0) order->failing_ns = now_ns;
    order->same = same ? order->same + 1 : a->outcome == CALL_ERROR;
    memcpy(order->answer, a->text, sizeof order->answer);
    order->due_ns = now_ns + federate_pause_ns(order->failures);
    return order->same >= SAME_ERRORS_MAX && f->standing.beat_taken_ns > order->failing_ns;
}

static void give_up(Federate *f, Order *order, const char *verb, const Answer *a)
{
    LOG(LOG_ERROR, "federation", "a command is given up", log_text("id", order->id),
        log_text("type", order->type), log_text("step", str_from(verb)),
        log_int("status", a->status), log_text("answer", str_from(a->text)));
    metrics_add(METRIC_ERRORS, 1, LABELS(STR("federation"), str_from(err_kind_name(ERR_DATA))));
    event_note(&f->events, "command_given_up", "%.*s %.*s: %.120s", STR_ARG(order->type),
               STR_ARG(order->id), a->text);
}

static void acknowledge(Federate *f, Order *order)
{
    Err why = {0};
    Answer a;
    call_step(f, order, OP_ACKNOWLEDGE, STR("{}"), &a);
    if (a.outcome == CALL_OK) {
        set_step(f, order, ORDER_ACKNOWLEDGED, STR_NULL);
    } else if (a.outcome == CALL_GONE) {
        set_step(f, order, ORDER_CLOSED, STR_NULL);
    } else if (a.outcome == CALL_REFUSED || is_hopeless(f, order, &a)) {
        give_up(f, order, "acknowledge", &a);
        (void)err_set(&why, ERR_DATA, "not carried out: it could not be acknowledged (%d: %s)",
                      (int)a.status, a.text);
        settle(f, order, STR_NULL, &why);
    }
}

static bool is_end(const Order *order)
{
    return str_eq(order->type, STR("stop")) || str_eq(order->type, STR("restart"));
}

/* What the core does not take may be in the result: the outcome alone is told. */
static void make_slim(Order *order)
{
    Err err = {0};
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    JsonValue *root = NULL;
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    order->slim = true;
    if (json_parse(order->result, &arena, &root, &err) == OK) {
        const JsonValue *success = json_member(root, STR("success"));
        bool good = json_is_true(success);
        Str message = STR("the federation did not take the result");
        if (complete_body(good, STR_NULL, message, &out, &err) == OK) {
            IGNORE(arena_copy(&order->arena, buf_str(&out), &order->result, &err)); /* as it was */
        }
    }
    arena_done(&arena);
}

/* What was to end has not, and perhaps nobody starts this neuron again. */
static void leave_behind(Federate *f, Order *order)
{
    Err why = {0};
    (void)err_set(&why, ERR_CANCELLED, "the neuron was stopped before this ended");
    (void)err_hint(&why, "it goes on when the neuron is started again");
    settle(f, order, STR_NULL, &why);
}

static void end_neuron(Federate *f, const Order *order)
{
    const Control *c = f->o.control;
    bool stops = str_eq(order->type, STR("stop"));
    f->stopped = stops;
    f->ends = true;
    IGNORE((stops ? c->stop : c->restart)(c->arg, STR("federation"), NULL)); /* never refused */
}

static void complete(Federate *f, Order *order)
{
    Answer a;
    call_step(f, order, OP_COMPLETE, order->result, &a);
    bool good = a.outcome == CALL_OK;
    bool gone = a.outcome == CALL_GONE;
    bool hopeless = !good && !gone && (is_hopeless(f, order, &a) || a.outcome == CALL_REFUSED);
    if (!good && !gone && !hopeless) {
        bool slimmer = order->same >= SAME_ERRORS_SLIM || a.outcome == CALL_LARGE;
        if (slimmer && !order->slim) make_slim(order);
        return;
    }
    if (hopeless) give_up(f, order, "complete", &a);
    set_step(f, order, ORDER_CLOSED, order->result);
    LOG(good ? LOG_INFO : LOG_WARN, "federation",
        good ? "command completed" : "command ended, and the federation does not know it",
        log_text("id", order->id), log_text("type", order->type));
    if (is_end(order)) end_neuron(f, order);
}

/* ---- all ---- */

static void step(Federate *f, Order *order, bool takes)
{
    Err err = {0};
    if (order->step == ORDER_RECEIVED && takes) acknowledge(f, order);
    if (order->step == ORDER_RUNNING) {
        (void)err_set(&err, ERR_INTERNAL, "interrupted by restart");
        settle(f, order, STR_NULL, &err);
    }
    if (order->step == ORDER_ACKNOWLEDGED) start(f, order);
    if (order->step == ORDER_WAITING) look(f, order);
    if (order->step == ORDER_DONE && order->due_ns <= clock_mono_ns()) complete(f, order);
}

int64_t federate_commands(Federate *f)
{
    int64_t next_ns = INT64_MAX;
    bool takes = takes_commands(f);
    for (Order *o = f->orders->first; o && f->standing.member == MEMBER_MEMBER; o = o->next) {
        if (atomic_load(&f->stop)) break;
        bool due = o->due_ns <= clock_mono_ns();
        if (due) step(f, o, takes);
        if (is_end(o)) takes = false; /* what comes after it would not be done */
        if (o->step != ORDER_CLOSED && (takes || is_end(o) || o->step != ORDER_RECEIVED)) {
            next_ns = int64_min(next_ns, o->due_ns);
        }
        if (due && !f->wire.answers) break; /* not one timeout after another */
    }
    drop_closed(f->orders);
    return next_ns;
}

void federate_commands_last(Federate *f)
{
    for (Order *o = f->orders->first; o && f->wire.answers && f->standing.member == MEMBER_MEMBER;
         o = o->next) {
        if (o->step == ORDER_WAITING) look(f, o);
        if (o->step == ORDER_WAITING && f->stopped) leave_behind(f, o);
        if (o->step == ORDER_DONE) complete(f, o);
    }
    drop_closed(f->orders);
}
