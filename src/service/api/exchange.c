/* A request's way through libmicrohttpd: its head is judged, its body read, its work done on a
 * lane, its answer sent; each part has a deadline in all. Nothing here waits. */
#include "service/api/exchange.h"

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "service/api/access.h"
#include "service/api/api_state.h"
#include "service/api/intake.h"
#include "service/api/intake_wake.h"

enum { BODY_FREE = 16 << 10 }; /* of a body that is its connection's own; more is charged */

#define SECOND_NS INT64_C(1000000000)
#define HEAD_NS (15 * SECOND_NS)      /* of a connection that is kept: until the next head */
#define BODY_NS (30 * SECOND_NS)      /* for the whole body */
#define SEND_NS (30 * SECOND_NS)      /* for an answer, and more for a long one: */
#define SEND_BYTES_PER_S (64 << 10)   /* at least this fast */
#define GUESS_HOLD_NS (SECOND_NS / 4) /* before the answer to one guess too many */

/* A name of the path, or a value that begins with a slash like a path: with its own slashes. */
static Status copy_slashes(Arena *arena, Str text, Str *ret_text, Err *err)
{
    char *copy = ARENA_ARRAY(arena, char, text.len + 1);
    if (!copy) return err_memory(err);
    for (int64_t i = 0; i < text.len; i++) {
        copy[i] = text.ptr[i];
        if (copy[i] == API_SLASH) copy[i] = '/';
    }
    *ret_text = str_make(copy, text.len);
    return OK;
}

static enum MHD_Result copy_value(void *arg, enum MHD_ValueKind kind UNUSED, const char *key,
                                  const char *value)
{
    Request *r = arg;
    QueryValue *item = ARENA_NEW(&r->arena, QueryValue);
    if (!item || arena_copy(&r->arena, str_from(key), &item->name, NULL) != OK ||
        copy_slashes(&r->arena, str_from(value), &item->value, NULL) != OK) {
        return MHD_NO;
    }
    QueryValue **at = &r->query; /* the first of a name counts, so it has to be found first */
    while (*at) at = &(*at)->next;
    *at = item;
    return MHD_YES;
}

/* What the work may need once the connection is gone. */
static Status request_copy(Request *r, const char *url, const char *method, Err *err)
{
    TRY(arena_copy(&r->arena, str_from(url), &r->path, err));
    TRY(arena_copy(&r->arena, str_from(method), &r->method, err));
    (void)MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, copy_value, r);
    r->openmetrics =
        str_find(request_header(r, "Accept"), STR("application/openmetrics-text")) >= 0;
    return OK;
}

static Slot *slot_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* ---- answers ---- */

static void add_header(void *arg, const char *name, const char *value)
{
    (void)MHD_add_response_header(arg, name, value);
}

/* Who is not known does not keep a connection, nor does who still has a body to send. */
static enum MHD_Result send_answer(Request *r, const Answer *a, bool closes, bool lingers)
{
    Slot *slot = slot_of(r->connection);
    bool late = a != &r->answer; /* it dies with this call */
    int64_t len = a->out.len;
    struct MHD_Response *response =
        MHD_create_response_from_buffer((size_t)len, len ? a->out.data : NULL,
                                        late ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT);
    request_count(r, a);
    if (!response) return MHD_NO;
    answer_headers(a, add_header, response);
    if (closes || lingers) add_header(response, "Connection", "close");
    pthread_mutex_lock(&r->api->slots.lock);
    slot->linger = lingers;
    pthread_mutex_unlock(&r->api->slots.lock);
    intake_deadline(r->api, slot, clock_mono_ns() + SEND_NS + len / SEND_BYTES_PER_S * SECOND_NS);
    enum MHD_Result result = MHD_queue_response(r->connection, (unsigned)a->status, response);
    MHD_destroy_response(response);
    return result;
}

/* The thread that works on it has its own answer still. */
static enum MHD_Result send_late(Request *r)
{
    Answer late;
    answer_init(&late);
    answer_problem(&late, 504, "Gateway Timeout",
                   "what this asks for did not answer in time; it was cancelled");
    enum MHD_Result result = send_answer(r, &late, !r->known, false);
    answer_done(&late);
    return result;
}

