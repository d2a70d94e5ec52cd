/* Opening the socket; who has the port otherwise, from /proc. */
#include "service/api/listener.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "foundation/net/listen_address.h"

enum { BACKLOG = 1024, ADDRESS_MAX = 256, PATH_SIZE = 300, LINE_SIZE = 512 };

/* ---- who holds a port ---- */

/* The inode of the socket that listens on the port; 0: not found. */
static unsigned long listening_inode(const char *table, unsigned port)
{
    char line[LINE_SIZE];
    unsigned long found = 0;
    FILE *file = fopen(table, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        unsigned local = 0, state = 0;
        unsigned long inode = 0;
        int count = sscanf(line, "%*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", &local,
                           &state, &inode);
        if (count == 3 && state == 0x0a && local == port) found = inode;
    }
    if (file) (void)fclose(file);
    return found;
}

/* Whether the process has that socket open. */
static bool process_has(const char *pid, const char *socket_name)
{
    char path[PATH_SIZE], target[64];
    (void)snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *folder = opendir(path);
    bool has = false;
    for (struct dirent *entry; folder && !has && (entry = readdir(folder));) {
        ssize_t len = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        target[len > 0 ? len : 0] = 0;
        has = strcmp(target, socket_name) == 0;
    }
    if (folder) (void)closedir(folder);
    return has;
}

static void process_name(const char *pid, char ret_name[32])
{
    char path[PATH_SIZE];
    ret_name[0] = 0;
    (void)snprintf(path, sizeof path, "/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");
    if (!file) return;
    if (fgets(ret_name, 32, file)) ret_name[strcspn(ret_name, "\n")] = 0;
    (void)fclose(file);
}

/* " by process 12 (nginx)"; empty where it can't be seen. */
static void port_holder(unsigned port, char ret_text[80])
{
    char name[48];
    unsigned long inode = listening_inode("/proc/net/tcp", port);
    if (!inode) inode = listening_inode("/proc/net/tcp6", port);
    ret_text[0] = 0;
    if (!inode) return;
    (void)snprintf(name, sizeof name, "socket:[%lu]", inode);
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes && (entry = readdir(processes));) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !process_has(entry->d_name, name)) {
            continue;
        }
        process_name(entry->d_name, name);
        (void)snprintf(ret_text, 80, " by process %.10s (%.31s)", entry->d_name, name);
        break;
    }
    if (processes) (void)closedir(processes);
}

/* ---- opening ---- */

static Status address_find(Str listen, struct addrinfo **ret_list, Err *err)
{
    char host[ADDRESS_MAX], service[8];
    Str name = STR_NULL;
    int32_t port = 0;
    TRY(listen_address_parse(listen, &name, &port, err));
    if (name.len >= ADDRESS_MAX) return listen_address_wrong(listen, err);
    if (name.len) memcpy(host, name.ptr, (size_t)name.len);
    host[name.len] = 0;
    (void)snprintf(service, sizeof service, "%d", (int)port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (getaddrinfo(name.len ? host : NULL, service, &hints, ret_list) == 0) return OK;
    return listen_address_wrong(listen, err);
}

static unsigned port_of(const struct sockaddr *address)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (address->sa_family == AF_INET6) {
        memcpy(&in6, address, sizeof in6);
        return ntohs(in6.sin6_port);
    }
    memcpy(&in, address, sizeof in);
    return ntohs(in.sin_port);
}

static Status open_failed(Str listen, const struct sockaddr *address, int why, Err *err)
{
    char holder[80];
    if (why != EADDRINUSE) {
        (void)err_errno(err, why, "http.listen: could not listen on %.*s", STR_ARG(listen));
        if (err) err->kind = ERR_CONFIG;
        return err_hint(err, "set http.listen (NEURON_LISTEN) to an address of this machine and a "
                             "port that this user may open");
    }
    port_holder(port_of(address), holder);
    (void)err_set(err, ERR_CONNECT, "http.listen: %.*s is already in use%s", STR_ARG(listen),
                  holder);
    return err_hint(err, "end that process, or set http.listen (NEURON_LISTEN) to another port");
}

/* SO_REUSEADDR takes a port whose old connections are not forgotten yet, but never one that
 * another socket listens on; SO_REUSEPORT would share it. */
static int socket_open(const struct addrinfo *at)
{
    int one = 1;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool good = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0;
    if (good) return fd;
    int why = errno;
    if (fd >= 0) (void)close(fd);
    errno = why;
    return -1;
}

Status listener_open(Str listen, Listener *ret_listener, Err *err)
{
    struct addrinfo *list = NULL;
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    TRY(address_find(listen, &list, err));
    Status status = OK;
    int fd = socket_open(list);
    if (fd < 0) status = open_failed(listen, list->ai_addr, errno, err);
    freeaddrinfo(list);
    TRY(status);
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
        status = err_errno(err, errno, "http.listen: the port of %.*s", STR_ARG(listen));
        (void)close(fd);
        return status;
    }
    *ret_listener = (Listener){fd, (int32_t)port_of((const struct sockaddr *)&bound)};
    return OK;
}
