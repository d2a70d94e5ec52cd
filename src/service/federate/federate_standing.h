/* Where this neuron is with its federation, as the client, /health and the log know it. */
#ifndef NEURON_FEDERATE_STANDING_H
#define NEURON_FEDERATE_STANDING_H

#include "foundation/obs/log.h"
#include "service/federate/federate_member.h"
#include "service/federate/federate_reply.h"

typedef struct Federate Federate;

typedef struct Standing {
    /* Under the client's lock; written by its thread alone. */
    Membership member;
    int64_t trouble_us; /* since when; 0: none */
    ErrKind trouble_kind;
    char trouble[FEDERATE_TEXT_MAX], hint[ERR_HINT_MAX];

    /* Of the thread. */
    int64_t notified_us; /* when trouble was logged, and how loud */
    LogLevel told_level;
    int64_t beat_taken_ns; /* the last heartbeat that the core took; 0: none yet */
} Standing;

void standing_set(Federate *f, Membership member);
void federate_event(Federate *f, MemberEvent event);
/* Heartbeats or registration fail: known to /health, to the metric, and, where it is news, to the
 * log. `err` has message and hint. */
void federate_trouble(Federate *f, LogLevel level, const char *what, Outcome outcome,
                      const Err *err);
void federate_well(Federate *f);

#endif
