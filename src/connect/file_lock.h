/* The lock of an appended file: flock(2)'s, of the open file. */
#ifndef NEURON_FILE_LOCK_H
#define NEURON_FILE_LOCK_H

#include <stdatomic.h>

#include "foundation/base/err.h"

typedef struct FileLock {
    const char *path;
    const _Atomic bool *stop; /* true: it is waited for 5 s more; NULL: never */
    const _Atomic bool *cancelled;
} FileLock;

/* Opens the file, made where it is missing, as nobody else's until the descriptor is closed. Says
 * in the log when that takes long; FAIL: ERR_CANCELLED, ERR_TIMEOUT after 10 minutes. */
MUST_USE Status file_lock_open(const FileLock *lock, int *ret_fd, Err *err);
/* FAIL always: why it can't be locked. */
Status file_lock_error(int code, Err *err);

#endif
