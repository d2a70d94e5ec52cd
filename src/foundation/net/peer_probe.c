/* Asks a server that says nothing on one connection whether it answers at all, over another. */
#include "foundation/net/peer_probe.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void peer_probe_end(PeerProbe *probe)
{
    if (probe->fd >= 0) (void)close(probe->fd);
    *probe = (PeerProbe){.fd = -1};
}

static PeerAnswer answer(PeerProbe *probe, PeerAnswer which)
{
    if (which != PEER_WAITED_FOR) peer_probe_end(probe);
    return which;
}

PeerAnswer peer_probe_start(PeerProbe *probe, int socket_fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    *probe = (PeerProbe){.fd = -1};
    if (getpeername(socket_fd, (struct sockaddr *)&peer, &len) != 0) return PEER_DEAD;
    probe->fd = socket(peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0) return PEER_ALIVE; /* no descriptor is left: nothing is known */
    int failed = connect(probe->fd, (struct sockaddr *)&peer, len);
    return answer(probe, failed && errno != EINPROGRESS ? PEER_DEAD : PEER_WAITED_FOR);
}

PeerAnswer peer_probe_look(PeerProbe *probe, Str question)
{
    struct pollfd fd = {.fd = probe->fd, .events = probe->asked ? POLLIN : POLLOUT};
    if (poll(&fd, 1, 0) <= 0) return PEER_WAITED_FOR;
    if (!probe->asked) {
        int64_t sent = send(probe->fd, question.ptr, (size_t)question.len, MSG_NOSIGNAL);
        probe->asked = sent == question.len;
        return answer(probe, probe->asked ? PEER_WAITED_FOR : PEER_DEAD);
    }
    char byte;
    return answer(probe, recv(probe->fd, &byte, 1, 0) == 1 ? PEER_ALIVE : PEER_DEAD);
}
