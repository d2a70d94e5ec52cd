/* The parts of a running neuron in the order in which they start; they stop in the reverse order.
 */
#ifndef NEURON_DAEMON_PARTS_H
#define NEURON_DAEMON_PARTS_H

#include "foundation/base/err.h"

typedef struct Daemon Daemon;

typedef struct DaemonPart {
    const char *name;
    bool beside; /* a start that fails degrades this part alone */
    /* What is above it in the table has started; what it holds is in the Daemon. */
    Status (*start)(Daemon *d, Err *err);
    /* Takes no new work, waits for nothing; NULL: there is nothing to do. */
    void (*drain)(Daemon *d);
    /* Waits for work that goes on. False: it does not end, and nothing may be freed. */
    bool (*settle)(Daemon *d);
    /* Also after a start that failed; what is below it in the table has stopped. */
    void (*stop)(Daemon *d);
} DaemonPart;

/* Up to the first one that fails and is not `beside`. *ret_started: for the calls below. */
MUST_USE Status parts_start(Daemon *d, int32_t *ret_started, Err *err);
/* False: work does not end. It was logged, and parts_stop must not be called. */
MUST_USE bool parts_settle(Daemon *d, int32_t started);
void parts_stop(Daemon *d, int32_t started);

#endif
