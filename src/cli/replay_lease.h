/* One replay of a name at a time: a lease in the state store, held for as long as it runs. */
#ifndef NEURON_REPLAY_LEASE_H
#define NEURON_REPLAY_LEASE_H

#include "foundation/base/thread.h"
#include "store/state/state_store.h"

/* Embedded: replay_lease_take … replay_lease_drop. Its address must not change meanwhile. */
typedef struct ReplayLease {
    StateStore *store; /* NULL: not taken */
    Buf name, holder;  /* this process, as it is kept beside the lease */
    Thread thread;     /* renews it */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool ends;
} ReplayLease;

/* FAIL: ERR_DEADLOCK while another replay of the name lives: at once where it is a process of this
 * machine. Of one that was killed the lease is waited for, some seconds; `stop` ends that. */
MUST_USE Status replay_lease_take(ReplayLease *lease, StateStore *store, Str name,
                                  const _Atomic bool *stop, Err *err);
/* FAIL: ERR_FENCED when it ran out meanwhile, and another replay has it or had it. OK when none was
 * taken. */
MUST_USE Status replay_lease_check(const ReplayLease *lease, Err *err);
/* Harmless on one that was not taken. */
void replay_lease_drop(ReplayLease *lease);

#endif
