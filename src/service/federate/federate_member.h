/* What this neuron is to its federation: a state machine without input or output. */
#ifndef NEURON_FEDERATE_MEMBER_H
#define NEURON_FEDERATE_MEMBER_H

/*                      registered                  row gone
 *   UNREGISTERED ---------------------> MEMBER -----------------> ROW_LOST
 *    no token                            |  ^  ^                     |
 *                          token refused |  |  | registered, or      |
 *                                        v  |  | a heartbeat taken   |
 *                                TOKEN_REFUSED  +--------------------+
 *                                        |  |  registered, or
 *                                        |  |  a heartbeat taken
 *                                        |  +---> MEMBER
 *                                        +------- token refused: stays
 *
 * Everywhere but in MEMBER registration is tried, with growing pauses. A token that was once given
 * is kept and tried once after each failed registration: the core gives no second one for an id
 * whose row it still has, and its old secret, or its old rows, may be back. */
typedef enum Membership {
    MEMBER_UNREGISTERED,
    MEMBER_MEMBER,        /* the token is good as far as is known */
    MEMBER_ROW_LOST,      /* the token is good, and the core has no row of this neuron */
    MEMBER_TOKEN_REFUSED, /* 401: expired, or the core's secret is another */
} Membership;

typedef enum MemberEvent {
    MEMBER_REGISTERED,
    MEMBER_BEAT_TAKEN,
    MEMBER_ROW_GONE, /* a heartbeat failed, and the core knows no configuration of this neuron */
    MEMBER_TOKEN_DENIED, /* 401 from any call */
} MemberEvent;

Membership member_next(Membership now, MemberEvent event);
/* "unregistered", "member" … for people. */
const char *member_name(Membership member);

#endif
