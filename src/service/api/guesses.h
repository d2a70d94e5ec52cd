/* Wrong tokens by address: a few are a person's slips, more of them are guesses. */
#ifndef NEURON_GUESSES_H
#define NEURON_GUESSES_H

#include "service/api/peer.h"

/* Of one address in one minute; what comes after them is slowed. */
enum { GUESSES_FREE = 10, GUESSES_PEERS_MAX = 512 };

typedef struct GuessPeer {
    Peer peer;
    int64_t begun_ns; /* of its minute; 0: no entry */
    int32_t count;
} GuessPeer;

/* The addresses that guessed last; zero-initialised. Where there is no room the oldest is
 * forgotten. The caller locks. */
typedef struct Guesses {
    GuessPeer peers[GUESSES_PEERS_MAX];
} Guesses;

/* One more; how many that makes in its minute. `now_ns` is clock_mono_ns(), > 0. */
int32_t guesses_note(Guesses *guesses, const Peer *peer, int64_t now_ns);
/* It has used up its free ones. */
bool guesses_are_many(const Guesses *guesses, const Peer *peer, int64_t now_ns);

#endif
