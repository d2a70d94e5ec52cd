/* In front of the C library: the time of day with an offset that a file holds, in seconds. Loaded
 * by LD_PRELOAD. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    int (*next)(struct timeval *, void *) =
        (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    char text[32] = "";
    int result = next(time, zone);
    int file = open(getenv("CLOCK_OFFSET_FILE"), O_RDONLY | O_CLOEXEC);
    if (file < 0) return result;
    if (read(file, text, sizeof text - 1) > 0) time->tv_sec += strtol(text, NULL, 10);
    (void)close(file);
    return result;
}
