/* Files by descriptor: whole reads and writes, sync, atomic replacement; tests can make any fail.
 */
#include "foundation/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "foundation/base/clock.h"

/* How long a wait for the other end of a pipe goes on without a look at what ends it. */
enum { TURN_MS = 100, OPEN_NAP_NS = 20000000 };

static _Atomic int64_t fail_at;

void file_fail_at(int64_t nth)
{
    atomic_store(&fail_at, nth);
}

static bool file_must_fail(void)
{
    if (LIKELY(atomic_load_explicit(&fail_at, memory_order_relaxed) == 0)) return false;
    return atomic_fetch_sub(&fail_at, 1) == 1;
}

/* A NUL-terminated copy of a path; a path with a NUL inside or too long is refused. */
static Status path_copy(Str path, char to[PATH_MAX], Err *err)
{
    if (path.len >= PATH_MAX || str_find_char(path, 0) >= 0) {
        return err_set(err, ERR_NOT_FOUND, "not a usable path: %.*s", STR_ARG(path));
    }
    if (path.len) memcpy(to, path.ptr, (size_t)path.len);
    to[path.len] = 0;
    return OK;
}

Status file_open(Str path, int flags, int mode, int *ret_fd, Err *err)
{
    char name[PATH_MAX];
    TRY(path_copy(path, name, err));
    int fd;
    do {
        fd = open(name, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return err_errno(err, errno, "can't open %s", name);
    *ret_fd = fd;
    return OK;
}

static Status check_stop(FileStop stop, Err *err)
{
    bool stopped =
        (stop.stop && atomic_load(stop.stop)) || (stop.cancelled && atomic_load(stop.cancelled));
    return stopped ? err_set(err, ERR_CANCELLED, "cancelled") : OK;
}

/* A FIFO that nobody reads can't be opened for writing yet. */
static bool lacks_reader(const char *name, int code)
{
    struct stat info;
    return code == ENXIO && stat(name, &info) == 0 && S_ISFIFO(info.st_mode);
}

Status file_open_wait(Str path, int flags, FileStop stop, int *ret_fd, Err *err)
{
    char name[PATH_MAX];
    TRY(path_copy(path, name, err));
    for (;;) {
        *ret_fd = open(name, flags | O_CLOEXEC | O_NONBLOCK);
        if (*ret_fd >= 0) return OK;
        if (errno != EINTR && !lacks_reader(name, errno)) {
            return err_errno(err, errno, "can't open %s", name);
        }
        TRY(check_stop(stop, err));
        clock_sleep_ns(OPEN_NAP_NS);
    }
}

/* Until it can be read or written, or has ended. */
static Status wait_ready(int fd, short events, FileStop stop, Err *err)
{
    struct pollfd one = {.fd = fd, .events = events};
    for (;;) {
        int ready = poll(&one, 1, TURN_MS);
        if (ready > 0) return OK;
        if (ready < 0 && errno != EINTR) return err_errno(err, errno, "poll");
        TRY(check_stop(stop, err));
    }
}

Status file_read_wait(int fd, void *buffer, int64_t size, FileStop stop, int64_t *ret_len, Err *err)
{
    if (file_must_fail()) return err_errno(err, EIO, "read");
    for (;;) {
        TRY(wait_ready(fd, POLLIN, stop, err));
        *ret_len = read(fd, buffer, (size_t)size);
        if (*ret_len >= 0) return OK;
        if (errno != EINTR && errno != EAGAIN) return err_errno(err, errno, "read");
    }
}

Status file_read(int fd, void *buffer, int64_t size, int64_t *ret_len, Err *err)
{
    if (file_must_fail()) return err_errno(err, EIO, "read");
    ssize_t got;
    do {
        got = read(fd, buffer, (size_t)size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return err_errno(err, errno, "read");
    *ret_len = got;
    return OK;
}

Status file_read_at(int fd, void *buffer, int64_t size, int64_t offset, int64_t *ret_len, Err *err)
{
    if (file_must_fail()) return err_errno(err, EIO, "read");
    int64_t total = 0;
    while (total < size) {
        ssize_t got = pread(fd, (char *)buffer + total, (size_t)(size - total), offset + total);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_errno(err, errno, "read");
        if (got == 0) break;
        total += got;
    }
    *ret_len = total;
    return OK;
}

Status file_write(int fd, Str bytes, Err *err)
{
    if (file_must_fail()) return err_errno(err, EIO, "write");
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.ptr, (size_t)bytes.len);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return err_errno(err, errno, "write");
        bytes = str_make(bytes.ptr + put, bytes.len - put);
    }
    return OK;
}

/* What poll says a pipe has room for is PIPE_BUF: more would wait in write(2), as the descriptor
 * may be somebody else's too and is left as it is. */
Status file_write_wait(int fd, Str bytes, FileStop stop, Err *err)
{
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) return file_write(fd, bytes, err);
    if (file_must_fail()) return err_errno(err, EIO, "write");
    while (bytes.len > 0) {
        TRY(wait_ready(fd, POLLOUT, stop, err));
        ssize_t put = write(fd, bytes.ptr, (size_t)int64_min(bytes.len, PIPE_BUF));
        if (put < 0 && errno != EINTR && errno != EAGAIN) return err_errno(err, errno, "write");
        if (put < 0) TRY(check_stop(stop, err));
        else bytes = str_make(bytes.ptr + put, bytes.len - put);
    }
    return OK;
}

Status file_write_at(int fd, Str bytes, int64_t offset, Err *err)
{
    if (file_must_fail()) return err_errno(err, EIO, "write");
    while (bytes.len > 0) {
        ssize_t put = pwrite(fd, bytes.ptr, (size_t)bytes.len, offset);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return err_errno(err, errno, "write");
        bytes = str_make(bytes.ptr + put, bytes.len - put);
        offset += put;
    }
    return OK;
}

Status file_sync(int fd, Err *err)
{
    if (file_must_fail()) return err_errno(err, EIO, "sync");
    if (fdatasync(fd) == 0 || errno == EINVAL || errno == EROFS) return OK;
    return err_errno(err, errno, "sync");
}

Status file_size(int fd, int64_t *ret_size, Err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return err_errno(err, errno, "stat");
    *ret_size = info.st_size;
    return OK;
}

/* Make a rename durable: sync the folder. */
static Status sync_folder(const char *path, Err *err)
{
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder ? 1 : 0] = 0;
    CLEANUP(file_close_p) int fd = -1;
    TRY(file_open(slash ? str_from(folder) : STR("."), O_RDONLY | O_DIRECTORY, 0, &fd, err));
    return file_sync(fd, err);
}

