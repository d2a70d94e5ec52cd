/* A count for each address and minute. */
#include "service/api/guesses.h"

#define GUESSES_NS INT64_C(60000000000)

static const GuessPeer *guesses_find(const Guesses *guesses, const Peer *peer, int64_t now_ns)
{
    for (int32_t i = 0; i < GUESSES_PEERS_MAX; i++) {
        const GuessPeer *at = &guesses->peers[i];
        bool lives = at->begun_ns > 0 && now_ns - at->begun_ns < GUESSES_NS;
        if (lives && peer_eq(&at->peer, peer)) return at;
    }
    return NULL;
}

int32_t guesses_note(Guesses *guesses, const Peer *peer, int64_t now_ns)
{
    const GuessPeer *found = guesses_find(guesses, peer, now_ns);
    if (found) return ++guesses->peers[found - guesses->peers].count;
    GuessPeer *oldest = &guesses->peers[0];
    for (int32_t i = 1; i < GUESSES_PEERS_MAX; i++) {
        if (guesses->peers[i].begun_ns < oldest->begun_ns) oldest = &guesses->peers[i];
    }
    *oldest = (GuessPeer){.peer = *peer, .begun_ns = now_ns, .count = 1};
    return 1;
}

bool guesses_are_many(const Guesses *guesses, const Peer *peer, int64_t now_ns)
{
    const GuessPeer *found = guesses_find(guesses, peer, now_ns);
    return found && found->count >= GUESSES_FREE;
}
