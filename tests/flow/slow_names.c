/* Preloaded: names that begin with "slow" resolve after a minute, "two.test" to a dead address
 * first. */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    if (node && strncmp(node, "slow", 4) == 0) {
        sleep(60);
        return EAI_NONAME;
    }
    return real(node && strcmp(node, "good.test") == 0 ? "127.0.0.1" : node, service, hints, found);
}
