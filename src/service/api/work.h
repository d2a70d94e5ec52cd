/* Lanes: threads for each kind of work. */
#ifndef NEURON_API_WORK_H
#define NEURON_API_WORK_H

#include "foundation/base/thread.h"
#include "service/api/routes.h"

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

#endif
