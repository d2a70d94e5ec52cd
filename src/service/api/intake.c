/* Accepts every connection at once, lets its first head arrive, answers health routes itself, hands
 * the others to libmicrohttpd, and ends what takes too long. It never waits for anybody. */
#include "service/api/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "foundation/base/clock.h"
#include "service/api/api_state.h"
#include "service/api/intake_wake.h"
#include "service/api/session.h"
#include "service/api/request_head.h"

#define SECOND_NS INT64_C(1000000000)
#define HEAD_NS (10 * SECOND_NS)  /* from accept to the end of the head */
#define LINGER_NS (2 * SECOND_NS) /* for what is still sent after the answer */
#define CLOSE_NS (5 * SECOND_NS)  /* until a connection that was shut down is asked again */

enum {
    EVENTS_MAX = 64,
    ACCEPT_MAX = 64, /* in one go */
    LINGER_READS = 16,
    LINGER_BYTES_MAX = 16 << 20,
    SCRATCH_SIZE = 64 << 10,
    EVENT_LISTEN = 0,
    EVENT_WAKE = 1,
    EVENT_SLOT = 2, /* and its index */
};

static int watch(Api *api, int how, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(api->intake.epoll_fd, how, fd, &event);
}

static uint64_t slot_event(const Api *api, const Slot *slot)
{
    return EVENT_SLOT + (uint64_t)(slot - api->slots.items);
}

/* ---- ends of connections; slots.lock is held ---- */

static void slot_drop(Slot *slot)
{
    (void)close(slot->fd);
    slot->phase = SLOT_FREE;
}

/* The other side may still be sending: a close now would be a reset, and the answer lost. From here
 * on only the intake's own thread touches the slot. */
static void slot_linger(Api *api, Slot *slot, int how)
{
    slot->phase = SLOT_LINGER;
    slot->since_ns = clock_mono_ns();
    slot->deadline_ns = slot->since_ns + LINGER_NS;
    slot->bytes = 0;
    (void)shutdown(slot->fd, SHUT_WR);
    if (watch(api, how, slot->fd, EPOLLIN | EPOLLRDHUP, slot_event(api, slot)) != 0) {
        slot_drop(slot);
    }
}

void intake_closed(Api *api, Slot *slot)
{
    pthread_mutex_lock(&api->slots.lock);
    int fd = slot->linger ? fcntl(slot->fd, F_DUPFD_CLOEXEC, 0) : -1;
    slot->fd = fd;
    slot->attached = false;
    if (fd < 0) slot->phase = SLOT_FREE;
    else slot_linger(api, slot, EPOLL_CTL_ADD);
    pthread_mutex_unlock(&api->slots.lock);
    intake_due(api, 0); /* there may be too many by now */
}

static void linger_read(Api *api, Slot *slot)
{
    static _Thread_local char scratch[SCRATCH_SIZE];
    ssize_t got = 1;
    for (int32_t i = 0; i < LINGER_READS && got > 0; i++) {
        got = recv(slot->fd, scratch, sizeof scratch, MSG_DONTWAIT);
        if (got > 0) slot->bytes += got;
    }
    bool waits = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    if ((got > 0 || waits) && slot->bytes < LINGER_BYTES_MAX) return;
    pthread_mutex_lock(&api->slots.lock);
    slot_drop(slot);
    pthread_mutex_unlock(&api->slots.lock);
}

static SlotPhase phase_of(Api *api, const Slot *slot)
{
    pthread_mutex_lock(&api->slots.lock);
    SlotPhase phase = slot->phase;
    pthread_mutex_unlock(&api->slots.lock);
    return phase;
}

static void head_drop(Api *api, Slot *slot)
{
    pthread_mutex_lock(&api->slots.lock);
    slot_drop(slot);
    pthread_mutex_unlock(&api->slots.lock);
}

/* ---- answers of its own ---- */

static void answer_here(Api *api, Slot *slot, const Answer *answer, bool head_only)
{
    CLEANUP(buf_done) Buf bytes = buf_make(1 << 16);
    Err err = {0};
    if (answer_bytes(answer, head_only, &bytes, &err) == OK) {
        /* An empty socket takes a few hundred bytes; who doesn't read them has none. */
        IGNORE(send(slot->fd, bytes.data, (size_t)bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL));
    }
    pthread_mutex_lock(&api->slots.lock);
    slot_linger(api, slot, EPOLL_CTL_MOD);
    pthread_mutex_unlock(&api->slots.lock);
}

static void refuse(Api *api, Slot *slot, int32_t status, const char *title, const char *detail)
{
    Request request = {.start_ns = clock_mono_ns()};
    answer_init(&request.answer);
    request_problem(&request, status, title, detail);
    request_count(&request, &request.answer);
    answer_here(api, slot, &request.answer, false);
    answer_done(&request.answer);
}

