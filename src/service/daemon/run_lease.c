/* One lease for each pipeline, in the store that several neurons share. */
#include "service/daemon/run_lease.h"

#include <stdio.h>

#include "service/daemon/daemon_state.h"

static Str lease_name(const Job *job, char text[256])
{
    int len = snprintf(text, 256, "run:%.*s", (int)int64_min(job->tick_name.len, 240),
                       job->tick_name.ptr);
    return str_make(text, len);
}

bool run_lease_take(Daemon *d, const Job *job)
{
    char text[256];
    bool mine = true;
    Err err = {0};
    if (!d->self.number) return true;
    if (state_lease_take(d->store, lease_name(job, text), LEASE_HOLD_US, &mine, &err) == OK)
        return mine;
    LOG_ERR(LOG_WARN, "scheduler", "a run goes on without its lease", &err,
            log_text("job", job->tick_name));
    return true;
}

void run_lease_drop(Daemon *d, const Job *job)
{
    char text[256];
    if (!d->self.number) return;
    IGNORE(state_lease_drop(d->store, lease_name(job, text), NULL)); /* it runs out by itself */
}
