/* The server itself: what it holds, by its parts. */
#ifndef NEURON_API_STATE_H
#define NEURON_API_STATE_H

#include "service/api/guesses.h"
#include "service/api/slots.h"
#include "service/api/work.h"

typedef struct Intake {
    Thread thread;
    int listen_fd, epoll_fd, wake_fd;
    int spare_fd; /* given up for a moment where no descriptor is left */
    _Atomic bool closing, ending;
    _Atomic int64_t sleeps_until_ns;
} Intake;

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

    Intake intake;
};

#endif
