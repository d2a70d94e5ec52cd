/* Opening a session with PostgreSQL: the URL, the hosts that it names, their addresses. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>

#include "foundation/base/arena.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "foundation/codec/url.h"
#include "foundation/net/resolver.h"
#include "store/db/postgres_db_impl.h"
#include "store/db/postgres_error.h"

enum { CONNECT_S = 10, CONNECT_S_MAX = 3600, CONNECT_TICK_MS = 100, CANDIDATES_MAX = 64 };

/* ---- the URL ---- */

/* A URL that libpq can't read. Its message may hold the URL's text, so only the harmless one is
 * shown: of a parameter's name, where no @ after it says that it was part of a password. */
static Status url_error(const char *url, const char *message, Err *err)
{
    const char *query = strchr(url, '?');
    bool harmless = query && !strchr(query, '@');
    if (harmless && message && strncmp(message, "invalid URI query parameter", 27) == 0) {
        Str line = str_trim(str_from(message));
        (void)err_set(err, ERR_CONFIG, "postgresql: %.*s", STR_ARG(line));
        return err_hint(err, "parameters are libpq's own: sslmode, connect_timeout, options, …");
    }
    (void)err_set(err, ERR_CONFIG, "postgresql: the URL can't be read");
    return err_hint(err, "postgresql://user:password@host:5432/database; write @ : / %% # ? of a "
                         "password as %%40 %%3A %%2F %%25 %%23 %%3F");
}

/* asyncpg's and other drivers' `ssl=require` is libpq's `sslmode=require`. */
static Status url_text(Str url, Buf *out, Err *err)
{
    int64_t question = str_find_char(url, '?');
    Str head = question < 0 ? url : str_slice(url, 0, question);
    Str rest = question < 0 ? STR_NULL : str_slice(url, question + 1, url.len);
    Url parsed;
    TRY(url_parse(url, &parsed, err));
    TRY(buf_append(out, head, err));
    Str item = STR_NULL;
    for (char sep = '?'; rest.len && str_next_part(&rest, '&', &item); sep = '&') {
        bool ssl = str_starts(item, STR("ssl=")) && !str_eq(item, STR("ssl=true"));
        TRY(buf_append_char(out, sep, err));
        if (ssl) TRY(buf_append(out, STR("sslmode="), err));
        TRY(buf_append(out, ssl ? str_slice(item, 4, item.len) : item, err));
    }
    return buf_terminate(out, err);
}

/* ---- where to ---- */

/* One place to try: as the URL writes it (for certificates and .pgpass), and its address. An empty
 * text is libpq's own default. */
typedef struct Candidate {
    const char *host, *address, *port;
} Candidate;

typedef struct Opening {
    const PostgresOpen *how;
    const char *url;
    Arena arena;
    Str hosts, addresses, ports, session; /* the options of these names; session_attrs */
    int64_t seconds;                      /* for each place */
    Candidate candidates[CANDIDATES_MAX];
    int32_t count;
} Opening;

static Status take_option(Opening *o, const PQconninfoOption *option, Err *err)
{
    struct {
        const char *name;
        Str *to;
    } texts[] = {{"host", &o->hosts},
                 {"hostaddr", &o->addresses},
                 {"port", &o->ports},
                 {"target_session_attrs", &o->session}};
    if (!option->val || !*option->val) return OK;
    if (strcmp(option->keyword, "connect_timeout") == 0) {
        (void)number_parse_int64(str_from(option->val), &o->seconds);
    }
    for (int64_t i = 0; i < COUNT_OF(texts); i++) {
        if (strcmp(option->keyword, texts[i].name) != 0) continue;
        TRY(arena_copy(&o->arena, str_from(option->val), texts[i].to, err));
    }
    return OK;
}

/* What URL, environment and service file say together. Only a session knows: one that libpq refuses
 * for one of its options before it looks for any server. */
static Status take_options(Opening *o, Err *err)
{
    static const char *const NAMES[] = {"dbname", "password", "channel_binding", NULL};
    const char *values[] = {o->url, "-", "none", NULL};
    char *message = NULL;
    PQconninfoOption *parsed = PQconninfoParse(o->url, &message);
    Status status = parsed ? OK : url_error(o->url, message, err);
    PQfreemem(message);
    PQconninfoFree(parsed);
    TRY(status);
    PGconn *conn = PQconnectStartParams(NAMES, values, 1);
    PQconninfoOption *options = conn ? PQconninfo(conn) : NULL;
    if (!options) status = err_memory(err);
    o->seconds = CONNECT_S;
    for (PQconninfoOption *at = options; at && at->keyword && status == OK; at++) {
        status = take_option(o, at, err);
    }
    if (o->seconds <= 0 || o->seconds > CONNECT_S_MAX) o->seconds = CONNECT_S;
    PQconninfoFree(options);
    PQfinish(conn);
    return status;
}

