/* Peers from socket addresses. */
#include "service/api/peer.h"

#include <netinet/in.h>
#include <string.h>

static Peer peer_v4(const uint8_t address[4])
{
    Peer peer = {.network = {[10] = 0xff, [11] = 0xff}, .loopback = address[0] == 127};
    memcpy(peer.network + 12, address, 4);
    return peer;
}

Peer peer_of(const struct sockaddr *address)
{
    Peer peer = {.loopback = false};
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        uint8_t bytes[4];
        memcpy(bytes, &in.sin_addr, sizeof bytes);
        return peer_v4(bytes);
    }
    if (address->sa_family != AF_INET6) return peer;
    memcpy(&in6, address, sizeof in6);
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) return peer_v4(in6.sin6_addr.s6_addr + 12);
    memcpy(peer.network, in6.sin6_addr.s6_addr, 8);
    peer.loopback = IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    return peer;
}

bool peer_eq(const Peer *a, const Peer *b)
{
    return a->loopback == b->loopback && memcmp(a->network, b->network, sizeof a->network) == 0;
}
