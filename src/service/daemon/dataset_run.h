/* Checks of datasets. */
#ifndef NEURON_DAEMON_DATASET_RUN_H
#define NEURON_DAEMON_DATASET_RUN_H

#include "service/daemon/tickets.h"

/* On a worker's thread. Owns the ticket. */
void dataset_run(Daemon *d, Ticket *ticket);

#endif