static bool body_follows(const Request *r)
{
    Str length = request_header(r, "Content-Length");
    return request_header(r, "Transfer-Encoding").len > 0 ||
           (length.len > 0 && !str_eq(length, STR("0")));
}

/* ---- heads ---- */

/* Bodies past what each connection may have count as memory of the neuron; under the lock. */
static bool charge(Request *r, int64_t bytes)
{
    Api *api = r->api;
    if (!api->options.memory) return true;
    if (!budget_reserve(api->options.memory, bytes)) return false;
    r->charge.bytes = bytes;
    r->charge.life = api->life;
    api->charged_bytes += bytes;
    return true;
}

static enum MHD_Result count_length(void *arg, enum MHD_ValueKind kind UNUSED, const char *key,
                                    const char *value UNUSED)
{
    int32_t *count = arg;
    *count += str_eq_nocase(str_from(key), STR("Content-Length"));
    return MHD_YES;
}

/* Where there are two, others on the way may take another one than we do. */
static bool has_lengths(const Request *r)
{
    int32_t count = 0;
    (void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_length, &count);
    return count > 1;
}

static bool body_allowed(Request *r)
{
    Str length = request_header(r, "Content-Length");
    int64_t bytes = 0;
    r->body = buf_make(r->route->body_max);
    if (request_header(r, "Transfer-Encoding").len > 0 && !r->known) {
        request_problem(r, 411, "Length Required", "say the length of the body");
        return false;
    }
    if (length.len == 0) return true;
    if (number_parse_int64(length, &bytes) != NUMBER_OK || bytes > r->route->body_max) {
        request_problem(r, 413, "Content Too Large", "this route takes a shorter body, or none");
        return false;
    }
    if (bytes <= BODY_FREE || charge(r, bytes)) return true;
    request_problem(r, 503, "Service Unavailable", "no memory is left for the body");
    return false;
}

/* False with the answer: without it, nothing of the body is read. Under the lock. */
static bool judge(Request *r)
{
    char allow[32];
    r->route = route_find(r->method, r->path, &r->name, allow);
    if (r->name.len && copy_slashes(&r->arena, r->name, &r->name, NULL) != OK) {
        request_problem(r, 503, "Service Unavailable", "no memory is left");
        return false;
    }
    if (has_lengths(r)) {
        request_problem(r, 400, "Bad Request", "more than one Content-Length");
        return false;
    }
    if (!request_allowed(r)) return false;
    if (!r->api->options.control && !(r->route && r->route->access == ACCESS_LIVE)) {
        request_problem(r, 503, "Service Unavailable", "the neuron is restarting; ask again");
        return false;
    }
    if (!r->route && allow[0]) {
        request_problem(r, 405, "Method Not Allowed", "this path has other methods");
        r->answer.allow = allow[0] == 'P' ? "POST" : "GET, HEAD";
        return false;
    }
    if (!r->route) {
        request_problem(r, 404, "Not Found", "no such path; /openapi.json lists them");
        return false;
    }
    return body_allowed(r);
}

/* A guess too many is answered a little later. */
static enum MHD_Result send_or_hold(Request *r, bool lingers)
{
    bool holds = r->answer.status == 429 && !atomic_load(&r->api->intake.closing);
    if (!holds) return send_answer(r, &r->answer, !r->known, lingers);
    work_hold(r, clock_mono_ns() + GUESS_HOLD_NS);
    return MHD_YES;
}

static void count_active(Api *api, int32_t change)
{
    pthread_mutex_lock(&api->lock);
    api->active += change;
    if (api->active == 0) pthread_cond_broadcast(&api->idle);
    pthread_mutex_unlock(&api->lock);
}

