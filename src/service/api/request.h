/* A request, from its head to its answer. */
#ifndef NEURON_API_REQUEST_H
#define NEURON_API_REQUEST_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "foundation/base/arena.h"
#include "service/api/answer.h"
#include "service/api/api.h"
#include "service/api/peer.h"

enum {
    API_BODY_MAX = 1 << 20,
    API_SLASH = 0x1f /* in a path that was decoded: what was %2F, so part of a name */
};

/* A parameter of the query, decoded. */
typedef struct QueryValue {
    struct QueryValue *next;
    Str name, value;
} QueryValue;

/*     NEW ─▶ BODY ─▶ QUEUED ─▶ RUNNING ─▶ ANSWERED
 *                      └──────────┴──deadline──▶ LATE
 * Only QUEUED, RUNNING and HELD (an answer that is kept back for a moment) are suspended, and who
 * moves a request out of these resumes its connection. Under api->lock. */
typedef enum RequestStage {
    REQUEST_NEW,
    REQUEST_BODY,
    REQUEST_HELD,
    REQUEST_QUEUED,
    REQUEST_RUNNING,
    REQUEST_ANSWERED,
    REQUEST_LATE
} RequestStage;

/* work.c; under api->lock. */
typedef struct RequestTurn {
    RequestStage stage;
    int64_t deadline_ns;
    _Atomic bool stop; /* nobody waits for the answer any more */
    struct Request *next_queued, *next_suspended;
} RequestTurn;

/* What a long body counts of the neuron's memory, in that life of the API. */
typedef struct BodyCharge {
    int64_t bytes, life;
} BodyCharge;

/* One request, and its answer as it grows. It owns all it refers to but the connection, so that a
 * thread may still work on it after the connection is gone. While it is RUNNING or LATE its answer
 * is that thread's. */
typedef struct Request {
    Api *api;
    struct MHD_Connection *connection; /* for libmicrohttpd's thread, and to resume */
    Arena arena;
    const struct Route *route;
    Str method, path;
    Str name; /* what is at {name} in the route */
    QueryValue *query;
    const Control *control; /* while its work is done */
    bool openmetrics;       /* by Accept */
    Peer peer;
    bool known; /* came with the token or a session, or needs none */
    Buf body;
    Answer answer;
    int64_t start_ns;

    bool too_large, starved; /* its body passed its maximum; found no memory */
    BodyCharge charge;
    int32_t refs; /* under api->lock */
    RequestTurn turn;
} Request;

/* NULL when memory is short. */
Request *request_new(Api *api);
/* The last of two gives it back: the connection's, and the work's. */
void request_unref(Request *request);
/* A query parameter; empty when there is none. */
Str request_query(const Request *request, const char *name);
/* On libmicrohttpd's thread only. */
Str request_header(const Request *request, const char *name);
/* 0 when absent; ERR_USAGE when it is not a number from 0 to `max`. */
MUST_USE Status request_number(const Request *request, const char *name, int64_t max,
                               int64_t *ret_number, Err *err);

/* answer.c */
void request_problem(Request *request, int32_t status, const char *title, const char *detail);
void request_failed(Request *request, const Err *err);
/* A document of our own, with the policy that lets it alone run; more may be appended. */
MUST_USE Status request_page(Request *request, Str document, Err *err);
void request_count(const Request *request, const Answer *answer);

#endif
