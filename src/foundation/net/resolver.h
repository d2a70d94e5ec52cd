/* Names to addresses by the system's resolver, with a deadline. */
#ifndef NEURON_RESOLVER_H
#define NEURON_RESOLVER_H

#include <netdb.h>
#include <stdatomic.h>

#include "foundation/base/str.h"

/* getaddrinfo, but not beyond the deadline (clock_mono_ns), and no longer once `*stop` is true
 * (NULL: never): no resolver can be told to stop, so it works in a thread of its own, which is left
 * to itself then. 0, and freeaddrinfo is the caller's; else a code for gai_strerror: EAI_AGAIN at
 * the deadline, EAI_INTR when stopped. Any thread. */
int resolver_lookup(const char *node, const char *service, const struct addrinfo *hints,
                    int64_t deadline_ns, const _Atomic bool *stop, struct addrinfo **ret_found);

#endif
