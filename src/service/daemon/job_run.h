/* One ticket, on a worker's thread. */
#ifndef NEURON_DAEMON_JOB_RUN_H
#define NEURON_DAEMON_JOB_RUN_H

#include "service/daemon/tickets.h"

/* Owns the ticket. */
void job_run(Daemon *d, Ticket *ticket);

#endif
