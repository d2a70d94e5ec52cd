/* What the files of this module share: requests, routes, answers, the server itself. */
#ifndef NEURON_API_IMPL_H
#define NEURON_API_IMPL_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "foundation/base/arena.h"
#include "foundation/base/thread.h"
#include "service/api/api.h"
#include "service/api/guesses.h"
#include "service/api/slots.h"

enum {
    API_BODY_MAX = 1 << 20,
    API_BODY_FREE = 16 << 10, /* so much of a body is its connection's own; more is charged */
    API_ANSWER_MAX = 64 << 20,
    SESSION_SIZE = 65,
    API_SLASH = 0x1f /* in a path that was decoded: what was %2F, so part of a name */
};

typedef struct Answer {
    Buf out;
    int32_t status;
    const char *type;
    const char *allow; /* for 405 */
    const char *location;
    const char *policy; /* what the page may load and run; NULL: nothing */
    char cookie[192];
} Answer;

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
    int64_t charged_bytes;   /* of api->options.memory, in the API's life `charged_life` */
    int64_t charged_life;

    /* work.c; under api->lock */
    RequestStage stage;
    int32_t refs;
    int64_t deadline_ns;
    _Atomic bool stop; /* nobody waits for the answer any more */
    struct Request *next_queued, *next_suspended;
} Request;

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
extern const Route API_ROUTES[];
extern const int32_t API_ROUTE_COUNT;

enum { LANE_THREADS_MAX = 8 };

typedef struct LaneThread {
    Thread thread;
    Api *api;
    Lane lane;
} LaneThread;

/* Under api->lock. */
typedef struct LaneQueue {
    Request *first, *last;
    Request *running[LANE_THREADS_MAX];
    int32_t queued, thread_count, idle_count;
    LaneThread threads[LANE_THREADS_MAX];
    pthread_cond_t wake;
} LaneQueue;

/* Locks: `lock` before `slots.lock`; neither is held while anything is waited for. */
struct Api {
    pthread_mutex_t lock;
    pthread_cond_t idle; /* a request or its work ended */
    Arena arena;         /* of the options' texts */
    ApiOptions options;  /* control NULL: detached */
    Str host;            /* of `listen` */
    int64_t life;        /* attached for the n-th time */
    int64_t charged_bytes;
    Guesses guesses;
    int32_t active;     /* requests whose answers are not sent yet */
    int32_t running;    /* whose work is being done */
    Request *suspended; /* all that are HELD, QUEUED or RUNNING */
    bool lanes_end;
    LaneQueue lanes[LANE_COUNT];

    uint8_t key[32]; /* of sessions */
    int32_t port;
    struct MHD_Daemon *daemon;
    Slots slots;

    /* intake.c */
    Thread intake;
    int listen_fd, epoll_fd, wake_fd;
    int spare_fd; /* given up for a moment where no descriptor is left */
    _Atomic bool closing, ending;
    _Atomic int64_t sleeps_until_ns;
};

/* ---- exchange.c: libmicrohttpd's callbacks ---- */
enum MHD_Result exchange_request(void *arg, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *size, void **state);
void exchange_done(void *arg, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode why);
void exchange_connection(void *arg, struct MHD_Connection *connection, void **socket_state,
                         enum MHD_ConnectionNotificationCode what);
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

/* ---- routes.c ---- */
/* The route for method and path. NULL: *ret_allow has the methods that the path has (404 when
 * empty). */
/* The request's work. ERR_USAGE for a member of its body that the route doesn't know. */
MUST_USE Status route_run(Request *request, Err *err);
const Route *route_find(Str method, Str path, Str *ret_name, char ret_allow[32]);

/* ---- access.c, under api->lock ---- */
/* Who may not: fills the answer and returns false. */
bool request_allowed(Request *request);
/* The token, or a session that was made with it. */
bool secret_opens(const Api *api, Str bearer, Str session);
/* Counts a wrong token; true when the address has guessed too often. */
bool request_guessed(Request *request);

/* ---- answer.c ---- */
void answer_init(Answer *answer);
void answer_done(Answer *answer);
/* An RFC 9457 answer in place of what there was. */
void answer_problem(Answer *answer, int32_t status, const char *title, const char *detail);
void request_problem(Request *request, int32_t status, const char *title, const char *detail);
void request_failed(Request *request, const Err *err);
/* A document of our own, with the policy that lets it alone run; more may be appended. */
MUST_USE Status request_page(Request *request, Str document, Err *err);
/* Its headers but Content-Length and Connection, one by one. */
void answer_headers(const Answer *answer,
                    void (*each)(void *arg, const char *name, const char *value), void *arg);
/* All of it as bytes, closing the connection; without the body for HEAD. */
MUST_USE Status answer_bytes(const Answer *answer, bool head_only, Buf *out, Err *err);
void request_count(const Request *request, const Answer *answer);

MUST_USE Status openapi_write(Buf *out, Err *err);
extern const char API_PAGE[];

/* ---- work.c: lanes of threads ---- */
void work_init(Api *api);
/* Hand a request to its route's lane: suspends its connection. ERR_LIMIT: the lane is full. */
MUST_USE Status work_push(Request *request, Err *err);
/* Keep an answer back for a moment: suspends its connection. */
void work_hold(Request *request, int64_t until_ns);
/* Resume what was held long enough, and what is late. Returns the next time to ask. */
int64_t work_expire(Api *api, int64_t now_ns);
/* Whatever runs is told to stop. Under api->lock. */
void work_stop(Api *api);
/* When nothing is queued and nothing runs any more: ends the threads. */
void work_done(Api *api);

/* ---- intake.c: accepting, first heads, deadlines ---- */
/* From api->listen_fd, which is the intake's from now on. */
MUST_USE Status intake_start(Api *api, Err *err);
/* No new connections; deadlines go on being kept. */
void intake_close(Api *api);
void intake_stop(Api *api);
/* Something is due then, perhaps before the intake would look again. */
void intake_due(Api *api, int64_t at_ns);
/* The slot's phase is over at that time. */
void intake_deadline(Api *api, Slot *slot, int64_t deadline_ns);
/* Of a connection that libmicrohttpd closes: free, or lingering. */
void intake_closed(Api *api, Slot *slot);

/* ---- login.c ---- */
MUST_USE Status login_page(Request *request, const char *message, Err *err);
MUST_USE Status login_post(Request *request, Err *err);
MUST_USE Status logout_post(Request *request, Err *err);
/* The session that the token gives; under api->lock. */
MUST_USE Status session_of(const Api *api, char ret_session[SESSION_SIZE], Err *err);
/* Takes as long for a wrong secret as for the right one. */
bool secret_is(Str given, Str wanted);

#endif
