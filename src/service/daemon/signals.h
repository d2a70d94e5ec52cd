/* What the main thread waits for: signals of the process, and a wake-up by another thread. */
#ifndef NEURON_DAEMON_SIGNALS_H
#define NEURON_DAEMON_SIGNALS_H

#include "foundation/base/err.h"

typedef struct Daemon Daemon;

/* Takes SIGTERM, SIGINT and SIGHUP of the process. */
MUST_USE Status signals_open(Daemon *d, Err *err);
/* Also without an open. */
void signals_close(Daemon *d);
/* Until something happens, at most that long. */
void signals_wait(Daemon *d, int64_t timeout_ns);
/* Those that have come, without waiting: SIGTERM and SIGINT end the life and are kept in
 * life.signal, SIGHUP reloads. */
void signals_read(Daemon *d);

#endif
