/* Lanes: a few threads for each kind of work, a short queue before them, a deadline for each. */
#include "service/api/work.h"

#include <stdio.h>

#include "foundation/base/clock.h"
#include "service/api/api_state.h"
#include "service/api/intake_wake.h"

#define SECOND_NS INT64_C(1000000000)
enum { QUEUE_MAX = 32, REMOTE_OF_NAME_MAX = 2 };

static const struct {
    const char *name;
    int32_t threads_max;
    int64_t deadline_ns;
} LANES[LANE_COUNT] = {
    [LANE_HEALTH] = {"http-health", 1, 3 * SECOND_NS},
    [LANE_LOCAL] = {"http-local", 2, 10 * SECOND_NS},
    [LANE_STORE] = {"http-store", 4, 10 * SECOND_NS},
    [LANE_REMOTE] = {"http-remote", LANE_THREADS_MAX, 20 * SECOND_NS},
};

void work_init(Api *api)
{
    for (int32_t i = 0; i < LANE_COUNT; i++) thread_cond_init(&api->lanes[i].wake);
}

/* ---- suspended requests; under the lock ---- */

static void suspend(Request *r, RequestStage stage, int64_t deadline_ns)
{
    Api *api = r->api;
    r->turn.stage = stage;
    r->turn.deadline_ns = deadline_ns;
    r->turn.next_suspended = api->suspended;
    api->suspended = r;
    MHD_suspend_connection(r->connection);
}

static void unsuspend(Request *r, RequestStage stage)
{
    Request **at = &r->api->suspended;
    while (*at != r) at = &(*at)->turn.next_suspended;
    *at = r->turn.next_suspended;
    r->turn.next_suspended = NULL;
    r->turn.stage = stage;
}

/* ---- a lane's threads ---- */

static Request *take(LaneQueue *lane)
{
    Request *r = lane->first;
    if (!r) return NULL;
    lane->first = r->turn.next_queued;
    if (!lane->first) lane->last = NULL;
    r->turn.next_queued = NULL;
    lane->queued--;
    return r;
}

static void run_one(Request *r)
{
    Err err = {0};
    if (!r->control) {
        request_problem(r, 503, "Service Unavailable", "the neuron is restarting; ask again");
        return;
    }
    r->answer.status = r->route->status;
    if (route_run(r, &err) != OK) request_failed(r, &err);
}

/* Comes and goes with the lock held. */
static void work_on(Api *api, Request **ret_running, Request *r)
{
    *ret_running = r;
    r->turn.stage = REQUEST_RUNNING;
    r->control = api->options.control;
    api->running++;
    pthread_mutex_unlock(&api->lock);
    run_one(r);
    pthread_mutex_lock(&api->lock);
    *ret_running = NULL;
    api->running--;
    bool wanted = r->turn.stage == REQUEST_RUNNING;
    if (wanted) unsuspend(r, REQUEST_ANSWERED);
    pthread_cond_broadcast(&api->idle);
    pthread_mutex_unlock(&api->lock);
    if (wanted) MHD_resume_connection(r->connection);
    request_unref(r);
    pthread_mutex_lock(&api->lock);
}

static void lane_run(void *arg)
{
    LaneThread *self = arg;
    Api *api = self->api;
    LaneQueue *lane = &api->lanes[self->lane];
    pthread_mutex_lock(&api->lock);
    while (!api->lanes_end) {
        Request *r = take(lane);
        if (r) {
            work_on(api, &lane->running[self - lane->threads], r);
            continue;
        }
        lane->idle_count++;
        (void)thread_cond_wait(&lane->wake, &api->lock, -1);
        lane->idle_count--;
    }
    pthread_mutex_unlock(&api->lock);
}

/* ---- handing over ---- */

static bool name_is_busy(const LaneQueue *lane, Str name)
{
    int32_t count = 0;
    for (const Request *at = lane->first; at; at = at->turn.next_queued)
        count += str_eq(at->name, name);
    for (int32_t i = 0; i < LANE_THREADS_MAX; i++) {
        count += lane->running[i] && str_eq(lane->running[i]->name, name);
    }
    return count >= REMOTE_OF_NAME_MAX;
}

