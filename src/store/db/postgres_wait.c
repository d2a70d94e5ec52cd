/* Waiting for PostgreSQL: cancelled from outside, bounded where the server says nothing, or talks
 * without end. */
#include <poll.h>
#include <time.h>

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/thread.h"
#include "store/db/postgres_db_impl.h"
#include "store/db/postgres_error.h"

/* How long a wait lasts before the session looks whether it was cancelled. */
enum { WAIT_TICK_MS = 100 };
/* A cancelled statement that the server doesn't end in this time is left behind; meanwhile it is
 * told again, since a cancellation before the statement arrives does nothing. */
#define CANCEL_NS INT64_C(3000000000)
#define CANCEL_AGAIN_NS INT64_C(1000000000)

/* Notices of one statement: none is asked for (client_min_messages). */
enum { NOTICES_MAX = 10000, NOTICE_BYTES_MAX = 16 << 20 };

/* After this silence the server is asked over another connection whether it is there: a kernel
 * answers keepalives for a server that was stopped. */
#define PROBE_AFTER_NS INT64_C(60000000000)
#define PROBE_AFTER_MIN_NS INT64_C(1000000000)
#define PROBE_WAIT_NS INT64_C(15000000000)
enum { PROBE_TRIES = 2 };
/* An SSLRequest: each server and pooler answers it by a byte, before it asks who we are. */
static const char PROBE[] = {0, 0, 0, 8, 4, (char)0xd2, 22, 47};

/* ---- cancelling ---- */

/* PQcancel connects and waits for as long as the server likes: in a thread of its own, which may
 * outlive the session. */
struct PostgresCanceller {
    PGcancel *cancel;
    _Atomic int refs;
    _Atomic bool busy;
};

Status postgres_canceller_new(PGconn *conn, PostgresCanceller **ret_canceller, Err *err)
{
    PostgresCanceller *canceller = mem_zalloc((int64_t)sizeof *canceller);
    if (canceller) canceller->cancel = PQgetCancel(conn);
    if (!canceller || !canceller->cancel) {
        mem_free(canceller);
        return err_memory(err);
    }
    atomic_init(&canceller->refs, 1);
    *ret_canceller = canceller;
    return OK;
}

void postgres_canceller_unref(PostgresCanceller *canceller)
{
    if (!canceller || atomic_fetch_sub(&canceller->refs, 1) > 1) return;
    PQfreeCancel(canceller->cancel);
    mem_free(canceller);
}

static void canceller_run(void *arg)
{
    PostgresCanceller *canceller = arg;
    char ignored[256];
    (void)PQcancel(canceller->cancel, ignored, (int)sizeof ignored);
    atomic_store(&canceller->busy, false);
    postgres_canceller_unref(canceller);
}

void postgres_db_cancel(PostgresDb *db)
{
    PostgresCanceller *canceller = db->canceller;
    Err ignored = {0};
    atomic_store(&db->cancelled, true);
    if (atomic_exchange(&canceller->busy, true)) return;
    atomic_fetch_add(&canceller->refs, 1);
    if (thread_detached("pg-cancel", canceller_run, canceller, &ignored) == OK) return;
    atomic_store(&canceller->busy, false);
    postgres_canceller_unref(canceller);
}

void postgres_db_deadline(PostgresDb *db, int64_t deadline_ns)
{
    db->deadline_ns = deadline_ns;
}

void postgres_db_stop_on(PostgresDb *db, const _Atomic bool *stop)
{
    db->stop = stop;
}

bool postgres_db_cancelled(const PostgresDb *db)
{
    return atomic_load(&db->cancelled) || (db->stop && atomic_load(db->stop));
}

Status postgres_check(PostgresDb *db, Err *err)
{
    return postgres_db_cancelled(db) ? err_set(err, ERR_CANCELLED, "cancelled") : OK;
}

/* A cancelled session waits a little for the server to end its statement. */
static Status cancel_check(PostgresDb *db, int64_t now_ns, Err *err)
{
    if (!postgres_db_cancelled(db)) return OK;
    if (!db->cancelled_ns) db->cancelled_ns = now_ns;
    if (now_ns - db->cancelled_ns > CANCEL_NS) return err_set(err, ERR_CANCELLED, "cancelled");
    if (now_ns < db->cancel_ns) return OK;
    db->cancel_ns = now_ns + CANCEL_AGAIN_NS;
    postgres_db_cancel(db);
    return OK;
}

/* ---- silence and chatter ---- */

void postgres_on_notice(void *arg, const PGresult *result)
{
    PostgresDb *db = arg;
    db->notices++;
    db->notice_bytes += (int64_t)strlen(PQresultErrorMessage(result));
}

void postgres_asked(PostgresDb *db)
{
    db->notices = db->notice_bytes = 0;
    db->heard_ns = clock_mono_ns();
}

/* The session is given up after this: the server has to hear of it before. */
static void cancel_wait(PostgresDb *db)
{
    enum { CANCEL_NAP_NS = 10000000 };
    int64_t until_ns = clock_mono_ns() + CANCEL_AGAIN_NS;
    postgres_db_cancel(db);
    while (atomic_load(&db->canceller->busy) && clock_mono_ns() < until_ns)
        clock_sleep_ns(CANCEL_NAP_NS);
}

