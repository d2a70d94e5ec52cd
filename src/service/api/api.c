/* The HTTP server's life: starting, a Control attached and detached, an orderly end. */
#include "service/api/api.h"

#include <unistd.h>

#include "foundation/base/clock.h"
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "service/api/api_state.h"
#include "service/api/exchange.h"
#include "service/api/intake.h"
#include "service/api/listener.h"

enum {
    CONNECTION_BYTES = 32 << 10, /* headers of one request */
    IDLE_S = 15,
};
/* Answers that are on their way at the end get so long. */
#define ENDING_NS INT64_C(1000000000)
/* What is cancelled gets so long: two calls of the state store, one after the other, and a little.
 */
#define CANCEL_NS INT64_C(25000000000)

/* "%1F" decodes to API_SLASH. */
static void keep_slashes(char *path)
{
    for (char *at = path; (at = strchr(at, '%')); at++) {
        if (at[1] == '2' && (at[2] == 'F' || at[2] == 'f')) at[1] = '1';
    }
}

/* A text ends at a zero byte, and "/livez%00" is not "/livez": what has one stays as it came. */
static size_t unescape(void *arg UNUSED, struct MHD_Connection *connection UNUSED, char *text)
{
    if (strstr(text, "%00")) return strlen(text);
    if (text[0] == '/') keep_slashes(text);
    return MHD_http_unescape(text);
}

static Status daemon_open(Api *api, Err *err)
{
    /* Connections come from the intake, which also counts them; this limit is never reached. */
    api->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ITC,
        0, NULL, NULL, exchange_request, api, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)SLOTS_PHASE_MAX * 2, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_NOTIFY_COMPLETED, exchange_done,
        api, MHD_OPTION_NOTIFY_CONNECTION, exchange_connection, api, MHD_OPTION_UNESCAPE_CALLBACK,
        unescape, NULL, MHD_OPTION_END);
    return api->daemon ? OK : err_set(err, ERR_IO, "the HTTP server could not be started");
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
    pthread_mutex_lock(&api->lock);
    arena_done(&api->arena);
    api->arena = arena;
    api->options = copy;
    api->host = str_slice(copy.listen, 0, colon);
    api->life++;
    api->charged_bytes = 0;
    pthread_mutex_unlock(&api->lock);
    return OK;
}

Status api_attach(Api *api, const ApiOptions *options, Err *err)
{
    return options_set(api, options, err);
}

static bool is_idle(const Api *api)
{
    bool queued = false;
    for (int32_t i = 0; i < LANE_COUNT; i++) queued = queued || api->lanes[i].queued > 0;
    return api->running == 0 && !queued;
}

bool api_detach(Api *api)
{
    if (!api) return true;
    int64_t deadline_ns = clock_mono_ns() + CANCEL_NS;
    pthread_mutex_lock(&api->lock);
    api->options.control = NULL; /* what is queued is answered without it */
    if (api->options.memory) budget_release(api->options.memory, api->charged_bytes);
    api->options.memory = NULL;
    api->charged_bytes = 0;
    api->life++;
    work_stop(api);
    while (!is_idle(api) && thread_cond_wait(&api->idle, &api->lock, deadline_ns)) {
    }
    bool idle = is_idle(api);
    pthread_mutex_unlock(&api->lock);
    return idle;
}

bool api_listens(const Api *api, Str listen)
{
    return str_eq(api->options.listen, listen);
}

static void api_free(Api *api)
{
    intake_stop(api);
    arena_done(&api->arena);
    pthread_cond_destroy(&api->idle);
    pthread_mutex_destroy(&api->lock);
    mem_free(api);
}

static Api *api_new(void)
{
    Api *api = mem_zalloc((int64_t)sizeof *api);
    if (!api) return NULL;
    api->intake.listen_fd = api->intake.epoll_fd = api->intake.wake_fd = api->intake.spare_fd = -1;
    pthread_mutex_init(&api->lock, NULL);
    thread_cond_init(&api->idle);
    slots_init(&api->slots);
    work_init(api);
    return api;
}

Status api_start(const ApiOptions *options, Api **ret_api, Err *err)
{
    Listener listener = {.fd = -1};
    TRY(listener_open(options->listen, &listener, err));
    Api *api = api_new();
    if (!api) {
        (void)close(listener.fd);
        return err_memory(err);
    }
    api->port = listener.port;
    api->intake.listen_fd = listener.fd;
    Status status = options_set(api, options, err);
    if (status == OK) status = hash_random(api->key, sizeof api->key, err);
    if (status == OK) status = daemon_open(api, err);
    if (status == OK) status = intake_start(api, err);
    if (status == OK) *ret_api = api;
    else api_stop(api);
    return status;
}

/* Nothing is suspended any more: libmicrohttpd can't be stopped otherwise. */
void api_stop(Api *api)
{
    if (!api) return;
    int64_t deadline_ns = clock_mono_ns() + ENDING_NS;
    intake_close(api);
    (void)work_expire(api, INT64_MAX);
    pthread_mutex_lock(&api->lock);
    while (api->active > 0 && thread_cond_wait(&api->idle, &api->lock, deadline_ns)) {
    }
    pthread_mutex_unlock(&api->lock);
    (void)work_expire(api, INT64_MAX);
    work_done(api);
    if (api->daemon) MHD_stop_daemon(api->daemon);
    api_free(api);
}

int32_t api_port(const Api *api)
{
    return api->port;
}