/* A thread more where all are busy and there may be more. */
static Status lane_grow(Api *api, Lane which, Err *err)
{
    LaneQueue *lane = &api->lanes[which];
    if (lane->idle_count > lane->queued || lane->thread_count == LANES[which].threads_max) {
        return OK;
    }
    LaneThread *next = &lane->threads[lane->thread_count];
    *next = (LaneThread){.api = api, .lane = which};
    Status status = thread_start(&next->thread, LANES[which].name, lane_run, next, err);
    if (status == OK) lane->thread_count++;
    return lane->thread_count > 0 ? OK : status;
}

static Status push(Request *r, Err *err)
{
    Api *api = r->api;
    Lane which = r->route->lane;
    LaneQueue *lane = &api->lanes[which];
    if (lane->queued >= QUEUE_MAX) {
        return err_set(err, ERR_LIMIT, "too many requests wait already");
    }
    if (which == LANE_REMOTE && name_is_busy(lane, r->name)) {
        return err_set(err, ERR_LIMIT, "%d requests about \"%.*s\" are being answered already",
                       REMOTE_OF_NAME_MAX, STR_ARG(r->name));
    }
    TRY(lane_grow(api, which, err));
    if (lane->last) lane->last->turn.next_queued = r;
    else lane->first = r;
    lane->last = r;
    lane->queued++;
    r->refs++;
    suspend(r, REQUEST_QUEUED, clock_mono_ns() + LANES[which].deadline_ns);
    pthread_cond_signal(&lane->wake);
    return OK;
}

Status work_push(Request *r, Err *err)
{
    Api *api = r->api;
    int64_t latest_ns = clock_mono_ns() + LANES[r->route->lane].deadline_ns;
    pthread_mutex_lock(&api->lock);
    Status status = push(r, err);
    pthread_mutex_unlock(&api->lock);
    if (status == OK) intake_due(api, latest_ns);
    return status;
}

void work_hold(Request *r, int64_t until_ns)
{
    Api *api = r->api;
    pthread_mutex_lock(&api->lock);
    suspend(r, REQUEST_HELD, until_ns);
    pthread_mutex_unlock(&api->lock);
    intake_due(api, until_ns);
}

/* ---- deadlines ---- */

static void unqueue(LaneQueue *lane, const Request *r)
{
    Request *before = NULL;
    for (Request *at = lane->first; at != r; at = at->turn.next_queued) before = at;
    if (before) before->turn.next_queued = r->turn.next_queued;
    else lane->first = r->turn.next_queued;
    if (lane->last == r) lane->last = before;
    lane->queued--;
}

/* Under the lock: out of its stage, for whom its connection is to be resumed. */
static void end_waiting(Request *r)
{
    RequestStage was = r->turn.stage;
    atomic_store(&r->turn.stop, true);
    unsuspend(r, was == REQUEST_HELD ? REQUEST_ANSWERED : REQUEST_LATE);
    if (was != REQUEST_QUEUED) return;
    unqueue(&r->api->lanes[r->route->lane], r);
    r->refs--; /* the queue's; the connection has another */
}

int64_t work_expire(Api *api, int64_t now_ns)
{
    int64_t next_ns = INT64_MAX;
    Request *due = NULL;
    pthread_mutex_lock(&api->lock);
    for (Request *at = api->suspended, *next; at; at = next) {
        next = at->turn.next_suspended;
        if (at->turn.deadline_ns > now_ns) {
            next_ns = int64_min(next_ns, at->turn.deadline_ns);
            continue;
        }
        end_waiting(at);
        at->turn.next_suspended = due;
        due = at;
    }
    pthread_mutex_unlock(&api->lock);
    for (Request *at = due, *next; at; at = next) {
        next = at->turn.next_suspended; /* it may be gone as soon as it is resumed */
        MHD_resume_connection(at->connection);
    }
    return next_ns;
}

void work_stop(Api *api)
{
    for (int32_t i = 0; i < LANE_COUNT; i++) {
        for (int32_t k = 0; k < LANE_THREADS_MAX; k++) {
            Request *r = api->lanes[i].running[k];
            if (r) atomic_store(&r->turn.stop, true);
        }
    }
}

void work_done(Api *api)
{
    pthread_mutex_lock(&api->lock);
    api->lanes_end = true;
    for (int32_t i = 0; i < LANE_COUNT; i++) pthread_cond_broadcast(&api->lanes[i].wake);
    pthread_mutex_unlock(&api->lock);
    for (int32_t i = 0; i < LANE_COUNT; i++) {
        LaneQueue *lane = &api->lanes[i];
        for (int32_t k = 0; k < lane->thread_count; k++) thread_join(&lane->threads[k].thread);
        pthread_cond_destroy(&lane->wake);
    }
}
