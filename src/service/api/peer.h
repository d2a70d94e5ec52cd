/* Where a connection comes from, as limits count it: an IPv4 address, or the /64 of an IPv6 one. */
#ifndef NEURON_PEER_H
#define NEURON_PEER_H

#include <sys/socket.h>

#include "foundation/base/macro.h"

typedef struct Peer {
    uint8_t network[16]; /* IPv4 as ::ffff:a.b.c.d; of IPv6 the last eight bytes are 0 */
    bool loopback;
} Peer;

/* Any other family of addresses (a Unix socket) is one peer, outside loopback. */
Peer peer_of(const struct sockaddr *address);
bool peer_eq(const Peer *a, const Peer *b);

#endif
