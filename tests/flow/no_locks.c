/* A file system without locks: flock(2) fails. Loaded by LD_PRELOAD. */
#include <errno.h>

int flock(int fd, int operation)
{
    (void)fd;
    (void)operation;
    errno = ENOLCK;
    return -1;
}
