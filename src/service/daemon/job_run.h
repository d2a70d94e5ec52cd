/* One ticket, on a worker's thread. */
#ifndef NEURON_DAEMON_JOB_RUN_H
#define NEURON_DAEMON_JOB_RUN_H

#include "service/daemon/daemon_impl.h"

void job_run(Daemon *d, Ticket *ticket);
/* A pipeline's run that does not take place. Owns the ticket. */
void job_skip(Daemon *d, Ticket *ticket, Str why);

#endif
