/* How any thread wakes the main loop, or ends it. */
#include "service/daemon/daemon_life.h"

#include <unistd.h>

#include "foundation/base/err.h"

void life_wake(DaemonLife *life)
{
    uint64_t one = 1;
    IGNORE(write(life->event_fd, &one, sizeof one)); /* full is as good as written */
}

void life_end(DaemonLife *life, DaemonEnd how)
{
    int none = END_NONE;
    (void)atomic_compare_exchange_strong(&life->end, &none, (int)how);
    life_wake(life);
}
