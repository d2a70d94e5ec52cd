/* Signals of the process as a part of the daemon. */
#include "service/daemon/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "service/daemon/daemon_state.h"

Status signals_open(Daemon *d, Err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    d->life.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    d->life.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->life.signal_fd >= 0 && d->life.event_fd >= 0) return OK;
    return err_errno(err, errno, "signals can't be watched");
}

void signals_close(Daemon *d)
{
    if (d->life.signal_fd >= 0) (void)close(d->life.signal_fd);
    if (d->life.event_fd >= 0) (void)close(d->life.event_fd);
    d->life.signal_fd = d->life.event_fd = -1;
}

static void reload(Daemon *d)
{
    Err err = {0};
    CLEANUP(buf_done) Buf out = buf_make(1 << 20);
    if (d->control.reload(d, &out, &err) == OK) return;
    LOG_ERR(LOG_ERROR, "daemon", "not reloaded, nothing changed", &err);
}

void signals_read(Daemon *d)
{
    struct signalfd_siginfo info;
    while (read(d->life.signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            reload(d);
            continue;
        }
        d->life.signal = (int)info.ssi_signo;
        life_end(&d->life, END_STOP);
    }
}

void signals_wait(Daemon *d, int64_t timeout_ns)
{
    struct pollfd fds[] = {{.fd = d->life.signal_fd, .events = POLLIN},
                           {.fd = d->life.event_fd, .events = POLLIN}};
    int64_t ms = timeout_ns < 0 ? 0 : (timeout_ns + 999999) / 1000000;
    (void)poll(fds, COUNT_OF(fds), (int)int64_min(ms, INT32_MAX));
    uint64_t count;
    IGNORE(read(d->life.event_fd, &count, sizeof count)); /* only empties it */
    signals_read(d);
}
