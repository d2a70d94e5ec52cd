/* The table of routes. */
#ifndef NEURON_API_ROUTES_H
#define NEURON_API_ROUTES_H

#include "service/api/request.h"

/* LIVE: open, needs no Control, and is answered by the thread that accepts. PAGE: the page itself
 * asks for the token. */
typedef enum RouteAccess {
    ACCESS_LIVE,
    ACCESS_OPEN,
    ACCESS_PAGE,
    ACCESS_METRICS,
    ACCESS_TOKEN
} RouteAccess;

/* Who does the work of a route, so that what hangs is in the way of its own kind alone. */
typedef enum Lane {
    LANE_NONE,   /* at once, on libmicrohttpd's thread: never waits for anything */
    LANE_HEALTH, /* waits for less than a second */
    LANE_LOCAL,  /* reads what the process and its machine know */
    LANE_STORE,  /* asks the state store */
    LANE_REMOTE, /* asks brokers and databases; at most two for one {name} */
    LANE_COUNT
} Lane;

/* `path` may hold one {name}. */
typedef struct Route {
    const char *method, *path;
    RouteAccess access;
    Lane lane;
    int32_t body_max;
    int32_t status; /* of success */
    Status (*run)(Request *request, Err *err);
    const char *summary;
    const char *query; /* names of query parameters, with commas between; NULL: none */
    /* Of a body that is a JSON object: its members, texts, with commas between; NULL: none of them
     * (a form, messages, no body). */
    const char *members;
} Route;

/* The request's work. ERR_USAGE for a member of its body that the route doesn't know. */
MUST_USE Status route_run(Request *request, Err *err);
/* The route for method and path. NULL: *ret_allow has the methods that the path has (404 when
 * empty). */
const Route *route_find(Str method, Str path, Str *ret_name, char ret_allow[32]);

#endif
