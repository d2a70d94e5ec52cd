/* The lease of a replay: taken, renewed by a thread, given back; who holds it is kept beside. */
#include "cli/replay_lease.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "foundation/base/clock.h"
#include "foundation/base/datetime.h"
#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"

/* A replay that says nothing for so long is taken for dead. */
#define HOLD_US INT64_C(5000000)
#define RENEW_NS INT64_C(1000000000)
#define AGAIN_NS INT64_C(200000000)
enum { HOST_MAX = 256, HOLDER_MAX = 4096 };

/* ---- who holds it ---- */

static void host_name(char host[HOST_MAX])
{
    if (gethostname(host, HOST_MAX) != 0) host[0] = '\0';
    host[HOST_MAX - 1] = '\0';
}

static Status holder_key(Str name, Buf *key, Err *err)
{
    return buf_printf(key, err, "replaying:%.*s", STR_ARG(name));
}

static Status holder_write(Buf *value, Err *err)
{
    char host[HOST_MAX], since[DATETIME_TEXT_MAX];
    host_name(host);
    int64_t len = datetime_format_timestamp(clock_now_us() / 1000000 * 1000000, 'T', true, since);
    JsonWriter w = json_writer_make(value, err);
    json_object_begin(&w);
    json_key(&w, "host");
    json_write_text(&w, str_from(host));
    json_key(&w, "process");
    json_write_int64(&w, getpid());
    json_key(&w, "since");
    json_write_text(&w, str_make(since, len));
    json_object_end(&w);
    return json_writer_end(&w);
}

static Status holder_put(ReplayLease *lease, Err *err)
{
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    TRY(holder_key(buf_str(&lease->name), &key, err));
    TRY(holder_write(&lease->holder, err));
    return state_value_put(lease->store, buf_str(&key), buf_str(&lease->holder), err);
}

static Status holder_get(const ReplayLease *lease, Buf *value, Err *err)
{
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    TRY(holder_key(buf_str(&lease->name), &key, err));
    return state_value_get(lease->store, buf_str(&key), value, err);
}

static void holder_drop(const ReplayLease *lease)
{
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    if (holder_key(buf_str(&lease->name), &key, NULL) != OK) return;
    IGNORE(state_value_drop(lease->store, buf_str(&key), NULL));
}

/* A living process of this machine. */
static bool lives_here(Str host, int64_t process)
{
    char here[HOST_MAX];
    host_name(here);
    if (!str_eq(host, str_from(here)) || process <= 0 || process == getpid()) return false;
    return kill((pid_t)process, 0) == 0 || errno == EPERM;
}

/* FAIL always, but *ret_again: it may have been killed, and its lease runs out then. */
static Status is_held(const ReplayLease *lease, bool *ret_again, Arena *arena, Err *err)
{
    CLEANUP(buf_done) Buf value = buf_make(HOLDER_MAX);
    JsonValue *holder = NULL;
    Str name = buf_str(&lease->name);
    int64_t process = 0;
    *ret_again = false;
    TRY(holder_get(lease, &value, err));
    if (value.len) TRY(json_parse(buf_str(&value), arena, &holder, err));
    Str host = json_member_text(holder, STR("host"), STR("?"));
    (void)json_int64(json_member(holder, STR("process")), &process);
    *ret_again = !lives_here(host, process);
    (void)err_set(err, ERR_DEADLOCK, "%.*s is being replayed by process %lld on %.*s since %.*s",
                  STR_ARG(name), (long long)process, STR_ARG(host),
                  STR_ARG(json_member_text(holder, STR("since"), STR("?"))));
    return err_hint(err, "wait for it, or end it: some seconds later another may go on");
}

/* ---- holding it ---- */

static Status renew(const ReplayLease *lease, bool *ret_mine, Err *err)
{
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    TRY(buf_printf(&key, err, "replay:%.*s", STR_ARG(buf_str(&lease->name))));
    return state_lease_take(lease->store, buf_str(&key), HOLD_US, ret_mine, err);
}

/* What can't be renewed now is tried again; whether it is ours still, replay_lease_check asks. */
static void keep(void *arg)
{
    ReplayLease *lease = arg;
    pthread_mutex_lock(&lease->mutex);
    while (!lease->ends) {
        if (thread_cond_wait(&lease->cond, &lease->mutex, clock_mono_ns() + RENEW_NS)) continue;
        bool mine = true;
        pthread_mutex_unlock(&lease->mutex);
        IGNORE(renew(lease, &mine, NULL));
        pthread_mutex_lock(&lease->mutex);
        lease->ends |= !mine;
    }
    pthread_mutex_unlock(&lease->mutex);
}

static Status wait_for(const ReplayLease *lease, const _Atomic bool *stop, Arena *arena, Err *err)
{
    int64_t until_ns = clock_mono_ns() + HOLD_US * 1000 + RENEW_NS;
    for (;;) {
        bool mine = false, again = false;
        TRY(renew(lease, &mine, err));
        if (mine) return OK;
        Status status = is_held(lease, &again, arena, err);
        if (!again || atomic_load(stop) || clock_mono_ns() > until_ns) return status;
        if (err) err_clear(err);
        clock_sleep_ns(AGAIN_NS);
    }
}

static Status begin(ReplayLease *lease, const _Atomic bool *stop, Err *err)
{
    Arena arena = arena_make(1 << 20);
    Status status = wait_for(lease, stop, &arena, err);
    arena_done(&arena);
    TRY(status);
    TRY(holder_put(lease, err));
    return thread_start(&lease->thread, "replay-lease", keep, lease, err);
}

Status replay_lease_take(ReplayLease *lease, StateStore *store, Str name, const _Atomic bool *stop,
                         Err *err)
{
    *lease =
        (ReplayLease){.store = store, .name = buf_make(1 << 16), .holder = buf_make(HOLDER_MAX)};
    pthread_mutex_init(&lease->mutex, NULL);
    thread_cond_init(&lease->cond);
    if (buf_append(&lease->name, name, err) == OK && begin(lease, stop, err) == OK) return OK;
    replay_lease_drop(lease);
    return FAIL;
}

Status replay_lease_check(const ReplayLease *lease, Err *err)
{
    CLEANUP(buf_done) Buf holder = buf_make(HOLDER_MAX);
    bool mine = true;
    if (!lease->store) return OK;
    TRY(renew(lease, &mine, err));
    TRY(holder_get(lease, &holder, err));
    if (mine && str_eq(buf_str(&holder), buf_str(&lease->holder))) return OK;
    (void)err_set(err, ERR_FENCED, "this replay said nothing for so long that another took over");
    return err_hint(err, "replay again");
}

void replay_lease_drop(ReplayLease *lease)
{
    if (!lease->store) return;
    pthread_mutex_lock(&lease->mutex);
    lease->ends = true;
    pthread_cond_broadcast(&lease->cond);
    pthread_mutex_unlock(&lease->mutex);
    bool began = lease->thread.running;
    thread_join(&lease->thread);
    if (began && replay_lease_check(lease, NULL) == OK) {
        CLEANUP(buf_done) Buf key = buf_make(1 << 16);
        holder_drop(lease);
        if (buf_printf(&key, NULL, "replay:%.*s", STR_ARG(buf_str(&lease->name))) == OK) {
            IGNORE(state_lease_drop(lease->store, buf_str(&key), NULL));
        }
    }
    pthread_mutex_destroy(&lease->mutex);
    pthread_cond_destroy(&lease->cond);
    buf_done(&lease->name);
    buf_done(&lease->holder);
    lease->store = NULL;
}