Status file_rename(Str from, Str to, Err *err)
{
    char from_name[PATH_MAX];
    char to_name[PATH_MAX];
    TRY(path_copy(from, from_name, err));
    TRY(path_copy(to, to_name, err));
    if (rename(from_name, to_name) != 0) {
        return err_errno(err, errno, "can't rename %s to %s", from_name, to_name);
    }
    return sync_folder(to_name, err);
}

Status file_temporary(Str folder, int *ret_fd, Err *err)
{
    if (folder.len == 0) folder = str_from(getenv("TMPDIR"));
    if (folder.len == 0) folder = STR("/tmp");
    char name[PATH_MAX];
    TRY(path_copy(folder, name, err));
    int fd = open(name, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        char pattern[PATH_MAX + 32];
        (void)snprintf(pattern, sizeof pattern, "%s/neuron-XXXXXX", name);
        fd = mkostemp(pattern, O_CLOEXEC);
        if (fd >= 0) (void)unlink(pattern);
    }
    if (fd < 0) return err_errno(err, errno, "can't make a temporary file in %s", name);
    *ret_fd = fd;
    return OK;
}

Status file_load(Str path, Buf *buf, Err *err)
{
    CLEANUP(file_close_p) int fd = -1;
    TRY(file_open(path, O_RDONLY, 0, &fd, err));
    buf_clear(buf);
    int64_t got = 0;
    do {
        if (buf_reserve(buf, 65536, err) != OK && buf_reserve(buf, 2, err) != OK) {
            return err_prefix(err, "%.*s: ", STR_ARG(path));
        }
        if (file_read(fd, buf->data + buf->len, buf->cap - buf->len - 1, &got, err) != OK) {
            return err_prefix(err, "%.*s: ", STR_ARG(path));
        }
        buf->len += got;
    } while (got > 0);
    return buf_terminate(buf, err);
}

void file_close(int fd)
{
    (void)close(fd);
}

bool file_exists(Str path)
{
    char name[PATH_MAX];
    struct stat info;
    return path_copy(path, name, NULL) == OK && stat(name, &info) == 0;
}

bool file_is_stream(Str path)
{
    char name[PATH_MAX];
    struct stat info;
    return path_copy(path, name, NULL) == OK && stat(name, &info) == 0 && !S_ISREG(info.st_mode) &&
           !S_ISDIR(info.st_mode);
}
