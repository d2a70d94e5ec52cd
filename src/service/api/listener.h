/* The listening socket of one address, which belongs to this process alone. */
#ifndef NEURON_LISTENER_H
#define NEURON_LISTENER_H

#include "foundation/base/err.h"

typedef struct Listener {
    int fd;       /* non-blocking; the caller closes it */
    int32_t port; /* the one that was taken, also where 0 was asked for */
} Listener;

/* `listen`: address:port, [v6]:port or :port. ERR_CONFIG for one that is none or can't be had here,
 * ERR_CONNECT (exit code 3) where another process listens: the message names it when this user may
 * know. A port whose last owner ended just now is free. */
MUST_USE Status listener_open(Str listen, Listener *ret_listener, Err *err);

#endif
