/* Waits for the lock of a file that several append to. */
#include "connect/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "foundation/base/clock.h"
#include "foundation/base/file.h"
#include "foundation/obs/log.h"

#define SECOND_NS INT64_C(1000000000)
#define LOCK_STOP_NS (5 * SECOND_NS)  /* so long is it waited for when all is to end */
#define LOCK_MAX_NS (600 * SECOND_NS) /* so long in any case */
#define LOCK_TELL_NS (60 * SECOND_NS) /* so often is it said after the first second */
#define LOCK_NAP_NS (SECOND_NS / 100)

Status file_lock_error(int code, Err *err)
{
    (void)err_errno(err, code, "it can't be locked");
    return err_hint(err,
                    "several may append to a file, so that each needs its lock: mount the file "
                    "system with locks, or name a file on another");
}

static Status lock_is_held(const FileLock *lock, int64_t waited_ns, Err *err)
{
    bool stopped = lock->stop && atomic_load(lock->stop) && waited_ns >= LOCK_STOP_NS;
    if (stopped || atomic_load(lock->cancelled)) {
        return err_set(err, ERR_CANCELLED, "cancelled while another process held the file's lock");
    }
    if (waited_ns < LOCK_MAX_NS) return OK;
    (void)err_set(err, ERR_TIMEOUT, "another process has held the file's lock for %lld s",
                  (long long)(waited_ns / SECOND_NS));
    return err_hint(err, "find out which one has it open (fuser, lsof); nothing was written");
}

static Status wait_for_lock(const FileLock *lock, int fd, Err *err)
{
    int64_t start_ns = clock_mono_ns(), told_ns = start_ns + SECOND_NS;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return file_lock_error(errno, err);
        int64_t now_ns = clock_mono_ns();
        TRY(lock_is_held(lock, now_ns - start_ns, err));
        if (now_ns >= told_ns) {
            LOG(LOG_WARN, "file", "waits for the lock of a file that another one writes",
                log_text("file", str_from(lock->path)),
                log_int("seconds", (now_ns - start_ns) / SECOND_NS));
            told_ns = now_ns + LOCK_TELL_NS;
        }
        clock_sleep_ns(LOCK_NAP_NS);
    }
    return OK;
}

/* False: the file was replaced or removed after it was opened. */
static bool is_in_place(const char *path, int fd)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

Status file_lock_open(const FileLock *lock, int *ret_fd, Err *err)
{
    for (;;) {
        TRY(file_open(str_from(lock->path), O_RDWR | O_CREAT, 0666, ret_fd, err));
        TRY(wait_for_lock(lock, *ret_fd, err));
        if (is_in_place(lock->path, *ret_fd)) return OK;
        file_close_p(ret_fd);
    }
}
