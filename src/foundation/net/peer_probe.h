/* Asks a server that says nothing on one connection whether it answers at all, over another. */
#ifndef NEURON_PEER_PROBE_H
#define NEURON_PEER_PROBE_H

#include "foundation/base/str.h"

typedef enum PeerAnswer { PEER_WAITED_FOR, PEER_ALIVE, PEER_DEAD } PeerAnswer;

/* One question under way; zeroed, fd -1: none. Nothing here waits. */
typedef struct PeerProbe {
    int fd;
    bool asked; /* the question is sent */
} PeerProbe;

/* Connect to the peer of that socket (TCP or local); PEER_DEAD where that fails at once. */
PeerAnswer peer_probe_start(PeerProbe *probe, int socket_fd);
/* Send `question` when the connection is there; one byte of any answer is enough. Closes the probe
 * unless it is waited for still. */
PeerAnswer peer_probe_look(PeerProbe *probe, Str question);
/* Harmless where none is under way. */
void peer_probe_end(PeerProbe *probe);

#endif