/* Of what begins now: a name, or a place. */
static int64_t opening_deadline(const Opening *o)
{
    int64_t until_ns = clock_mono_ns() + o->seconds * INT64_C(1000000000);
    return o->how->deadline_ns ? int64_min(until_ns, o->how->deadline_ns) : until_ns;
}

static Status add(Opening *o, Str host, Str address, Str port, Err *err)
{
    if (o->count == CANDIDATES_MAX) return OK;
    Candidate *to = &o->candidates[o->count++];
    TRY(arena_printf(&o->arena, &host, err, "%.*s", STR_ARG(host)));
    TRY(arena_printf(&o->arena, &address, err, "%.*s", STR_ARG(address)));
    TRY(arena_printf(&o->arena, &port, err, "%.*s", STR_ARG(port)));
    *to = (Candidate){host.ptr, address.ptr, port.ptr};
    return OK;
}

static Status name_error(const Opening *o, Str host, int code, Err *err)
{
    if (code == EAI_INTR) return err_set(err, ERR_CANCELLED, "cancelled");
    if (code == EAI_MEMORY) return err_memory(err);
    if (code == EAI_AGAIN) {
        (void)err_set(err, ERR_TIMEOUT,
                      "postgresql: the address of \"%.*s\" was not found in %lld s", STR_ARG(host),
                      (long long)o->seconds);
        return err_hint(err, "the name server doesn't answer; give an address, or more time by"
                             " connect_timeout=");
    }
    (void)err_set(err, ERR_CONNECT,
                  "postgresql: could not translate host name \"%.*s\" to address: %s",
                  STR_ARG(host), gai_strerror(code));
    return err_hint(err, "check the host of the URL");
}

/* All addresses of a name, in the resolver's order. */
static Status add_name(Opening *o, Str host, Str port, Err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    Str name;
    Status status = OK;
    TRY(arena_printf(&o->arena, &name, err, "%.*s", STR_ARG(host)));
    int64_t deadline_ns = opening_deadline(o);
    int code = resolver_lookup(name.ptr, NULL, &hints, deadline_ns, o->how->stop, &found);
    if (code != 0) return name_error(o, host, code, err);
    for (struct addrinfo *at = found; at && status == OK; at = at->ai_next) {
        char text[INET6_ADDRSTRLEN + 20];
        if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST)) {
            continue;
        }
        status = add(o, host, str_from(text), port, err);
    }
    freeaddrinfo(found);
    return status;
}

static bool is_named(Str host)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (host.len == 0 || host.ptr[0] == '/' || host.ptr[0] == '@') return false;
    if (host.len >= (int64_t)sizeof text) return true;
    memcpy(text, host.ptr, (size_t)host.len);
    text[host.len] = 0;
    return inet_pton(AF_INET, text, bytes) != 1 && inet_pton(AF_INET6, text, bytes) != 1;
}

/* The next of a list; a list of one counts for all. */
static Str next_of(Str *list, Str *last)
{
    if (list->ptr && list->len > 0) (void)str_next_part(list, ',', last);
    else if (list->ptr) *last = STR_NULL;
    return *last;
}

/* A name that has no address is left out while another place is left; err says why. */
static Status find_candidates(Opening *o, Err *err)
{
    Str hosts = o->hosts, addresses = o->addresses, ports = o->ports;
    Str host = STR_NULL, address = STR_NULL, port = STR_NULL;
    bool one_port = str_find_char(ports, ',') < 0;
    if (!hosts.len && !addresses.len) return add(o, STR_NULL, STR_NULL, ports, err);
    while (hosts.len || addresses.len) {
        (void)next_of(&hosts, &host);
        (void)next_of(&addresses, &address);
        if (one_port) port = ports;
        else (void)next_of(&ports, &port);
        if (address.len || !is_named(host)) {
            TRY(add(o, host, address, port, err));
        } else if (add_name(o, host, port, err) != OK) {
            if (err->kind == ERR_CANCELLED || err->kind == ERR_MEMORY) return FAIL;
        }
    }
    return o->count ? OK : FAIL;
}

/* ---- connecting ---- */

