/* One call to the core: sent, judged, counted; told where it begins or ceases to fail. */
#include "service/federate/federate_call.h"

#include "service/federate/federate_state.h"

#define PAUSE_FIRST_NS (FEDERATE_S_NS / 2)
#define PAUSE_MAX_NS (60 * FEDERATE_S_NS)

int64_t federate_pause_ns(int32_t failures)
{
    return int64_min(PAUSE_FIRST_NS << int64_min(int64_max(failures - 1, 0), 7), PAUSE_MAX_NS);
}

static Status send(Federate *f, const Call *call, HttpReply *reply, Err *err)
{
    const OperationForm *form = operation_form(call->operation);
    CLEANUP(buf_done) Buf url = buf_make(8192);
    CLEANUP(buf_done) Buf bearer = buf_make(16 << 10);
    CLEANUP(buf_done) Buf body = buf_make(FEDERATE_JSON_MAX);
    TRY(buf_append(&url, buf_str(&f->wire.url), err));
    TRY(buf_append(&url, call->path.len ? call->path : str_from(form->path), err));
    TRY(buf_append(&bearer, STR("Authorization: Bearer "), err));
    TRY(buf_append(&bearer, buf_str(&f->wire.token), err));
    if (form->post) TRY(body_clean(call->body, &body, err));
    Str headers[] = {STR("Content-Type: application/json"), buf_str(&bearer)};
    HttpRequest request = {.method = form->post ? "POST" : "GET",
                           .url = buf_str(&url),
                           .body = buf_str(&body),
                           .headers = headers,
                           .header_count = form->open ? 1 : 2,
                           .connect_us = f->wire.timeout_us / 2,
                           .timeout_us = f->wire.timeout_us,
                           .cancelled = &f->cancelled,
                           .once = form->open || call->once};
    return http_client_send(f->wire.client, &request, reply, err);
}

/* Where the caller has better words for it. */
static bool is_told_elsewhere(Operation operation, Outcome outcome)
{
    return operation == OP_REGISTER || operation == OP_HEARTBEAT ||
           (operation == OP_CONFIG && outcome == CALL_GONE) ||
           (operation == OP_ANALYTICS && outcome == CALL_REFUSED);
}

static void tell(Federate *f, Operation operation, const Answer *a)
{
    bool own = is_told_elsewhere(operation, a->outcome);
    bool fails = a->outcome != CALL_OK, news = fails != f->wire.failing[operation];
    if (!fails || !own) f->wire.failing[operation] = fails;
    LogField name = log_text("operation", str_from(operation_form(operation)->name));
    if (!fails) {
        LOG(news && !own ? LOG_INFO : LOG_DEBUG, "federation",
            news ? "the call succeeds again" : "call", name);
        return;
    }
    LOG(news && !own ? LOG_WARN : LOG_DEBUG, "federation", "a call fails", name,
        log_text("outcome", str_from(outcome_name(a->outcome))), log_int("status", a->status),
        log_text("answer", str_from(a->text)));
}

void federate_call(Federate *f, const Call *call, Arena *arena, Answer *ret_answer)
{
    Err err = {0};
    HttpReply reply = {.body = buf_make(0)};
    *ret_answer = (Answer){.outcome = CALL_DOWN};
    if (send(f, call, &reply, &err) == OK) {
        Str text = STR_NULL;
        /* The tree points into its source. */
        if (arena_copy(arena, buf_str(&reply.body), &text, &err) == OK) {
            reply_judge(call->operation, reply.status, http_reply_is_json(&reply), text, arena,
                        ret_answer);
        }
    }
    http_reply_done(&reply);
    if (ret_answer->outcome == CALL_DOWN) {
        Str message = body_clip(str_from(err.message), FEDERATE_TEXT_MAX - 1);
        memcpy(ret_answer->text, message.ptr, (size_t)message.len);
    }
    /* A call that was cut off at the end says nothing of the core. */
    if (err.kind == ERR_CANCELLED) return;
    f->wire.answers = ret_answer->outcome != CALL_DOWN;
    if (f->wire.answers) f->wire.away = false;
    metrics_add(METRIC_FEDERATION_REQUESTS, 1,
                LABELS(str_from(operation_form(call->operation)->name),
                       str_from(outcome_name(ret_answer->outcome))));
    tell(f, call->operation, ret_answer);
    if (ret_answer->outcome == CALL_TOKEN) federate_event(f, MEMBER_TOKEN_DENIED);
}
