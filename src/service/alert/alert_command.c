/* A receiver that is a command: the notice on its standard input, killed when it takes too long. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "foundation/base/file.h"
#include "foundation/base/clock.h"
#include "service/alert/alert_impl.h"

enum { ARGUMENTS_MAX = 64, POLL_NS = 20000000 };
extern char **environ;

/* Signals as a program expects them, a process group of its own, input from `fd`. */
static int spawn(char *const *argv, int fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    (void)sigemptyset(&none);
    (void)sigemptyset(&usual);
    (void)sigaddset(&usual, SIGPIPE);
    (void)sigaddset(&usual, SIGXFSZ);
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &usual);
    (void)posix_spawn_file_actions_adddup2(&files, fd, STDIN_FILENO);
    (void)posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int result = posix_spawnp(ret_pid, argv[0], &files, &attributes, argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&files);
    return result;
}

static Status wait_end(pid_t pid, const _Atomic bool *stop, Err *err)
{
    int64_t end_ns = clock_mono_ns() + ALERT_COMMAND_S * INT64_C(1000000000);
    int state = 0;
    while (true) {
        pid_t ended = waitpid(pid, &state, WNOHANG);
        if (ended == pid) break;
        if (ended < 0 && errno != EINTR) return err_errno(err, errno, "the command is lost");
        bool late = clock_mono_ns() >= end_ns;
        if (late || atomic_load(stop)) {
            (void)kill(-pid, SIGKILL);
            (void)waitpid(pid, &state, 0);
            if (!late) return err_set(err, ERR_CANCELLED, "the command was ended");
            return err_set(err, ERR_TIMEOUT, "the command took more than %d s", ALERT_COMMAND_S);
        }
        clock_sleep_ns(POLL_NS);
    }
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return OK;
    if (WIFSIGNALED(state)) {
        return err_set(err, ERR_TIMEOUT, "the command died of signal %d", WTERMSIG(state));
    }
    return err_set(err, ERR_TIMEOUT, "the command failed with %d", WEXITSTATUS(state));
}

Status alert_command_run(const AlertReceiver *r, Str body, const _Atomic bool *stop, Err *err)
{
    CLEANUP(file_close_p) int fd = -1;
    char *argv[ARGUMENTS_MAX + 1] = {0};
    Arena arena = arena_make(1 << 20);
    Status status = file_temporary(STR_NULL, &fd, err);
    if (status == OK) status = file_write(fd, body, err);
    if (status == OK && lseek(fd, 0, SEEK_SET) != 0) status = err_errno(err, errno, "no input");
    for (int32_t i = 0; i < r->command_count && i < ARGUMENTS_MAX && status == OK; i++) {
        Str copy;
        status = arena_copy(&arena, r->command[i], &copy, err);
        if (status == OK) {
            argv[i] = arena_raw(&arena, copy.len + 1);
            if (argv[i]) memcpy(argv[i], copy.ptr, (size_t)copy.len + 1);
            else status = err_memory(err);
        }
    }
    pid_t pid = 0;
    int error = status == OK ? spawn(argv, fd, &pid) : 0;
    if (error) status = err_errno(err, error, "the command can't be started");
    if (status == OK) status = wait_end(pid, stop, err);
    arena_done(&arena);
    return status;
}
