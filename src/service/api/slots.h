/* The connections of the HTTP server by phase, and the shares that addresses have of them. */
#ifndef NEURON_SLOTS_H
#define NEURON_SLOTS_H

#include <pthread.h>

#include "foundation/base/err.h"
#include "service/api/peer.h"

/* FREE ─accept─▶ HEAD ─whole─▶ SERVED ─closed─▶ LINGER ─▶ FREE
 * HEAD: its first head has not come whole; nothing of it was read. SERVED: libmicrohttpd owns the
 * descriptor. LINGER: answered and closed for writing; what the other side still sends is read and
 * dropped, so that it gets the answer and no reset. */
typedef enum SlotPhase { SLOT_FREE, SLOT_HEAD, SLOT_SERVED, SLOT_LINGER } SlotPhase;

typedef struct Slot {
    SlotPhase phase;
    int fd;
    Peer peer;
    bool attached; /* SERVED: libmicrohttpd has taken it and tells when it closes it */
    bool linger;   /* SERVED: it is to linger when it is closed */
    int64_t since_ns;
    int64_t deadline_ns; /* of the phase, in all; INT64_MAX: none */
    int64_t bytes;       /* HEAD: seen; LINGER: dropped */
} Slot;

/* Who gets what is left last. */
typedef enum SlotClass {
    SLOT_STRANGER, /* up to three quarters, and up to the share of an address */
    SLOT_HEALTH,   /* health routes and loopback: up to seven eighths, and the share */
    SLOT_OWNER     /* bears the token, or needs none: everything */
} SlotClass;

enum {
    SLOTS_PHASE_MAX = 256, /* of heads, and of served ones */
    SLOTS_LINGER_MAX = 64,
    SLOTS_HEADS_OF_PEER = 32,
    SLOTS_SERVED_OF_PEER = 64,
    SLOTS_SERVED_OF_GUESSER = 8, /* of an address that guesses tokens */
};

/* Under the lock, all of it. */
typedef struct Slots {
    pthread_mutex_t lock;
    Slot items[2 * SLOTS_PHASE_MAX + SLOTS_LINGER_MAX];
    int32_t phase_max; /* at most SLOTS_PHASE_MAX; less where few descriptors may be open */
} Slots;

void slots_init(Slots *slots);
/* `descriptors_max`: of the process; a quarter of them is for heads, and one for served ones. */
void slots_limit(Slots *slots, int64_t descriptors_max);
void slots_done(Slots *slots);

/* `peer` NULL: of all. */
int32_t slots_count(const Slots *slots, SlotPhase phase, const Peer *peer);
/* The one that is longest in its phase; NULL: none. */
Slot *slots_oldest(Slots *slots, SlotPhase phase, const Peer *peer);
/* The head that has to go before this address may have another one; NULL: there is room. */
Slot *slots_head_to_drop(Slots *slots, const Peer *peer);
/* A free one, put into the phase. There is one whenever phases keep to their maxima. */
Slot *slots_take(Slots *slots, SlotPhase phase, int fd, const Peer *peer, int64_t now_ns,
                 int64_t deadline_ns);
/* Whether one more of this class and address may be served. */
bool slots_may_serve(const Slots *slots, SlotClass class, const Peer *peer, bool guesses);
/* The earliest deadline; INT64_MAX: none. */
int64_t slots_deadline(const Slots *slots);

#endif
