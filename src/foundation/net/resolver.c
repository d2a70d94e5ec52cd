/* Names to addresses by the system's resolver, with a deadline. */
#include "foundation/net/resolver.h"

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/thread.h"

/* How long a wait lasts before it looks whether it was stopped. */
#define RESOLVER_TICK_NS INT64_C(50000000)

/* Of the thread that resolves and of the one that waits: who leaves last frees it. */
typedef struct Lookup {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool done, left;
    int code;
    struct addrinfo *found;
    struct addrinfo hints;
    char *service; /* NULL: none; after `node` in the same memory */
    char node[];
} Lookup;

static void lookup_free(Lookup *lookup)
{
    if (lookup->found) freeaddrinfo(lookup->found);
    pthread_cond_destroy(&lookup->cond);
    pthread_mutex_destroy(&lookup->mutex);
    mem_free(lookup);
}

static Lookup *lookup_new(const char *node, const char *service, const struct addrinfo *hints)
{
    size_t node_size = strlen(node) + 1, service_size = service ? strlen(service) + 1 : 0;
    Lookup *lookup = mem_zalloc((int64_t)(sizeof *lookup + node_size + service_size));
    if (!lookup) return NULL;
    memcpy(lookup->node, node, node_size);
    if (service) lookup->service = memcpy(lookup->node + node_size, service, service_size);
    if (hints) lookup->hints = *hints;
    pthread_mutex_init(&lookup->mutex, NULL);
    thread_cond_init(&lookup->cond);
    return lookup;
}

static void lookup_run(void *arg)
{
    Lookup *lookup = arg;
    struct addrinfo *found = NULL;
    int code = getaddrinfo(lookup->node, lookup->service, &lookup->hints, &found);
    pthread_mutex_lock(&lookup->mutex);
    bool left = lookup->left;
    lookup->done = true;
    lookup->code = code;
    lookup->found = code == 0 ? found : NULL;
    pthread_cond_signal(&lookup->cond);
    pthread_mutex_unlock(&lookup->mutex);
    if (left) lookup_free(lookup);
}

int resolver_lookup(const char *node, const char *service, const struct addrinfo *hints,
                    int64_t deadline_ns, const _Atomic bool *stop, struct addrinfo **ret_found)
{
    Err ignored = {0};
    Lookup *lookup = lookup_new(node, service, hints);
    if (!lookup) return EAI_MEMORY;
    if (thread_detached("resolve", lookup_run, lookup, &ignored) != OK) {
        lookup_free(lookup);
        return EAI_MEMORY;
    }
    int code = 0;
    pthread_mutex_lock(&lookup->mutex);
    while (!lookup->done && code == 0) {
        int64_t now_ns = clock_mono_ns();
        if (stop && atomic_load(stop)) code = EAI_INTR;
        else if (now_ns >= deadline_ns) code = EAI_AGAIN;
        else {
            (void)thread_cond_wait(&lookup->cond, &lookup->mutex,
                                   int64_min(deadline_ns, now_ns + RESOLVER_TICK_NS));
        }
    }
    bool done = lookup->done;
    if (done) {
        code = lookup->code;
        *ret_found = lookup->found;
        lookup->found = NULL;
    }
    lookup->left = true;
    pthread_mutex_unlock(&lookup->mutex);
    if (done) lookup_free(lookup);
    return code;
}
