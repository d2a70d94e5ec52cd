/* What the files of this room share: requests, routes, answers. */
#ifndef NEURON_API_IMPL_H
#define NEURON_API_IMPL_H

#include <microhttpd.h>

#include "foundation/base/arena.h"
#include "foundation/base/thread.h"
#include "service/api/api.h"

enum { API_BODY_MAX = 1 << 20, API_ANSWER_MAX = 64 << 20, SESSION_SIZE = 65 };

/* One request, and its answer as it grows. */
typedef struct Request {
    struct MHD_Connection *connection;
    Api *api;
    const struct Route *route;
    Str method, path;
    Str name; /* what stands for {name} in the route */
    Buf body, out;
    bool too_large;
    int32_t status;
    const char *type;  /* of the answer */
    const char *allow; /* for 405 */
    const char *location;
    char cookie[192];
    bool known; /* came with the token or a session, or needs none */
    int64_t start_ns;
} Request;

/* LIVE: open, and needs no Control. PAGE: the page itself asks for the token. */
typedef enum RouteAccess {
    ACCESS_LIVE,
    ACCESS_OPEN,
    ACCESS_PAGE,
    ACCESS_METRICS,
    ACCESS_TOKEN
} RouteAccess;

/* `path` may hold one {name}. */
typedef struct Route {
    const char *method, *path;
    RouteAccess access;
    int32_t status; /* of success */
    Status (*run)(Request *request, Err *err);
    const char *summary;
    const char *query; /* names of query parameters, with commas between; NULL: none */
} Route;
extern const Route API_ROUTES[];
extern const int32_t API_ROUTE_COUNT;

struct Api {
    Arena arena;           /* of the options' texts */
    ApiOptions options;    /* control NULL: detached; under `using` */
    pthread_mutex_t using; /* held while a request uses the options */
    uint8_t key[32];       /* of sessions */
    int64_t guess_ns;      /* login.c; under `using` */
    int32_t guesses;
    struct MHD_Daemon *daemon;
    int32_t port;
    Str host; /* of `listen` */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    int32_t active; /* requests whose answers are not sent yet; under the lock */
};

/* A query parameter; empty when there is none. */
Str request_query(const Request *request, const char *name);
Str request_header(const Request *request, const char *name);
/* 0 when absent; ERR_USAGE when it is no number from 0 to `max`. */
MUST_USE Status request_number(const Request *request, const char *name, int64_t max,
                               int64_t *ret_number, Err *err);
/* The route for method and path. NULL: *ret_allow tells the methods that the path has (404 when
 * empty). */
const Route *route_find(Str method, Str path, Str *ret_name, char ret_allow[32]);
/* Who may not: fills the answer and returns false. */
bool request_allowed(Request *request);
/* An RFC 9457 answer in place of what there was. */
void request_problem(Request *request, int32_t status, const char *title, const char *detail);
void request_failed(Request *request, const Err *err);
MUST_USE Status openapi_write(Buf *out, Err *err);

extern const char API_PAGE[];

/* login.c */
bool request_has_session(const Request *request);
MUST_USE Status login_page(Request *request, const char *message, Err *err);
MUST_USE Status login_post(Request *request, Err *err);
MUST_USE Status logout_post(Request *request, Err *err);
/* Takes as long for a wrong secret as for the right one. */
bool secret_is(Str given, Str wanted);

#endif
