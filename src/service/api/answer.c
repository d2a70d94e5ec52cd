/* Answers: problems, headers, and what errors become. */
#include "service/api/answer.h"

#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/codec/html_policy.h"
#include "foundation/codec/json_writer.h"
#include "foundation/obs/log.h"
#include "foundation/obs/metrics.h"
#include "service/api/api_state.h"
#include "service/api/routes.h"

void answer_init(Answer *a)
{
    *a = (Answer){.out = buf_make(API_ANSWER_MAX), .type = "application/json"};
}

void answer_done(Answer *a)
{
    buf_done(&a->out);
}

void answer_problem(Answer *a, int32_t status, const char *title, const char *detail)
{
    buf_clear(&a->out);
    a->status = status;
    a->type = "application/problem+json";
    JsonWriter w = json_writer_make(&a->out, NULL);
    json_object_begin(&w);
    json_key(&w, "type");
    json_write_text(&w, STR("about:blank"));
    json_key(&w, "title");
    json_write_text(&w, str_from(title));
    json_key(&w, "status");
    json_write_int64(&w, status);
    json_key(&w, "detail");
    json_write_text(&w, str_from(detail));
    json_object_end(&w);
    if (json_writer_end(&w) != OK) buf_clear(&a->out);
}

void request_problem(Request *r, int32_t status, const char *title, const char *detail)
{
    answer_problem(&r->answer, status, title, detail);
}

void request_failed(Request *r, const Err *err)
{
    static const struct {
        ErrKind kind;
        int32_t status;
        const char *title;
    } MAP[] = {
        {ERR_NOT_FOUND, 404, "Not Found"},
        {ERR_USAGE, 400, "Bad Request"},
        {ERR_DATA, 400, "Bad Request"},
        {ERR_CONFIG, 422, "Unprocessable Content"},
        {ERR_LIMIT, 409, "Conflict"},
        {ERR_PERMISSION, 403, "Forbidden"},
        {ERR_TIMEOUT, 503, "Service Unavailable"},
        {ERR_DEADLOCK, 503, "Service Unavailable"},
        {ERR_CONNECT, 503, "Service Unavailable"},
        {ERR_CANCELLED, 503, "Service Unavailable"},
    };
    CLEANUP(buf_done) Buf detail = buf_make(8192);
    const char *text = err->message;
    if (err->hint[0] && buf_printf(&detail, NULL, "%s (%s)", err->message, err->hint) == OK &&
        buf_terminate(&detail, NULL) == OK) {
        text = detail.data;
    }
    for (int32_t i = 0; i < COUNT_OF(MAP); i++) {
        if (MAP[i].kind != err->kind) continue;
        request_problem(r, MAP[i].status, MAP[i].title, text);
        return;
    }
    LOG_ERR(LOG_ERROR, "api", "a request failed", err, log_text("path", r->path));
    request_problem(r, 500, "Internal Server Error", text);
}

Status request_page(Request *r, Str document, Err *err)
{
    CLEANUP(buf_done) Buf policy = buf_make(4096);
    Str text = STR_NULL;
    TRY(html_policy(document,
                    STR("connect-src 'self'; form-action 'self'; frame-ancestors 'none';"
                        " require-trusted-types-for 'script'; trusted-types 'none'"),
                    &policy, err));
    TRY(arena_copy(&r->arena, buf_str(&policy), &text, err));
    r->answer.policy = text.ptr;
    r->answer.type = "text/html; charset=utf-8";
    return buf_append(&r->answer.out, document, err);
}

/* ---- headers ---- */

void answer_headers(const Answer *a, void (*each)(void *arg, const char *name, const char *value),
                    void *arg)
{
    static const char *const ALWAYS[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy",
         "same-origin"}, /* without any, browsers say Origin: null in our forms */
        {"Cross-Origin-Resource-Policy", "same-origin"},
    };
    for (int32_t i = 0; i < COUNT_OF(ALWAYS); i++) each(arg, ALWAYS[i][0], ALWAYS[i][1]);
    each(arg, "Content-Security-Policy",
         a->policy ? a->policy : "default-src 'none'; frame-ancestors 'none'");
    each(arg, "Content-Type", a->type);
    if (a->location) each(arg, "Location", a->location);
    if (a->cookie[0]) each(arg, "Set-Cookie", a->cookie);
    if (a->allow) each(arg, "Allow", a->allow);
    if (a->status == 429) each(arg, "Retry-After", "60");
    if (a->status == 503 || a->status == 504) each(arg, "Retry-After", "1");
    if (a->status == 401) each(arg, "WWW-Authenticate", "Bearer");
}

static void put_header(void *arg, const char *name, const char *value)
{
    /* The buffer's maximum is far above a few short lines; without memory nothing is sent. */
    IGNORE(buf_printf(arg, NULL, "%s: %s\r\n", name, value));
}

Status answer_bytes(const Answer *a, bool head_only, Buf *out, Err *err)
{
    const char *reason = MHD_get_reason_phrase_for((unsigned)a->status);
    TRY(buf_printf(out, err, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %lld\r\n",
                   (int)a->status, reason, (long long)a->out.len));
    answer_headers(a, put_header, out);
    TRY(buf_append(out, STR("\r\n"), err));
    return head_only ? OK : buf_append(out, buf_str(&a->out), err);
}

void request_count(const Request *r, const Answer *a)
{
    char status[16];
    (void)snprintf(status, sizeof status, "%d", a->status);
    Str route = r->route ? str_from(r->route->path) : STR("other");
    metrics_add(METRIC_HTTP_REQUESTS, 1, LABELS(route, str_from(status)));
    metrics_observe(METRIC_HTTP_DURATION, (double)(clock_mono_ns() - r->start_ns) / 1e9,
                    LABELS(route));
}
