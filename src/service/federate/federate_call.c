/* One call to the core; only an answer that is right in every part counts. */
#include "service/federate/federate_impl.h"

static Outcome by_status(int32_t status)
{
    if (status == 401) return CALL_TOKEN;
    if (status == 404) return CALL_GONE;
    if (status >= 500) return CALL_DOWN;
    return status >= 400 ? CALL_REFUSED : CALL_STRANGE;
}

static Outcome judge(const Call *call, const HttpReply *reply, Str text, Arena *arena,
                     const JsonValue **ret_data)
{
    JsonValue *root = NULL;
    bool json = http_reply_is_json(reply) && json_parse(text, arena, &root, NULL) == OK;
    if (reply->status != call->status) {
        if (ret_data) *ret_data = root;
        return json || reply->status >= 400 ? by_status(reply->status) : CALL_STRANGE;
    }
    const JsonValue *success = json ? json_member(root, STR("success")) : NULL;
    const JsonValue *data = json ? json_member(root, STR("data")) : NULL;
    if (!success || success->kind != JSON_BOOL || !success->boolean) return CALL_STRANGE;
    const JsonValue *needed = call->needed ? json_member(data, str_from(call->needed)) : NULL;
    if (call->needed && (!needed || needed->kind != call->kind)) return CALL_STRANGE;
    if (ret_data) *ret_data = data;
    return CALL_OK;
}

static void note(Federate *f, const Call *call, Outcome outcome, int32_t status, const Err *err)
{
    static const char *const NAMES[] = {"ok", "down", "token", "gone", "refused", "strange"};
    bool up = outcome != CALL_DOWN && outcome != CALL_STRANGE;
    metrics_add(METRIC_FEDERATION_REQUESTS, 1,
                LABELS(str_from(call->operation), str_from(NAMES[outcome])));
    metrics_set(METRIC_FEDERATION_UP, up, NO_LABELS);
    LogLevel level = outcome == CALL_OK ? LOG_DEBUG : f->up ? LOG_WARN : LOG_DEBUG;
    if (outcome == CALL_OK && !f->up) {
        LOG(LOG_INFO, "federation", "the federation answers");
    }
    LOG_ERR(level, "federation", outcome == CALL_OK ? "call" : "a call did not succeed", err,
            log_text("operation", str_from(call->operation)),
            log_text("outcome", str_from(NAMES[outcome])), log_int("status", status));
    f->up = up;
}

static Status send(Federate *f, const Call *call, HttpReply *reply, Err *err)
{
    CLEANUP(buf_done) Buf url = buf_make(4096);
    CLEANUP(buf_done) Buf bearer = buf_make(16 << 10);
    Str base = f->o.url;
    while (str_ends(base, STR("/"))) base.len--;
    TRY(buf_append(&url, base, err));
    TRY(buf_append(&url, call->path, err));
    TRY(buf_append(&bearer, STR("Authorization: Bearer "), err));
    TRY(buf_append(&bearer, buf_str(&f->token), err));
    Str headers[] = {STR("Content-Type: application/json"), buf_str(&bearer)};
    HttpRequest request = {.method = call->method,
                           .url = buf_str(&url),
                           .body = call->body,
                           .headers = headers,
                           .header_count = call->open ? 1 : 2,
                           .connect_us = f->timeout_us / 2,
                           .timeout_us = f->timeout_us,
                           .cancelled = &f->cancelled,
                           .once = call->open};
    return http_client_send(f->client, &request, reply, err);
}

Outcome federate_call(Federate *f, const Call *call, Arena *arena, const JsonValue **ret_data)
{
    Err err = {0};
    HttpReply reply = {.body = buf_make(0)};
    Outcome outcome = CALL_DOWN;
    if (send(f, call, &reply, &err) == OK) {
        Str text = STR_NULL;
        /* The tree points into its source. */
        if (arena_copy(arena, buf_str(&reply.body), &text, &err) == OK) {
            outcome = judge(call, &reply, text, arena, ret_data);
        }
    }
    /* A call that was cut off at the end says nothing of the core. */
    if (err.kind != ERR_CANCELLED) note(f, call, outcome, reply.status, &err);
    http_reply_done(&reply);
    return outcome;
}
