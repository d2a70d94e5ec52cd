/* A pipeline's run in the state store: waiting, running, ended. */
#ifndef NEURON_DAEMON_RUN_RECORD_H
#define NEURON_DAEMON_RUN_RECORD_H

#include "service/daemon/tickets.h"
#include "work/pipeline/pipeline.h"

/* As it is; `status`: queued, running. `started_us` 0: it has not begun. A store that can't be
 * written is logged and counted: the run goes on without. */
void run_record_put(Daemon *d, const Ticket *ticket, const char *status, int64_t started_us);
/* Its end, with its result, and what the federation is told. */
void run_record_finish(Daemon *d, const Ticket *ticket, const RunResult *result, Str status);
/* One more attempt of it failed. */
void run_record_failure(Daemon *d, const Ticket *ticket, const Err *why);
/* A run that does not take place. Owns the ticket. */
void run_record_skip(Daemon *d, Ticket *ticket, Str why);

#endif
