/* Counting and choosing among a few hundred slots, by walking over them. */
#include "service/api/slots.h"

enum { DESCRIPTORS_SHARE = 4, PHASE_MIN = 16 };

void slots_init(Slots *slots)
{
    pthread_mutex_init(&slots->lock, NULL);
    slots->phase_max = SLOTS_PHASE_MAX;
}

void slots_limit(Slots *slots, int64_t descriptors_max)
{
    int64_t share = int64_max(descriptors_max / DESCRIPTORS_SHARE, PHASE_MIN);
    slots->phase_max = (int32_t)int64_min(share, SLOTS_PHASE_MAX);
}

void slots_done(Slots *slots)
{
    pthread_mutex_destroy(&slots->lock);
}

static bool slot_is(const Slot *slot, SlotPhase phase, const Peer *peer)
{
    return slot->phase == phase && (!peer || peer_eq(&slot->peer, peer));
}

int32_t slots_count(const Slots *slots, SlotPhase phase, const Peer *peer)
{
    int32_t count = 0;
    for (int64_t i = 0; i < COUNT_OF(slots->items); i++) {
        count += slot_is(&slots->items[i], phase, peer);
    }
    return count;
}

Slot *slots_oldest(Slots *slots, SlotPhase phase, const Peer *peer)
{
    Slot *oldest = NULL;
    for (int64_t i = 0; i < COUNT_OF(slots->items); i++) {
        Slot *at = &slots->items[i];
        if (!slot_is(at, phase, peer)) continue;
        if (!oldest || at->since_ns < oldest->since_ns) oldest = at;
    }
    return oldest;
}

/* The oldest of an address that has its share already; else the oldest of all, so that whoever
 * comes new gets in, however many hold a place. */
Slot *slots_head_to_drop(Slots *slots, const Peer *peer)
{
    if (slots_count(slots, SLOT_HEAD, peer) >= SLOTS_HEADS_OF_PEER) {
        return slots_oldest(slots, SLOT_HEAD, peer);
    }
    bool full = slots_count(slots, SLOT_HEAD, NULL) >= slots->phase_max;
    return full ? slots_oldest(slots, SLOT_HEAD, NULL) : NULL;
}

Slot *slots_take(Slots *slots, SlotPhase phase, int fd, const Peer *peer, int64_t now_ns,
                 int64_t deadline_ns)
{
    Slot *found = slots_oldest(slots, SLOT_FREE, NULL);
    if (!found) return NULL;
    *found = (Slot){
        .phase = phase, .fd = fd, .peer = *peer, .since_ns = now_ns, .deadline_ns = deadline_ns};
    return found;
}

bool slots_may_serve(const Slots *slots, SlotClass class, const Peer *peer, bool guesses)
{
    int32_t all = slots->phase_max, kept = 0;
    if (class == SLOT_STRANGER) kept = all / 4;
    if (class == SLOT_HEALTH) kept = all / 8;
    if (slots_count(slots, SLOT_SERVED, NULL) >= all - kept) return false;
    if (class == SLOT_OWNER) return true;
    int32_t share = guesses ? SLOTS_SERVED_OF_GUESSER : SLOTS_SERVED_OF_PEER;
    return slots_count(slots, SLOT_SERVED, peer) < share;
}

int64_t slots_deadline(const Slots *slots)
{
    int64_t earliest = INT64_MAX;
    for (int64_t i = 0; i < COUNT_OF(slots->items); i++) {
        const Slot *at = &slots->items[i];
        if (at->phase != SLOT_FREE) earliest = int64_min(earliest, at->deadline_ns);
    }
    return earliest;
}
