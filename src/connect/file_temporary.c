/* Files under temporary names beside their target, until they take its place. */
#include "connect/file_temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "foundation/base/file.h"

enum { TRIES_MAX = 1000 };

/* The folder with its slash, or nothing. */
static Str folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? str_make(path, slash - path + 1) : STR_NULL;
}

/* Of the target's name, between ".NAME." and ".tmp" nothing but digits and dots. */
static bool is_ours(Str name, Str target)
{
    if (!str_starts(name, STR(".")) || !str_ends(name, STR(".tmp"))) return false;
    Str rest = str_slice(name, 1, name.len - 4);
    if (!str_starts(rest, target)) return false;
    Str number = str_slice(rest, target.len, rest.len);
    if (number.len < 2 || number.ptr[0] != '.') return false;
    for (int64_t i = 0; i < number.len; i++) {
        char c = number.ptr[i];
        if (c != '.' && (c < '0' || c > '9')) return false;
    }
    return true;
}

/* Who writes it holds its lock; who is gone doesn't. */
static void sweep_one(const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return;
    struct stat info;
    bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    if (regular && flock(fd, LOCK_EX | LOCK_NB) == 0) (void)unlink(name);
    (void)close(fd);
}

static void sweep(const char *path)
{
    char name[FILE_TEMPORARY_MAX + 256];
    Str folder = folder_of(path), target = str_from(path + folder.len);
    (void)snprintf(name, sizeof name, "%.*s", STR_ARG(folder.len ? folder : STR(".")));
    DIR *dir = opendir(name);
    if (!dir) return;
    for (const struct dirent *at = readdir(dir); at; at = readdir(dir)) {
        if (!is_ours(str_from(at->d_name), target)) continue;
        (void)snprintf(name, sizeof name, "%.*s%s", STR_ARG(folder), at->d_name);
        sweep_one(name);
    }
    (void)closedir(dir);
}

/* False: swept away by another between its making and its lock. */
static bool is_in_place(const char *name, int fd)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(name, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

Status file_temporary_make(const char *path, char ret_name[FILE_TEMPORARY_MAX], int *ret_fd,
                           Err *err)
{
    Str folder = folder_of(path);
    char more[16] = "";
    sweep(path);
    for (int32_t i = 1; i < TRIES_MAX; i++) {
        CLEANUP(file_close_p) int fd = -1;
        (void)snprintf(ret_name, FILE_TEMPORARY_MAX, "%.*s.%s.%ld%s.tmp", STR_ARG(folder),
                       path + folder.len, (long)getpid(), more);
        TRY(file_open(str_from(ret_name), O_RDWR | O_CREAT, 0666, &fd, err));
        bool held = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        if (held) (void)snprintf(more, sizeof more, ".%d", (int)i);
        if (held || !is_in_place(ret_name, fd)) continue;
        if (ftruncate(fd, 0) != 0) return err_errno(err, errno, "%s can't be emptied", ret_name);
        *ret_fd = fd;
        fd = -1;
        return OK;
    }
    return err_set(err, ERR_LIMIT, "no temporary name is free beside it");
}