static void answer_health(Api *api, Slot *slot, const Route *route, bool head_only)
{
    Request request = {.api = api, .route = route, .start_ns = clock_mono_ns()};
    Err err = {0};
    answer_init(&request.answer);
    request.answer.status = route->status;
    pthread_mutex_lock(&api->lock);
    request.control = api->options.control;
    if (route->run(&request, &err) != OK) request_failed(&request, &err);
    pthread_mutex_unlock(&api->lock);
    request_count(&request, &request.answer);
    answer_here(api, slot, &request.answer, head_only);
    answer_done(&request.answer);
}

/* ---- first heads ---- */

static SlotClass class_of(Api *api, const Peer *peer, const RequestHead *head, const Route *route,
                          bool *ret_guesses)
{
    pthread_mutex_lock(&api->lock);
    bool owner =
        api->options.token.len ? secret_opens(api, head->bearer, head->session) : peer->loopback;
    *ret_guesses = guesses_are_many(&api->guesses, peer, clock_mono_ns());
    pthread_mutex_unlock(&api->lock);
    if (owner) return SLOT_OWNER;
    bool open = route && route->access == ACCESS_OPEN;
    return open || peer->loopback ? SLOT_HEALTH : SLOT_STRANGER;
}

/* libmicrohttpd reads the head from the socket again, and closes the descriptor. */
static void hand_over(Api *api, Slot *slot)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX}; /* it asks only the slot */
    (void)watch(api, EPOLL_CTL_DEL, slot->fd, 0, 0);
    int fd = slot->fd;
    if (MHD_add_connection(api->daemon, fd, (struct sockaddr *)&address, sizeof address) ==
        MHD_YES) {
        return;
    }
    pthread_mutex_lock(&api->slots.lock);
    if (!slot->attached) slot->phase = SLOT_FREE;
    pthread_mutex_unlock(&api->slots.lock);
}

static void head_whole(Api *api, Slot *slot, const RequestHead *head)
{
    Str name;
    char allow[32];
    bool guesses = false;
    const Route *route = route_find(head->method, head->path, &name, allow);
    if (route && route->access == ACCESS_LIVE) {
        answer_health(api, slot, route, str_eq(head->method, STR("HEAD")));
        return;
    }
    SlotClass class = class_of(api, &slot->peer, head, route, &guesses);
    pthread_mutex_lock(&api->slots.lock);
    bool served = slots_may_serve(&api->slots, class, &slot->peer, guesses);
    if (served) {
        slot->phase = SLOT_SERVED;
        slot->since_ns = clock_mono_ns();
        slot->deadline_ns = slot->since_ns + HEAD_NS;
    }
    pthread_mutex_unlock(&api->slots.lock);
    if (served) hand_over(api, slot);
    else refuse(api, slot, 503, "Service Unavailable", "too many connections are open");
}

