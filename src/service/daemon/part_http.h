/* The HTTP API as a part of the daemon: it lives over reloads. */
#ifndef NEURON_DAEMON_PART_HTTP_H
#define NEURON_DAEMON_PART_HTTP_H

#include "foundation/base/err.h"

typedef struct Daemon Daemon;

/* Listens; everything but /livez is answered with 503 until http_serve. */
MUST_USE Status http_listen(Daemon *d, Err *err);
MUST_USE Status http_serve(Daemon *d, Err *err);
/* No request uses the daemon any more. False: the work for one does not end. */
bool http_settle(Daemon *d);

#endif
