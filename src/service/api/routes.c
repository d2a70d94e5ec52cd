/* The one table of routes, and what each does. */
#include "service/api/routes.h"

#include "foundation/base/number.h"
#include "foundation/codec/json_tree.h"
#include "foundation/config/option.h"
#include "service/api/login.h"
#include "service/api/openapi.h"
#include "service/api/page.h"

#define CONTROL(request) ((request)->control)
#define CALL(request, name, ...)                                                                   \
    (CONTROL(request)->name ? CONTROL(request)->name(CONTROL(request)->arg, ##__VA_ARGS__)         \
                            : err_set(err, ERR_NOT_FOUND, "this neuron has none"))

static Status get_health(Request *r, Err *err)
{
    Health health = HEALTH_UNHEALTHY;
    TRY(CALL(r, health, r->known, &health, &r->answer.out, err));
    if (health == HEALTH_UNHEALTHY || !CONTROL(r)->ready(CONTROL(r)->arg)) r->answer.status = 503;
    return OK;
}

static Status get_live(Request *r, Err *err)
{
    return buf_append(&r->answer.out, STR("{\"status\":\"alive\"}"), err);
}

static Status get_ready(Request *r, Err *err)
{
    bool ready = CONTROL(r) && CONTROL(r)->ready(CONTROL(r)->arg);
    r->answer.status = ready ? 200 : 503;
    return buf_printf(&r->answer.out, err, "{\"status\":\"%s\"}", ready ? "ready" : "not ready");
}

static Status get_metrics(Request *r, Err *err)
{
    r->answer.type = r->openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                    : "text/plain; version=0.0.4; charset=utf-8";
    return CALL(r, metrics, r->openmetrics, &r->answer.out, err);
}

static Status get_status(Request *r, Err *err)
{
    return CALL(r, status, &r->answer.out, err);
}

static Status get_config(Request *r, Err *err)
{
    return CALL(r, config, &r->answer.out, err);
}

static Status get_pipelines(Request *r, Err *err)
{
    return CALL(r, pipelines.list, &r->answer.out, err);
}

static Status get_pipeline(Request *r, Err *err)
{
    return CALL(r, pipelines.get, r->name, &r->answer.out, err);
}

static Status post_run(Request *r, Err *err)
{
    return CALL(r, runs.start, r->name, STR("api"), NULL, &r->answer.out, err);
}

static Status filter_of(const Request *r, const char *name, ControlFilter *filter, Err *err)
{
    *filter = (ControlFilter){.name = request_query(r, name),
                              .status = request_query(r, "status"),
                              .before = request_query(r, "before")};
    return request_number(r, "limit", 1000, &filter->limit, err);
}

static Status get_runs(Request *r, Err *err)
{
    ControlFilter filter;
    TRY(filter_of(r, "pipeline", &filter, err));
    return CALL(r, runs.list, &filter, &r->answer.out, err);
}

static Status get_run(Request *r, Err *err)
{
    return CALL(r, runs.get, r->name, &r->answer.out, err);
}

static Status post_cancel(Request *r, Err *err)
{
    return CALL(r, runs.cancel, r->name, &r->answer.out, err);
}

static Status get_streams(Request *r, Err *err)
{
    return CALL(r, streams.list, &r->answer.out, err);
}

static Status get_stream(Request *r, Err *err)
{
    return CALL(r, streams.get, r->name, &r->answer.out, err);
}

static Status post_pause(Request *r, Err *err)
{
    return CALL(r, streams.pause, r->name, true, &r->answer.out, err);
}

static Status post_resume(Request *r, Err *err)
{
    return CALL(r, streams.pause, r->name, false, &r->answer.out, err);
}

static Status get_letters(Request *r, Err *err)
{
    int64_t limit = 0;
    TRY(request_number(r, "limit", 1000, &limit, err));
    return CALL(r, streams.letters, r->name, limit, &r->turn.stop, &r->answer.out, err);
}

static Status post_messages(Request *r, Err *err)
{
    return CALL(r, streams.send, r->name, buf_str(&r->body), &r->turn.stop, &r->answer.out, err);
}

static Status get_quality(Request *r, Err *err)
{
    return CALL(r, quality.list, &r->answer.out, err);
}

static Status get_reports(Request *r, Err *err)
{
    ControlFilter filter;
    TRY(filter_of(r, "dataset", &filter, err));
    filter.name = r->name;
    return CALL(r, quality.reports, &filter, &r->answer.out, err);
}

static Status post_check(Request *r, Err *err)
{
    return CALL(r, quality.check, r->name, STR("api"), NULL, &r->answer.out, err);
}

static Status get_trends(Request *r, Err *err)
{
    int64_t days = 0;
    TRY(request_number(r, "days", 3650, &days, err));
    return CALL(r, quality.trends, request_query(r, "dataset"), days ? days : 7, &r->answer.out,
                err);
}

static Status get_alerts(Request *r, Err *err)
{
    return CALL(r, alerts.list, &r->answer.out, err);
}

/* {"duration": "4h", "by": …, "comment": …}; without a body: 4 hours. */
static Status post_silence(Request *r, Err *err)
{
    Arena arena = arena_make(1 << 20);
    JsonValue *body = NULL;
    ControlSilence silence = {.id = r->name, .duration_us = INT64_C(4) * 3600000000};
    Status status = OK;
    if (r->body.len) status = json_parse(buf_str(&r->body), &arena, &body, err);
    if (status != OK && err) err->kind = ERR_USAGE;
    Str duration = json_member_text(body, STR("duration"), STR_NULL);
    if (status == OK && duration.len && !option_parse_duration(duration, &silence.duration_us)) {
        status = err_set(err, ERR_USAGE, "the duration \"%.*s\" is none", STR_ARG(duration));
    }
    silence.by = json_member_text(body, STR("by"), STR("api"));
    silence.comment = json_member_text(body, STR("comment"), STR(""));
    if (status == OK) status = CALL(r, alerts.silence, &silence, &r->answer.out, err);
    arena_done(&arena);
    return status;
}

static Status post_reload(Request *r, Err *err)
{
    return CALL(r, reload, &r->answer.out, err);
}

static Status get_page(Request *r, Err *err)
{
    if (!r->known) return login_page(r, NULL, err);
    return request_page(r, str_from(API_PAGE), err);
}

static Status get_openapi(Request *r, Err *err);

/* Bodies: a form with a token, a few members of JSON, messages. */
enum { FORM_MAX = 16 << 10, JSON_MAX = 64 << 10 };

static const Route ROUTES[] = {
    {"GET", "/", ACCESS_PAGE, LANE_NONE, 0, 200, get_page,
     "The status page, or a form for the token.", NULL, NULL},
    {"POST", "/login", ACCESS_PAGE, LANE_NONE, FORM_MAX, 303, login_post,
     "The token as a form; sets a cookie.", NULL, NULL},
    {"POST", "/logout", ACCESS_PAGE, LANE_NONE, FORM_MAX, 303, logout_post,
     "Takes the cookie back.", NULL, NULL},
    {"GET", "/health", ACCESS_OPEN, LANE_HEALTH, 0, 200, get_health,
     "Health of every part; without the token status and kind alone.", NULL, NULL},
    {"GET", "/livez", ACCESS_LIVE, LANE_NONE, 0, 200, get_live, "The process is alive.", NULL,
     NULL},
    {"GET", "/readyz", ACCESS_LIVE, LANE_NONE, 0, 200, get_ready,
     "Ready to work; 503 while ending.", NULL, NULL},
    {"GET", "/metrics", ACCESS_METRICS, LANE_LOCAL, 0, 200, get_metrics, "Prometheus metrics.",
     NULL, NULL},
    {"GET", "/openapi.json", ACCESS_TOKEN, LANE_NONE, 0, 200, get_openapi, "This description.",
     NULL, NULL},
    {"GET", "/api/v1/status", ACCESS_TOKEN, LANE_LOCAL, 0, 200, get_status,
     "Everything at a glance.", NULL, NULL},
    {"GET", "/api/v1/config", ACCESS_TOKEN, LANE_LOCAL, 0, 200, get_config,
     "The configuration, secrets masked.", NULL, NULL},
    {"POST", "/api/v1/reload", ACCESS_TOKEN, LANE_STORE, JSON_MAX, 202, post_reload,
     "Read the configuration again.", NULL, ""},
    {"GET", "/api/v1/pipelines", ACCESS_TOKEN, LANE_LOCAL, 0, 200, get_pipelines, "All pipelines.",
     NULL, NULL},
    {"GET", "/api/v1/pipelines/{name}", ACCESS_TOKEN, LANE_LOCAL, 0, 200, get_pipeline,
     "One pipeline.", NULL, NULL},
    {"POST", "/api/v1/pipelines/{name}/runs", ACCESS_TOKEN, LANE_STORE, JSON_MAX, 202, post_run,
     "Start a run.", NULL, ""},
    {"GET", "/api/v1/runs", ACCESS_TOKEN, LANE_STORE, 0, 200, get_runs, "Runs, newest first.",
     "pipeline,status,limit,before", NULL},
    {"GET", "/api/v1/runs/{name}", ACCESS_TOKEN, LANE_STORE, 0, 200, get_run, "One run.", NULL,
     NULL},
    {"POST", "/api/v1/runs/{name}/cancel", ACCESS_TOKEN, LANE_STORE, JSON_MAX, 202, post_cancel,
     "Cancel a run.", NULL, ""},
    {"GET", "/api/v1/streams", ACCESS_TOKEN, LANE_LOCAL, 0, 200, get_streams, "All streams.", NULL,
     NULL},
    {"GET", "/api/v1/streams/{name}", ACCESS_TOKEN, LANE_LOCAL, 0, 200, get_stream, "One stream.",
     NULL, NULL},
    {"POST", "/api/v1/streams/{name}/pause", ACCESS_TOKEN, LANE_STORE, JSON_MAX, 202, post_pause,
     "Pause a stream.", NULL, ""},
    {"POST", "/api/v1/streams/{name}/resume", ACCESS_TOKEN, LANE_STORE, JSON_MAX, 202, post_resume,
     "Resume a stream.", NULL, ""},
    {"GET", "/api/v1/streams/{name}/dead-letters", ACCESS_TOKEN, LANE_REMOTE, 0, 200, get_letters,
     "Dead letters, newest first.", "limit", NULL},
    {"POST", "/api/v1/streams/{name}/messages", ACCESS_TOKEN, LANE_REMOTE, API_BODY_MAX, 202,
     post_messages, "Send JSON lines to the stream's topic.", NULL, NULL},
    {"GET", "/api/v1/quality", ACCESS_TOKEN, LANE_LOCAL, 0, 200, get_quality,
     "Datasets with their last report.", NULL, NULL},
    {"GET", "/api/v1/quality/trends", ACCESS_TOKEN, LANE_STORE, 0, 200, get_trends,
     "Scores over some days.", "days,dataset", NULL},
    {"GET", "/api/v1/quality/{name}/reports", ACCESS_TOKEN, LANE_STORE, 0, 200, get_reports,
     "Reports of a dataset.", "limit", NULL},
    {"POST", "/api/v1/quality/{name}/checks", ACCESS_TOKEN, LANE_STORE, JSON_MAX, 202, post_check,
     "Check now.", NULL, ""},
    {"GET", "/api/v1/alerts", ACCESS_TOKEN, LANE_LOCAL, 0, 200, get_alerts, "Alerts.", NULL, NULL},
    {"POST", "/api/v1/alerts/{name}/silence", ACCESS_TOKEN, LANE_STORE, JSON_MAX, 200, post_silence,
     "Silence an alert.", NULL, "duration,by,comment"},
};

static Status get_openapi(Request *r, Err *err)
{
    return openapi_write(ROUTES, COUNT_OF(ROUTES), &r->answer.out, err);
}

/* ---- bodies ---- */

static Status member_unknown(const Route *route, Str key, Err *err)
{
    Str rest = str_from(route->members), name, near = STR_NULL;
    (void)err_set(err, ERR_USAGE, "this route takes no `%.*s`", STR_ARG(key));
    while (!near.len && rest.len && str_next_part(&rest, ',', &name)) {
        near = str_nearest(key, &name, 1);
    }
    if (near.len) return err_hint(err, "did you mean `%.*s`?", STR_ARG(near));
    if (!route->members[0]) return err_hint(err, "it takes no body");
    return err_hint(err, "it takes %s", route->members);
}

static bool is_member(const Route *route, Str key)
{
    Str rest = str_from(route->members), name;
    while (rest.len && str_next_part(&rest, ',', &name)) {
        if (str_eq(name, key)) return true;
    }
    return false;
}

static Status body_check(const Route *route, Str text, Arena *arena, Err *err)
{
    JsonValue *body = NULL;
    if (json_parse(text, arena, &body, err) != OK) {
        if (err) err->kind = ERR_USAGE;
        return FAIL;
    }
    if (body->kind != JSON_OBJECT) return err_set(err, ERR_USAGE, "the body is not a JSON object");
    for (const JsonValue *at = body->first; at; at = at->next) {
        if (!is_member(route, at->key)) return member_unknown(route, at->key, err);
        if (at->kind != JSON_STRING) {
            return err_set(err, ERR_USAGE, "`%.*s` must be a text", STR_ARG(at->key));
        }
    }
    return OK;
}

Status route_run(Request *r, Err *err)
{
    if (r->route->members && str_trim(buf_str(&r->body)).len) {
        Arena arena = arena_make(1 << 20);
        Status status = body_check(r->route, buf_str(&r->body), &arena, err);
        arena_done(&arena);
        TRY(status);
    }
    return r->route->run(r, err);
}

/* ---- finding ---- */

static bool path_matches(Str pattern, Str path, Str *ret_name)
{
    Str pattern_part, part;
    *ret_name = STR_NULL;
    while (true) {
        bool more_pattern = str_next_part(&pattern, '/', &pattern_part);
        bool more = str_next_part(&path, '/', &part);
        if (!more_pattern || !more) return more_pattern == more;
        if (str_eq(pattern_part, STR("{name}"))) {
            if (part.len == 0) return false;
            *ret_name = part;
        } else if (!str_eq(pattern_part, part)) {
            return false;
        }
    }
}

const Route *route_find(Str method, Str path, Str *ret_name, char ret_allow[32])
{
    ret_allow[0] = 0;
    if (str_eq(method, STR("HEAD"))) method = STR("GET");
    for (int32_t i = 0; i < COUNT_OF(ROUTES); i++) {
        const Route *route = &ROUTES[i];
        if (!path_matches(str_from(route->path), path, ret_name)) continue;
        if (str_eq(method, str_from(route->method))) return route;
        if (ret_allow[0] == 0) {
            memcpy(ret_allow, route->method, strlen(route->method) + 1);
            if (route->method[0] == 'G') memcpy(ret_allow, "GET, HEAD", 10);
        }
    }
    return NULL;
}
