/* The transitions of membership. */
#include "service/federate/federate_member.h"

#include "foundation/base/macro.h"

Membership member_next(Membership now, MemberEvent event)
{
    static const Membership NEXT[] = {
        [MEMBER_REGISTERED] = MEMBER_MEMBER,
        [MEMBER_BEAT_TAKEN] = MEMBER_MEMBER,
        [MEMBER_ROW_GONE] = MEMBER_ROW_LOST,
        [MEMBER_TOKEN_DENIED] = MEMBER_TOKEN_REFUSED,
    };
    /* Without a token nothing but a registration says anything of this neuron. */
    if (now == MEMBER_UNREGISTERED && event != MEMBER_REGISTERED) return now;
    return NEXT[event];
}

const char *member_name(Membership member)
{
    static const char *const NAMES[] = {"unregistered", "member", "row lost", "token refused"};
    return NAMES[member];
}
