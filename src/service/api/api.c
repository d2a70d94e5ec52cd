/* The HTTP server: requests in, answers out, all bounded. */
#include "service/api/api.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "foundation/base/clock.h"
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_writer.h"
#include "foundation/obs/log.h"
#include "foundation/obs/metrics.h"
#include "service/api/api_impl.h"

enum {
    CONNECTIONS_MAX = 256,
    CONNECTION_BYTES = 32 << 10, /* headers of one request */
    TIMEOUT_S = 15,
};
/* Answers that are on their way at the end get so long. */
#define ENDING_NS INT64_C(1000000000)

/* ---- requests ---- */

Str request_query(const Request *r, const char *name)
{
    return str_from(MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name));
}

Str request_header(const Request *r, const char *name)
{
    return str_from(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

Status request_number(const Request *r, const char *name, int64_t max, int64_t *ret_number,
                      Err *err)
{
    Str text = request_query(r, name);
    int64_t number = 0;
    if (text.len &&
        (number_parse_int64(text, &number) != NUMBER_OK || number < 0 || number > max)) {
        return err_set(err, ERR_USAGE, "%s must be a number from 0 to %lld", name, (long long)max);
    }
    *ret_number = number;
    return OK;
}

void request_problem(Request *r, int32_t status, const char *title, const char *detail)
{
    buf_clear(&r->out);
    r->status = status;
    r->type = "application/problem+json";
    JsonWriter w = json_writer_make(&r->out, NULL);
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
    if (json_writer_end(&w) != OK) buf_clear(&r->out);
}

void request_failed(Request *r, const Err *err)
{
    static const struct {
        ErrKind kind;
        int32_t status;
        const char *title;
    } MAP[] = {
        {ERR_NOT_FOUND, 404, "Not Found"},   {ERR_USAGE, 400, "Bad Request"},
        {ERR_DATA, 400, "Bad Request"},      {ERR_CONFIG, 422, "Unprocessable Content"},
        {ERR_LIMIT, 409, "Conflict"},        {ERR_PERMISSION, 403, "Forbidden"},
        {ERR_TIMEOUT, 503, "Not Available"}, {ERR_DEADLOCK, 503, "Not Available"},
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

/* ---- dispatch ---- */

static void count_active(Api *api, int32_t change)
{
    pthread_mutex_lock(&api->lock);
    api->active += change;
    if (api->active == 0) pthread_cond_broadcast(&api->idle);
    pthread_mutex_unlock(&api->lock);
}

static void answer(Request *r)
{
    Err err = {0};
    char allow[32];
    r->route = route_find(r->method, r->path, &r->name, allow);
    if (!request_allowed(r)) return;
    if (!r->api->options.control && !(r->route && r->route->access == ACCESS_LIVE)) {
        request_problem(r, 503, "Service Unavailable", "the neuron begins anew; ask again");
        return;
    }
    if (!r->route && allow[0]) {
        request_problem(r, 405, "Method Not Allowed", "this path has other methods");
        r->allow = allow[0] == 'P' ? "POST" : "GET, HEAD";
    } else if (!r->route) {
        request_problem(r, 404, "Not Found", "no such path; /openapi.json lists them");
    } else if (r->too_large) {
        request_problem(r, 413, "Content Too Large", "the body has more than 1 MiB");
    } else {
        r->status = r->route->status;
        r->type = "application/json";
        if (r->route->run(r, &err) != OK) request_failed(r, &err);
    }
}

static void count_request(const Request *r)
{
    char status[16];
    (void)snprintf(status, sizeof status, "%d", r->status);
    Str route = r->route ? str_from(r->route->path) : STR("other");
    metrics_add(METRIC_HTTP_REQUESTS, 1, LABELS(route, str_from(status)));
    metrics_observe(METRIC_HTTP_DURATION, (double)(clock_mono_ns() - r->start_ns) / 1e9,
                    LABELS(route));
}

static void add_headers(const Request *r, struct MHD_Response *response)
{
    static const char *const HEADERS[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Content-Security-Policy",
         "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
         " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self';"
         " frame-ancestors 'none'"},
    };
    for (int32_t i = 0; i < COUNT_OF(HEADERS); i++) {
        (void)MHD_add_response_header(response, HEADERS[i][0], HEADERS[i][1]);
    }
    (void)MHD_add_response_header(response, "Content-Type", r->type);
    if (r->location) (void)MHD_add_response_header(response, "Location", r->location);
    if (r->cookie[0]) (void)MHD_add_response_header(response, "Set-Cookie", r->cookie);
    if (r->allow) (void)MHD_add_response_header(response, "Allow", r->allow);
    if (r->status == 429) (void)MHD_add_response_header(response, "Retry-After", "60");
    if (r->status == 503) (void)MHD_add_response_header(response, "Retry-After", "1");
    if (r->status == 401) (void)MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
}

static enum MHD_Result send_answer(Request *r)
{
    Api *api = r->api;
    pthread_mutex_lock(&api->using);
    answer(r);
    pthread_mutex_unlock(&api->using);
    count_request(r);
    size_t len = (size_t)r->out.len;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, len ? r->out.data : NULL, MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    add_headers(r, response);
    enum MHD_Result result = MHD_queue_response(r->connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version UNUSED, const char *data,
                                  size_t *size, void **state)
{
    Request *r = *state;
    if (!r) {
        r = mem_zalloc((int64_t)sizeof *r);
        if (!r) return MHD_NO;
        *r = (Request){.connection = connection, .api = arg, .start_ns = clock_mono_ns()};
        r->body = buf_make(API_BODY_MAX);
        r->out = buf_make(API_ANSWER_MAX);
        *state = r;
        count_active(arg, 1);
        return MHD_YES;
    }
    if (*size > 0) {
        /* What is too large is read to its end and thrown away, so that the answer arrives. */
        if (buf_append(&r->body, str_make(data, (int64_t)*size), NULL) != OK) r->too_large = true;
        *size = 0;
        return MHD_YES;
    }
    r->method = str_from(method);
    r->path = str_from(url);
    return send_answer(r);
}

static void on_done(void *arg, struct MHD_Connection *connection UNUSED, void **state,
                    enum MHD_RequestTerminationCode why UNUSED)
{
    Request *r = *state;
    if (!r) return;
    buf_done(&r->body);
    buf_done(&r->out);
    mem_free(r);
    *state = NULL;
    count_active(arg, -1);
}

/* ---- listening ---- */

static Status listen_wrong(Str listen, Err *err)
{
    (void)err_set(err, ERR_CONFIG, "http.listen: «%.*s» is no address", STR_ARG(listen));
    return err_hint(err, "write address:port, like 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080");
}

static Status address_find(Str listen, char host[256], struct addrinfo **ret_list, Err *err)
{
    int64_t colon = listen.len - 1;
    while (colon >= 0 && listen.ptr[colon] != ':') colon--;
    if (colon < 0 || colon > 250) return listen_wrong(listen, err);
    Str name = str_slice(listen, 0, colon), port = str_slice(listen, colon + 1, listen.len);
    if (str_starts(name, STR("["))) name = str_slice(name, 1, name.len - 1);
    int64_t number = 0;
    if (number_parse_int64(port, &number) != NUMBER_OK || number < 0 || number > 65535) {
        return listen_wrong(listen, err);
    }
    if (name.len) memcpy(host, name.ptr, (size_t)name.len);
    host[name.len] = 0;
    char service[8];
    (void)snprintf(service, sizeof service, "%d", (int)number);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (getaddrinfo(name.len ? host : NULL, service, &hints, ret_list) != 0) {
        return listen_wrong(listen, err);
    }
    return OK;
}

static Status daemon_open(Api *api, const struct addrinfo *at, Err *err)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC;
    if (at->ai_family == AF_INET6) flags |= MHD_USE_IPv6;
    errno = 0;
    api->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, api, MHD_OPTION_SOCK_ADDR, at->ai_addr,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX / 2,
        MHD_OPTION_NOTIFY_COMPLETED, on_done, api, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
        MHD_OPTION_END);
    if (!api->daemon) {
        (void)err_errno(err, errno ? errno : EADDRINUSE, "http.listen: can't listen on %.*s",
                        STR_ARG(api->options.listen));
        return err_hint(err, "another program may hold the port; set http.listen (NEURON_LISTEN)");
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_BIND_PORT);
    api->port = info ? info->port : 0;
    return OK;
}

/* Copies of the options in the place of those that were. */
static Status options_set(Api *api, const ApiOptions *options, Err *err)
{
    Arena arena = arena_make(1 << 20);
    ApiOptions copy = *options;
    Status status = arena_copy(&arena, options->listen, &copy.listen, err);
    if (status == OK) status = arena_copy(&arena, options->token, &copy.token, err);
    if (status != OK) {
        arena_done(&arena);
        return status;
    }
    int64_t colon = copy.listen.len - 1;
    while (colon > 0 && copy.listen.ptr[colon] != ':') colon--;
    pthread_mutex_lock(&api->using);
    arena_done(&api->arena);
    api->arena = arena;
    api->options = copy;
    api->host = str_slice(copy.listen, 0, colon);
    pthread_mutex_unlock(&api->using);
    return OK;
}

static void api_free(Api *api)
{
    arena_done(&api->arena);
    pthread_cond_destroy(&api->idle);
    pthread_mutex_destroy(&api->lock);
    pthread_mutex_destroy(&api->using);
    mem_free(api);
}

Status api_attach(Api *api, const ApiOptions *options, Err *err)
{
    return options_set(api, options, err);
}

void api_detach(Api *api)
{
    if (!api) return;
    pthread_mutex_lock(&api->using);
    api->options.control = NULL;
    pthread_mutex_unlock(&api->using);
}

bool api_listens(const Api *api, Str listen)
{
    return str_eq(api->options.listen, listen);
}

Status api_start(const ApiOptions *options, Api **ret_api, Err *err)
{
    char host[256];
    struct addrinfo *list = NULL;
    TRY(address_find(options->listen, host, &list, err));
    Api *api = mem_zalloc((int64_t)sizeof *api);
    Status status = api ? OK : err_memory(err);
    if (status == OK) {
        pthread_mutex_init(&api->lock, NULL);
        pthread_mutex_init(&api->using, NULL);
        thread_cond_init(&api->idle);
        status = options_set(api, options, err);
        if (status == OK) status = hash_random(api->key, sizeof api->key, err);
        if (status == OK) status = daemon_open(api, list, err);
    }
    freeaddrinfo(list);
    if (status != OK) {
        if (api) api_free(api);
        return status;
    }
    *ret_api = api;
    return OK;
}

void api_stop(Api *api)
{
    if (!api) return;
    int fd = MHD_quiesce_daemon(api->daemon);
    int64_t deadline_ns = clock_mono_ns() + ENDING_NS;
    pthread_mutex_lock(&api->lock);
    while (api->active > 0 && thread_cond_wait(&api->idle, &api->lock, deadline_ns)) {
    }
    pthread_mutex_unlock(&api->lock);
    MHD_stop_daemon(api->daemon);
    if (fd >= 0) (void)close(fd);
    api_free(api);
}

int32_t api_port(const Api *api)
{
    return api->port;
}
