/* Files by descriptor: whole reads and writes, sync, atomic replacement; tests can make any fail.
 */
#ifndef NEURON_FILE_H
#define NEURON_FILE_H

#include <stdatomic.h>

#include "foundation/base/buf.h"

/* What ends a wait for the other end of a pipe: either is true. Each may be NULL: never. */
typedef struct FileStop {
    const _Atomic bool *stop, *cancelled;
} FileStop;

/* Open with O_CLOEXEC; `path` need not end in NUL. Flags as of open(2). */
MUST_USE Status file_open(Str path, int flags, int mode, int *ret_fd, Err *err);
/* The same for one end of what may be a FIFO (O_RDONLY or O_WRONLY): writing waits for a reader.
 * What comes of it is for file_read_wait and file_write_wait. FAIL: ERR_CANCELLED by `stop`. */
MUST_USE Status file_open_wait(Str path, int flags, FileStop stop, int *ret_fd, Err *err);
/* Read up to size bytes (retrying EINTR); *ret_len 0 at the end. */
MUST_USE Status file_read(int fd, void *buffer, int64_t size, int64_t *ret_len, Err *err);
MUST_USE Status file_read_at(int fd, void *buffer, int64_t size, int64_t offset, int64_t *ret_len,
                             Err *err);
/* Write everything or fail. EPIPE and ENOSPC are errors like others (SIGPIPE is ignored by main).
 */
MUST_USE Status file_write(int fd, Str bytes, Err *err);
/* As file_read and file_write, of a pipe or any other file. Each waits for the other end until
 * `stop`, then FAIL: ERR_CANCELLED; what can be had or written without waiting still is. */
MUST_USE Status file_read_wait(int fd, void *buffer, int64_t size, FileStop stop, int64_t *ret_len,
                               Err *err);
MUST_USE Status file_write_wait(int fd, Str bytes, FileStop stop, Err *err);
MUST_USE Status file_write_at(int fd, Str bytes, int64_t offset, Err *err);
MUST_USE Status file_sync(int fd, Err *err);
MUST_USE Status file_size(int fd, int64_t *ret_size, Err *err);
/* rename(2), then sync of the folder that holds `to`. */
MUST_USE Status file_rename(Str from, Str to, Err *err);
/* A file without a name in `folder` (or $TMPDIR, or /tmp, when empty), read and write. */
MUST_USE Status file_temporary(Str folder, int *ret_fd, Err *err);
/* The whole file into `buf` (up to its maximum), NUL-terminated. */
MUST_USE Status file_load(Str path, Buf *buf, Err *err);
void file_close(int fd);
bool file_exists(Str path);
/* A pipe, a terminal, another device: read once, written to as it is. */
bool file_is_stream(Str path);

static inline void file_close_p(int *fd)
{
    if (*fd >= 0) file_close(*fd);
    *fd = -1;
}

/* For tests: let the nth read, write or sync from now on fail with EIO; 0: none. */
void file_fail_at(int64_t nth);

#endif