static enum MHD_Result begin(Api *api, struct MHD_Connection *connection, const char *url,
                             const char *method, void **state)
{
    Slot *slot = slot_of(connection);
    Request *r = slot ? request_new(api) : NULL;
    if (!r) return MHD_NO;
    *state = r;
    count_active(api, 1);
    r->connection = connection;
    r->peer = slot->peer;
    bool good = request_copy(r, url, method, NULL) == OK;
    pthread_mutex_lock(&api->lock);
    if (good) good = judge(r);
    else request_problem(r, 503, "Service Unavailable", "no memory is left");
    r->turn.stage = REQUEST_BODY;
    pthread_mutex_unlock(&api->lock);
    if (!good) return send_or_hold(r, body_follows(r));
    intake_deadline(api, slot, clock_mono_ns() + BODY_NS);
    return MHD_YES;
}

/* ---- bodies and work ---- */

/* What is too large is read to its end and dropped, so that the answer arrives. */
static void take_body(Request *r, Str bytes)
{
    int64_t len = r->body.len + bytes.len;
    if (r->too_large || r->starved) return;
    if (len > r->route->body_max) r->too_large = true;
    if (len > BODY_FREE && !r->charge.bytes && !r->too_large) {
        pthread_mutex_lock(&r->api->lock);
        r->starved = !charge(r, r->route->body_max);
        pthread_mutex_unlock(&r->api->lock);
    }
    if (!r->too_large && !r->starved && buf_append(&r->body, bytes, NULL) != OK) r->starved = true;
    if (r->too_large || r->starved) buf_done(&r->body);
}

/* Routes that never wait. */
static enum MHD_Result work_now(Request *r)
{
    Err err = {0};
    pthread_mutex_lock(&r->api->lock);
    r->control = r->api->options.control;
    r->answer.status = r->route->status;
    if (route_run(r, &err) != OK) request_failed(r, &err);
    pthread_mutex_unlock(&r->api->lock);
    return send_or_hold(r, false);
}

static enum MHD_Result work(Request *r)
{
    Err err = {0};
    if (r->too_large) {
        request_problem(r, 413, "Content Too Large", "this route takes a shorter body, or none");
    } else if (r->starved) {
        request_problem(r, 503, "Service Unavailable", "no memory is left for the body");
    } else if (r->route->lane == LANE_NONE) {
        return work_now(r);
    } else {
        intake_deadline(r->api, slot_of(r->connection), INT64_MAX); /* the lane has one */
        if (work_push(r, &err) == OK) return MHD_YES;
        request_problem(r, 503, "Service Unavailable", err.message);
    }
    return send_answer(r, &r->answer, !r->known, false);
}

/* ---- libmicrohttpd's callbacks ---- */

enum MHD_Result exchange_request(void *arg, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version UNUSED, const char *data,
                                 size_t *size, void **state)
{
    Api *api = arg;
    Request *r = *state;
    if (!r) return begin(api, connection, url, method, state);
    pthread_mutex_lock(&api->lock);
    RequestStage stage = r->turn.stage;
    pthread_mutex_unlock(&api->lock);
    if (stage == REQUEST_LATE) return send_late(r);
    if (stage == REQUEST_ANSWERED) return send_answer(r, &r->answer, !r->known, body_follows(r));
    if (*size > 0) {
        take_body(r, str_make(data, (int64_t)*size));
        *size = 0;
        return MHD_YES;
    }
    return work(r);
}

void exchange_done(void *arg, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode why UNUSED)
{
    Api *api = arg;
    Request *r = *state;
    Slot *slot = slot_of(connection);
    if (slot) intake_deadline(api, slot, clock_mono_ns() + HEAD_NS);
    if (!r) return;
    *state = NULL;
    request_unref(r);
    count_active(api, -1);
}

void exchange_connection(void *arg, struct MHD_Connection *connection, void **socket_state,
                         enum MHD_ConnectionNotificationCode what)
{
    Api *api = arg;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*socket_state) intake_closed(api, *socket_state);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *socket_state = NULL;
    pthread_mutex_lock(&api->slots.lock);
    for (int64_t i = 0; info && i < COUNT_OF(api->slots.items); i++) {
        Slot *at = &api->slots.items[i];
        if (at->phase != SLOT_SERVED || at->attached || at->fd != info->connect_fd) continue;
        at->attached = true;
        *socket_state = at;
    }
    pthread_mutex_unlock(&api->slots.lock);
}