/* Drive the opening to its end, at most until the deadline. A host that doesn't answer counts as
 * one that isn't there. */
static Status connect_wait(PGconn *conn, int64_t deadline_ns, const _Atomic bool *stop, Err *err)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED) return postgres_error_connection(conn, true, err);
        if (stop && atomic_load(stop)) return err_set(err, ERR_CANCELLED, "cancelled");
        int64_t left_ms = (deadline_ns - clock_mono_ns()) / 1000000;
        if (left_ms <= 0) {
            const char *host = PQhost(conn);
            return err_set(err, ERR_TIMEOUT, "postgresql: no answer from %s:%s in time",
                           host ? host : "the server", PQport(conn));
        }
        struct pollfd fd = {.fd = PQsocket(conn),
                            .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (poll(&fd, 1, (int)int64_min(left_ms, CONNECT_TICK_MS)) <= 0) continue;
        state = PQconnectPoll(conn);
    }
    return OK;
}

static Status connect_to(const Opening *o, const Candidate *to, const char *session, PostgresDb *db,
                         Err *err)
{
    /* What stands before dbname the URL may say otherwise; what stands after it may not. */
    static const char *const NAMES[] = {"fallback_application_name",
                                        "keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        "dbname",
                                        "client_encoding",
                                        "host",
                                        "hostaddr",
                                        "port",
                                        "target_session_attrs",
                                        NULL};
    const char *values[] = {"neuron", "30",     "10",        "3",      "120000", o->url,
                            "UTF8",   to->host, to->address, to->port, session,  NULL};
    PGconn *conn = PQconnectStartParams(NAMES, values, 1);
    if (!conn) return err_memory(err);
    Status status = OK;
    if (PQstatus(conn) == CONNECTION_BAD) status = postgres_error_connection(conn, true, err);
    /* Only a verbose message shows why the server turned us away. */
    (void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    (void)PQsetNoticeReceiver(conn, postgres_on_notice, db);
    int64_t deadline_ns = opening_deadline(o);
    if (status == OK) status = connect_wait(conn, deadline_ns, o->how->stop, err);
    if (status == OK && PQsetnonblocking(conn, 1) != 0) status = err_memory(err);
    if (status != OK) {
        PQfinish(conn);
        return FAIL;
    }
    (void)PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    db->conn = conn;
    return OK;
}

/* Another place may do better: this one wasn't reached, or isn't what is looked for. */
static bool is_worth_another(const Err *err)
{
    return err->kind == ERR_CONNECT || err->kind == ERR_TIMEOUT;
}

/* The places in their order, each with a time of its own. */
static Status connect_any(const Opening *o, const char *session, PostgresDb *db, Err *err)
{
    for (int32_t i = 0; i < o->count; i++) {
        if (connect_to(o, &o->candidates[i], session, db, err) == OK) return OK;
        if (i + 1 == o->count || !is_worth_another(err)) return FAIL;
        err_clear(err);
    }
    return FAIL;
}

static Status opening_run(Opening *o, PostgresDb *db, Err *err)
{
    TRY(take_options(o, err));
    TRY(find_candidates(o, err));
    err_clear(err);
    if (!str_eq(o->session, STR("prefer-standby"))) return connect_any(o, "", db, err);
    if (connect_any(o, "standby", db, err) == OK) return OK;
    if (!is_worth_another(err)) return FAIL;
    err_clear(err);
    return connect_any(o, "any", db, err);
}

Status postgres_db_open(const PostgresOpen *how, PostgresDb **ret_db, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 17);
    Err local = {0};
    if (!err) err = &local;
    TRY(url_text(how->url, &text, err));
    PostgresDb *db = mem_zalloc((int64_t)sizeof *db);
    if (!db) return err_memory(err);
    db->probe.fd = -1;
    db->timeout_ns = (how->timeout_us ? how->timeout_us : POSTGRES_TIMEOUT_US) * 1000;
    Opening o = {.how = how, .url = text.data, .arena = arena_make(1 << 20)};
    Status status = opening_run(&o, db, err);
    arena_done(&o.arena);
    if (status == OK) status = postgres_canceller_new(db->conn, &db->canceller, err);
    if (status != OK) {
        postgres_db_close(db);
        return FAIL;
    }
    *ret_db = db;
    return OK;
}

void postgres_db_close(PostgresDb *db)
{
    if (!db) return;
    PQfreemem(db->row);
    postgres_canceller_unref(db->canceller);
    peer_probe_end(&db->probe);
    PQfinish(db->conn);
    mem_free(db);
}
