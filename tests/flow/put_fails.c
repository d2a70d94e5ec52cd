/* In front of libpq: the PUT_FAILS-th piece of a COPY finds no memory. Loaded by LD_PRELOAD. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

int PQputCopyData(PGconn *conn, const char *buffer, int bytes)
{
    static int calls;
    int (*next)(PGconn *, const char *, int) =
        (int (*)(PGconn *, const char *, int))dlsym(RTLD_NEXT, "PQputCopyData");
    if (++calls != strtol(getenv("PUT_FAILS"), NULL, 10)) return next(conn, buffer, bytes);
    (void)fputs("no memory for this piece\n", stderr);
    return -1;
}