static Status too_loud(PostgresDb *db, Err *err)
{
    if (db->notices <= NOTICES_MAX && db->notice_bytes <= NOTICE_BYTES_MAX) return OK;
    cancel_wait(db);
    (void)err_set(err, ERR_LIMIT, "postgresql: the server sends notices without end");
    return err_hint(err,
                    "%d of a statement are too many: see client_min_messages, and RAISE in the"
                    " functions that it calls",
                    NOTICES_MAX);
}

static Status too_silent(PostgresDb *db, Err *err)
{
    cancel_wait(db);
    (void)err_set(err, ERR_TIMEOUT, "postgresql: no answer from %s:%s for %lld s", PQhost(db->conn),
                  PQport(db->conn), (long long)(db->timeout_ns / 1000000000));
    return err_hint(err, "`timeout:` of the connection (#timeout= of a URL) is how long a statement"
                         " may give nothing");
}

/* One answer is enough; two questions in a row without one, and the server is gone. */
static Status probe(PostgresDb *db, int64_t now_ns, int64_t after_ns, Err *err)
{
    PeerAnswer answer = PEER_WAITED_FOR;
    if (db->probe.fd < 0 && now_ns < db->probe_ns) return OK;
    if (db->probe.fd < 0) {
        db->probe_ns = now_ns + int64_min(PROBE_WAIT_NS, after_ns);
        answer = peer_probe_start(&db->probe, PQsocket(db->conn));
    } else {
        answer = peer_probe_look(&db->probe, str_make(PROBE, (int64_t)sizeof PROBE));
        if (answer == PEER_WAITED_FOR && now_ns >= db->probe_ns) answer = PEER_DEAD;
    }
    if (answer == PEER_WAITED_FOR) return OK;
    peer_probe_end(&db->probe);
    if (answer == PEER_ALIVE) {
        db->probe_failures = 0;
        db->probe_ns = now_ns + after_ns;
        return OK;
    }
    if (++db->probe_failures < PROBE_TRIES) return OK;
    (void)err_set(err, ERR_TIMEOUT, "postgresql: %s:%s doesn't answer any more", PQhost(db->conn),
                  PQport(db->conn));
    return err_hint(err, "neither this session nor new ones: the server or the network hangs");
}

static Status silence_check(PostgresDb *db, int64_t now_ns, Err *err)
{
    int64_t silent_ns = now_ns - db->heard_ns;
    int64_t after_ns = int64_min(PROBE_AFTER_NS, db->timeout_ns / 10);
    after_ns = int64_max(after_ns, PROBE_AFTER_MIN_NS);
    if (silent_ns >= db->timeout_ns) return too_silent(db, err);
    if (silent_ns >= after_ns) return probe(db, now_ns, after_ns, err);
    db->probe_failures = 0;
    return OK;
}

/* ---- waiting ---- */

Status postgres_wait(PostgresDb *db, bool write, int64_t deadline_ns, bool *ret_ready, Err *err)
{
    *ret_ready = false;
    while (true) {
        int64_t now_ns = clock_mono_ns();
        TRY(cancel_check(db, now_ns, err));
        TRY(too_loud(db, err));
        int64_t left_ms = deadline_ns < 0 ? WAIT_TICK_MS : (deadline_ns - now_ns) / 1000000;
        struct pollfd fd = {.fd = PQsocket(db->conn),
                            .events = (short)(write ? POLLIN | POLLOUT : POLLIN)};
        if (fd.fd < 0) return postgres_error_connection(db->conn, false, err);
        if (poll(&fd, 1, (int)int64_max(int64_min(left_ms, WAIT_TICK_MS), 0)) > 0) {
            db->heard_ns = clock_mono_ns();
            *ret_ready = true;
            return OK;
        }
        if (db->deadline_ns && clock_mono_ns() >= db->deadline_ns) {
            return err_set(err, ERR_TIMEOUT, "postgresql: the server did not answer in time");
        }
        TRY(silence_check(db, clock_mono_ns(), err));
        if (deadline_ns >= 0 && clock_mono_ns() >= deadline_ns) return OK;
    }
}

Status postgres_flush(PostgresDb *db, Err *err)
{
    int state;
    while ((state = PQflush(db->conn)) == 1) {
        bool ready = false;
        TRY(postgres_wait(db, true, -1, &ready, err));
        /* What the server said last, the result tells. */
        if (!PQconsumeInput(db->conn)) return OK;
    }
    return state == 0 ? OK : postgres_db_error(db, NULL, err);
}

Status postgres_result(PostgresDb *db, PGresult **ret_result, Err *err)
{
    bool unsent = PQflush(db->conn) == 1;
    while (unsent || PQisBusy(db->conn)) {
        bool ready = false;
        TRY(postgres_wait(db, unsent, -1, &ready, err));
        if (!PQconsumeInput(db->conn)) break; /* PQgetResult tells what the server said last */
        unsent = PQflush(db->conn) == 1;
    }
    *ret_result = PQgetResult(db->conn);
    return OK;
}
