/* How other threads wake the intake. */
#include "service/api/intake_wake.h"

#include <unistd.h>

#include "service/api/api_state.h"

void intake_wake(Api *api)
{
    uint64_t one = 1;
    IGNORE(write(api->intake.wake_fd, &one, sizeof one)); /* full is as good as written */
}

void intake_due(Api *api, int64_t at_ns)
{
    if (at_ns < atomic_load(&api->intake.sleeps_until_ns)) intake_wake(api);
}

void intake_deadline(Api *api, Slot *slot, int64_t deadline_ns)
{
    pthread_mutex_lock(&api->slots.lock);
    slot->deadline_ns = deadline_ns;
    pthread_mutex_unlock(&api->slots.lock);
    intake_due(api, deadline_ns);
}
