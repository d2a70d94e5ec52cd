/* The queue of runs that wait for their turn. */
#ifndef NEURON_DAEMON_TICKETS_H
#define NEURON_DAEMON_TICKETS_H

#include "service/daemon/job.h"

typedef struct Daemon Daemon;

enum { TICKETS_OF_JOB_MAX = 100 }; /* waiting */

/* A run that waits for its turn. */
typedef struct Ticket {
    struct Ticket *next;
    Job *job;
    char run_id[RUN_ID_SIZE];
    char trigger[16];
    int64_t scheduled_us;
    int64_t attempts;      /* that failed before */
    int64_t not_before_ns; /* clock_mono_ns; 0: at once */
    int64_t waits_ns;      /* since when it waits for nothing but a worker; 0: it does not */
} Ticket;

/* Under the daemon's lock. */
typedef struct TicketQueue {
    Ticket *first, *last;
    int64_t wake_ns; /* when a ticket's wait is over; -1: none waits */
} TicketQueue;

/* Put into the store and the queue. *ret_run_id (RUN_ID_SIZE) may be NULL. */
MUST_USE Status job_enqueue(Daemon *d, Job *job, Str trigger, char *ret_run_id, Err *err);
/* The same for a tick; *ret_mine false: another neuron has taken it, and nothing is put. */
MUST_USE Status job_enqueue_tick(Daemon *d, Job *job, Str trigger, int64_t scheduled_us,
                                 bool *ret_mine, Err *err);
/* A ticket as it is (a retry, a resume); owns it. The main loop is woken, which starts it. */
void ticket_push(Daemon *d, Ticket *ticket);
/* The oldest one that may run now, taken out; NULL when there is none. Sets d->queue.wake_ns. Under
 * the lock. */
Ticket *ticket_take(Daemon *d);
/* One that was taken, before all others again. Under the lock. */
void ticket_put_back(Daemon *d, Ticket *ticket);
/* Take a waiting one out of the queue; NULL when it does not wait. Under the lock. */
Ticket *ticket_withdraw(Daemon *d, Str run_id);
/* Runs that wait for a tick later than this moment will not run: their tick is void. */
void tickets_void(Daemon *d, int64_t after_us);
void tickets_done(Daemon *d);
/* What waits for nothing but a worker. Under the lock. */
typedef struct Waiting {
    int64_t count[JOB_KINDS];
    int64_t longest_ns[JOB_KINDS];
    const Job *job; /* the one that waits longest; NULL: none */
} Waiting;
Waiting tickets_waiting(const Daemon *d);

#endif
