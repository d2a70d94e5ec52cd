/* The state store: which kind, and its lock. */
#include "store/state/state_store.h"

#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "foundation/base/thread.h"
#include "store/state/state_store_impl.h"

/* A call waits so long for its turn and its answer; while the store is silent, one tries it so
 * long, not sooner than that after the last. */
#define STATE_WAIT_NS INT64_C(10000000000)
#define STATE_PROBE_NS INT64_C(2000000000)
#define STATE_RETRY_NS INT64_C(1000000000)

static const char HINT[] = "write sqlite:///relative.db, sqlite:////absolute.db or postgresql://…";

bool state_url_is_file(Str url)
{
    return str_starts(url, STR("sqlite"));
}

static Status url_wrong(Err *err)
{
    (void)err_set(err, ERR_CONFIG, "state: not the URL of a state store");
    return err_hint(err, "%s", HINT);
}

/* What is after the scheme, which may have a driver suffix (sqlite+aiosqlite, postgresql+asyncpg).
 */
static Status url_split(Str url, bool *ret_postgres, Str *ret_rest, Err *err)
{
    int64_t at = str_find(url, STR("://"));
    if (at < 0) return url_wrong(err);
    Str scheme = str_slice(url, 0, at), rest = str_slice(url, at + 3, url.len);
    int64_t plus = str_find_char(scheme, '+');
    if (plus >= 0) scheme = str_slice(scheme, 0, plus);
    *ret_rest = rest;
    *ret_postgres = str_eq(scheme, STR("postgresql")) || str_eq(scheme, STR("postgres"));
    if (*ret_postgres) return OK;
    bool path = str_eq(scheme, STR("sqlite")) && rest.len >= 2 && rest.ptr[0] == '/';
    /* They would become a part of the file's name, and be shown with it. */
    if (path && str_find_char(rest, '?') >= 0) {
        (void)err_set(err, ERR_CONFIG, "state: a SQLite state store takes no parameters");
        return err_hint(err, "leave out what follows the ? in the URL");
    }
    return path ? OK : url_wrong(err);
}

Status state_url_check(Str url, Err *err)
{
    bool postgres = false;
    Str rest = STR_NULL;
    return url_split(url, &postgres, &rest, err);
}

static Status open_kind(StateStore *store, Str url, Err *err)
{
    bool postgres = false;
    Str rest = STR_NULL;
    TRY(url_split(url, &postgres, &rest, err));
    if (postgres) {
        CLEANUP(buf_done) Buf plain = buf_make(1 << 16);
        TRY(buf_append(&plain, STR("postgresql://"), err));
        TRY(buf_append(&plain, rest, err));
        if (state_postgres_open(buf_str(&plain), store, err) == OK) return OK;
        return err_prefix(err, "the state store can't be used: ");
    }
    Str path = str_slice(rest, 1, rest.len);
    if (state_sqlite_open(path, store, err) == OK) return OK;
    return err_prefix(err, "the state store %.*s can't be used: ", STR_ARG(path));
}

static void store_free(StateStore *store)
{
    sqlite_db_close(store->db);
    postgres_db_close(store->session);
    buf_done(&store->url);
    buf_done(&store->sql);
    buf_done(&store->scope);
    pthread_cond_destroy(&store->freed);
    pthread_mutex_destroy(&store->lock);
    mem_free(store);
}

Status state_store_open(Str url, StateStore **ret_store, Err *err)
{
    StateStore *store = mem_zalloc((int64_t)sizeof *store);
    if (!store) return err_memory(err);
    pthread_mutex_init(&store->lock, NULL);
    thread_cond_init(&store->freed);
    store->deadline_ns = clock_mono_ns() + STATE_WAIT_NS;
    store->url = buf_make(1 << 16);
    store->sql = buf_make(1 << 16);
    store->scope = buf_make(64);
    uint64_t random[2] = {0};
    Status status = hash_random(random, sizeof random, err);
    (void)snprintf(store->owner, sizeof store->owner, "%016llx%016llx",
                   (unsigned long long)random[0], (unsigned long long)random[1]);
    if (status == OK) status = open_kind(store, url, err);
    if (status == OK) *ret_store = store;
    else store_free(store);
    return status;
}

void state_store_close(StateStore *store)
{
    if (!store) return;
    StateQuery query = {.sql = "DELETE FROM leases WHERE owner=?1",
                        STATE_VALUES(state_text(str_from(store->owner)))};
    IGNORE(state_query(store, &query, NULL)); /* they run out by themselves too */
    store_free(store);
}

bool state_store_is_shared(const StateStore *store)
{
    return store->db == NULL;
}

/* ---- one call at a time, each with a deadline ---- */

static Status no_answer(Err *err)
{
    return err_set(err, ERR_TIMEOUT, "no answer in time");
}

/* Under the lock. While it is silent one call tries, for a short time, and nobody waits for it. */
static Status wait_turn(StateStore *store, int64_t *ret_deadline_ns, Err *err)
{
    int64_t now_ns = clock_mono_ns(), deadline_ns = now_ns + STATE_WAIT_NS;
    while (store->since_ns && !store->silent) {
        bool late = !thread_cond_wait(&store->freed, &store->lock, deadline_ns);
        /* A wait that was cut short is no deadline that has passed. */
        if (late && clock_mono_ns() >= deadline_ns) return no_answer(err);
    }
    now_ns = clock_mono_ns();
    if (store->silent) {
        if (store->since_ns || now_ns - store->last_ns < STATE_RETRY_NS) return no_answer(err);
        deadline_ns = now_ns + STATE_PROBE_NS;
    }
    *ret_deadline_ns = deadline_ns;
    store->since_ns = now_ns;
    return OK;
}

Status state_turn_take(StateStore *store, Err *err)
{
    pthread_mutex_lock(&store->lock);
    Status status = wait_turn(store, &store->deadline_ns, err);
    pthread_mutex_unlock(&store->lock);
    return status;
}

void state_turn_give(StateStore *store)
{
    pthread_mutex_lock(&store->lock);
    store->last_ns = clock_mono_ns();
    store->silent = !store->db && store->last_ns >= store->deadline_ns;
    store->since_ns = 0;
    pthread_cond_broadcast(&store->freed); /* who waited for a silent one waits no longer */
    pthread_mutex_unlock(&store->lock);
}

int64_t state_store_waits_ns(StateStore *store)
{
    pthread_mutex_lock(&store->lock);
    int64_t since_ns = store->since_ns;
    pthread_mutex_unlock(&store->lock);
    return since_ns ? clock_mono_ns() - since_ns : 0;
}

Status state_queries(StateStore *store, StateQuery *queries, int32_t count, Err *err)
{
    Status status = state_turn_take(store, err);
    if (status == OK) {
        status = store->db ? state_sqlite_run(store, queries, count, err)
                           : state_postgres_run(store, queries, count, err);
        state_turn_give(store);
    }
    if (status == OK) return OK;
    return err_prefix(err, "state store: ");
}

Status state_query(StateStore *store, StateQuery *query, Err *err)
{
    return state_queries(store, query, 1, err);
}

Status state_store_check(StateStore *store, Err *err)
{
    StateQuery query = {.sql = "INSERT INTO pairs(key, value) VALUES('check', '')"
                               " ON CONFLICT(key) DO UPDATE SET value=''"};
    return state_query(store, &query, err);
}
