/* A rename to a name that ends in RENAME_TO fails, or, with RENAME_KILLS, is the last thing that
 * the process does. Loaded by LD_PRELOAD. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int rename(const char *from, const char *to)
{
    int (*next)(const char *, const char *) =
        (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    const char *end = getenv("RENAME_TO");
    size_t length = strlen(end);
    if (strlen(to) < length || strcmp(to + strlen(to) - length, end) != 0) return next(from, to);
    if (!getenv("RENAME_KILLS")) {
        errno = EIO;
        return -1;
    }
    (void)next(from, to);
    (void)kill(getpid(), SIGKILL);
    return 0;
}