/* `ended`: the other side sends no more. */
static void head_look(Api *api, Slot *slot, bool ended)
{
    static _Thread_local char bytes[REQUEST_HEAD_MAX + 1];
    RequestHead head;
    ssize_t got = recv(slot->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    if (got <= 0) {
        head_drop(api, slot);
        return;
    }
    HeadState state = request_head_parse(str_make(bytes, got), &head);
    if (state == HEAD_WHOLE) head_whole(api, slot, &head);
    if (state == HEAD_LARGE) {
        refuse(api, slot, 431, "Request Header Fields Too Large", "the head has more than 16 KiB");
    }
    if (state == HEAD_ALIEN) {
        refuse(api, slot, 400, "Bad Request", "this port speaks HTTP, without TLS");
    }
    if (state == HEAD_PART && ended) head_drop(api, slot);
}

/* ---- accepting ---- */

/* A share that is used up costs its own oldest head, unless that one is whole by now. */
static void make_room(Api *api, const Peer *peer)
{
    pthread_mutex_lock(&api->slots.lock);
    Slot *victim = slots_head_to_drop(&api->slots, peer);
    pthread_mutex_unlock(&api->slots.lock);
    if (!victim) return;
    head_look(api, victim, false);
    if (phase_of(api, victim) == SLOT_HEAD) head_drop(api, victim);
}

static void admit(Api *api, int fd, const struct sockaddr *address)
{
    Peer peer = peer_of(address);
    int64_t now_ns = clock_mono_ns();
    make_room(api, &peer);
    pthread_mutex_lock(&api->slots.lock);
    Slot *slot = slots_take(&api->slots, SLOT_HEAD, fd, &peer, now_ns, now_ns + HEAD_NS);
    pthread_mutex_unlock(&api->slots.lock);
    if (!slot) {
        (void)close(fd);
        return;
    }
    uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET; /* what was seen stays in the socket */
    if (watch(api, EPOLL_CTL_ADD, fd, events, slot_event(api, slot)) != 0) head_drop(api, slot);
    else head_look(api, slot, false);
}

/* Without a descriptor the queue would stay full and the listener ready for ever. */
static void turn_away(Api *api)
{
    if (api->intake.spare_fd >= 0) (void)close(api->intake.spare_fd);
    int fd = accept4(api->intake.listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) (void)close(fd);
    api->intake.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_all(Api *api)
{
    for (int32_t i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof address;
        int fd = accept4(api->intake.listen_fd, (struct sockaddr *)&address, &size,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            admit(api, fd, (const struct sockaddr *)&address);
        } else if (errno == EMFILE || errno == ENFILE) {
            turn_away(api);
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

/* ---- the thread ---- */

static void slot_late(Slot *slot, int64_t now_ns)
{
    if (slot->phase == SLOT_SERVED && slot->attached) {
        /* libmicrohttpd sees the end and closes it. */
        (void)shutdown(slot->fd, SHUT_RDWR);
        slot->deadline_ns = now_ns + CLOSE_NS;
    } else if (slot->phase == SLOT_SERVED) {
        slot->phase = SLOT_FREE; /* it was never taken: closed already */
    } else {
        slot_drop(slot);
    }
}

static void sweep(Api *api, int64_t now_ns, bool heads)
{
    pthread_mutex_lock(&api->slots.lock);
    for (int64_t i = 0; i < COUNT_OF(api->slots.items); i++) {
        Slot *at = &api->slots.items[i];
        if (at->phase == SLOT_FREE) continue;
        if (at->deadline_ns <= now_ns || (heads && at->phase == SLOT_HEAD)) slot_late(at, now_ns);
    }
    while (slots_count(&api->slots, SLOT_LINGER, NULL) > SLOTS_LINGER_MAX) {
        slot_drop(slots_oldest(&api->slots, SLOT_LINGER, NULL));
    }
    pthread_mutex_unlock(&api->slots.lock);
}

static void close_listener(Api *api)
{
    if (api->intake.listen_fd < 0) return;
    (void)close(api->intake.listen_fd);
    api->intake.listen_fd = -1;
}

/* Ends what is late; how long nothing else will be. */
static int pause_ms(Api *api)
{
    atomic_store(&api->intake.sleeps_until_ns,
                 INT64_MAX); /* whoever sets a deadline from now on wakes */
    int64_t now_ns = clock_mono_ns();
    if (atomic_load(&api->intake.closing)) close_listener(api);
    sweep(api, now_ns, atomic_load(&api->intake.closing));
    int64_t next_ns = work_expire(api, now_ns);
    pthread_mutex_lock(&api->slots.lock);
    next_ns = int64_min(next_ns, slots_deadline(&api->slots));
    pthread_mutex_unlock(&api->slots.lock);
    atomic_store(&api->intake.sleeps_until_ns, next_ns);
    if (next_ns == INT64_MAX) return -1;
    return (int)int64_min(int64_max(next_ns - now_ns, 0) / 1000000 + 1, 60000);
}

static void take_event(Api *api, const struct epoll_event *event)
{
    uint64_t count;
    if (event->data.u64 == EVENT_LISTEN) {
        if (!atomic_load(&api->intake.closing)) accept_all(api);
    } else if (event->data.u64 == EVENT_WAKE) {
        IGNORE(read(api->intake.wake_fd, &count, sizeof count)); /* only empties it */
    } else {
        Slot *slot = &api->slots.items[event->data.u64 - EVENT_SLOT];
        SlotPhase phase = phase_of(api, slot);
        bool ended = event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
        if (phase == SLOT_HEAD) head_look(api, slot, ended);
        if (phase == SLOT_LINGER) linger_read(api, slot);
    }
}

static void run(void *arg)
{
    Api *api = arg;
    struct epoll_event events[EVENTS_MAX];
    while (!atomic_load(&api->intake.ending)) {
        int count = epoll_wait(api->intake.epoll_fd, events, EVENTS_MAX, pause_ms(api));
        for (int i = 0; i < count; i++) take_event(api, &events[i]);
    }
}

Status intake_start(Api *api, Err *err)
{
    struct rlimit limit = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    slots_limit(&api->slots, (int64_t)(limit.rlim_cur > INT32_MAX ? INT32_MAX : limit.rlim_cur));
    api->intake.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    api->intake.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    api->intake.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool good = api->intake.epoll_fd >= 0 && api->intake.wake_fd >= 0 &&
                watch(api, EPOLL_CTL_ADD, api->intake.listen_fd, EPOLLIN, EVENT_LISTEN) == 0 &&
                watch(api, EPOLL_CTL_ADD, api->intake.wake_fd, EPOLLIN, EVENT_WAKE) == 0;
    if (!good) return err_errno(err, errno, "http.listen: connections can't be watched");
    return thread_start(&api->intake.thread, "http-intake", run, api, err);
}

void intake_close(Api *api)
{
    atomic_store(&api->intake.closing, true);
    intake_wake(api);
}

void intake_stop(Api *api)
{
    atomic_store(&api->intake.ending, true);
    if (api->intake.thread.running) intake_wake(api);
    thread_join(&api->intake.thread);
    for (int64_t i = 0; i < COUNT_OF(api->slots.items); i++) {
        Slot *at = &api->slots.items[i];
        if (at->phase == SLOT_HEAD || at->phase == SLOT_LINGER) slot_drop(at);
    }
    close_listener(api);
    int fds[] = {api->intake.epoll_fd, api->intake.wake_fd, api->intake.spare_fd};
    for (int64_t i = 0; i < COUNT_OF(fds); i++) {
        if (fds[i] >= 0) (void)close(fds[i]);
    }
    slots_done(&api->slots);
}
