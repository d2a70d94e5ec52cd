/* Makes librdkafka's clients, and turns what they say into errors with a fix. */
#include "connect/kafka/kafka_client.h"

#include <stdatomic.h>
#include <stdio.h>

#include "connect/kafka/kafka_options.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/thread.h"
#include "foundation/net/resolver.h"

#define OPTION_PREFIX STR("rdkafka.")
#define DESTROY_NS INT64_C(5000000000)
enum { METADATA_TICK_MS = 500, TLS_TRIES = 2 };

void kafka_client_init(KafkaClient *client, const KafkaPlace *place, void *owner)
{
    *client = (KafkaClient){.place = place, .owner = owner};
    pthread_mutex_init(&client->mutex, NULL);
}

/* ---- the end ---- */

typedef struct Ending {
    rd_kafka_t *rk;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool ended, unwatched;
} Ending;

static void ending_free(Ending *ending)
{
    pthread_mutex_destroy(&ending->mutex);
    pthread_cond_destroy(&ending->cond);
    mem_free(ending);
}

static void ending_run(void *arg)
{
    Ending *ending = arg;
    rd_kafka_destroy(ending->rk);
    pthread_mutex_lock(&ending->mutex);
    bool unwatched = ending->unwatched;
    ending->ended = true;
    pthread_cond_signal(&ending->cond);
    pthread_mutex_unlock(&ending->mutex);
    if (unwatched) ending_free(ending);
}

static bool ending_wait(Ending *ending)
{
    int64_t deadline_ns = clock_mono_ns() + DESTROY_NS;
    bool in_time = true;
    pthread_mutex_lock(&ending->mutex);
    while (!ending->ended && in_time) {
        in_time = thread_cond_wait(&ending->cond, &ending->mutex, deadline_ns);
    }
    bool ended = ending->ended;
    ending->unwatched = !ended;
    pthread_mutex_unlock(&ending->mutex);
    if (ended) ending_free(ending);
    return ended;
}

void kafka_client_free_handle(KafkaClient *client)
{
    rd_kafka_t *rk = client->rk;
    client->rk = NULL;
    if (!rk) return;
    Err ignored = {0};
    Ending *ending = mem_zalloc((int64_t)sizeof *ending);
    if (ending) {
        ending->rk = rk;
        pthread_mutex_init(&ending->mutex, NULL);
        thread_cond_init(&ending->cond);
    }
    if (!ending || thread_detached("kafka-end", ending_run, ending, &ignored) != OK) {
        if (ending) ending_free(ending);
        rd_kafka_destroy(rk);
        return;
    }
    if (!ending_wait(ending)) client->left_behind = true;
}

bool kafka_client_done(KafkaClient *client)
{
    static const _Atomic bool STOPPED = true;
    kafka_client_free_handle(client);
    if (client->left_behind) client->stop = &STOPPED; /* the request's ends before its threads do */
    else pthread_mutex_destroy(&client->mutex);
    return !client->left_behind;
}

/* ---- what librdkafka says by itself ---- */

static void note_trouble(KafkaClient *client, const char *text)
{
    if (!client) return;
    pthread_mutex_lock(&client->mutex);
    (void)snprintf(client->trouble, sizeof client->trouble, "%s", text);
    pthread_mutex_unlock(&client->mutex);
}

/* Log lines begin with the thread's name in brackets, which nobody needs. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    if (level > 4 || !rk || strcmp(facility, "CONFWARN") == 0) return;
    const char *end = text[0] == '[' ? strstr(text, "]: ") : NULL;
    note_trouble(rd_kafka_opaque(rk), end ? end + 3 : text);
}

static void on_error(rd_kafka_t *rk UNUSED, int code, const char *text, void *opaque)
{
    KafkaClient *client = opaque;
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION) client->wrong_user = true;
    if (code == RD_KAFKA_RESP_ERR__SSL) client->wrong_tls++;
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) note_trouble(opaque, text);
}

static void take_trouble(KafkaClient *client, char ret_text[KAFKA_TROUBLE_MAX])
{
    pthread_mutex_lock(&client->mutex);
    memcpy(ret_text, client->trouble, KAFKA_TROUBLE_MAX);
    pthread_mutex_unlock(&client->mutex);
}

/* ---- errors ---- */

static ErrKind error_kind(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return ERR_FENCED;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        return ERR_PERMISSION;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
        return ERR_CONFIG;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
        return ERR_DATA;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        return ERR_TIMEOUT;
    case RD_KAFKA_RESP_ERR__STATE:
        return ERR_INTERNAL;
    default:
        return ERR_CONNECT;
    }
}

static void hint_by_kind(ErrKind kind, Err *err)
{
    if (kind == ERR_FENCED) {
        (void)err_hint(err, "another process runs with the same id or instance; give each its own");
    } else if (kind == ERR_PERMISSION) {
        (void)err_hint(err,
                       "check the rdkafka.sasl.* options and what the broker allows this user");
    } else if (kind == ERR_CONNECT || kind == ERR_TIMEOUT) {
        (void)err_hint(err, "check that the brokers run and are reached from here under the "
                            "addresses that they advertise");
    } else if (kind == ERR_DATA) {
        (void)err_hint(err, "raise the topic's max.message.bytes, or write smaller messages");
    }
}

Status kafka_client_error(KafkaClient *client, rd_kafka_resp_err_t code, const char *text,
                          const char *what, Err *err)
{
    char trouble[KAFKA_TROUBLE_MAX];
    take_trouble(client, trouble);
    ErrKind kind = error_kind(code);
    bool network = kind == ERR_CONNECT || kind == ERR_TIMEOUT;
    bool more = network && trouble[0] && strcmp(trouble, text) != 0;
    (void)err_set(err, kind, "%.*s: %s%s%s%s%s%s", STR_ARG(client->place->location->text),
                  what ? what : "", what ? ": " : "", text, more ? " (" : "", more ? trouble : "",
                  more ? ")" : "");
    hint_by_kind(kind, err);
    return FAIL;
}

Status kafka_client_code(KafkaClient *client, rd_kafka_resp_err_t code, const char *what, Err *err)
{
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return OK;
    return kafka_client_error(client, code, rd_kafka_err2str(code), what, err);
}

Status kafka_client_result(KafkaClient *client, rd_kafka_error_t *error, const char *what, Err *err)
{
    if (!error) return OK;
    (void)kafka_client_error(client, rd_kafka_error_code(error), rd_kafka_error_string(error), what,
                             err);
    rd_kafka_error_destroy(error);
    return FAIL;
}

/* ---- options ---- */

static Status check_reserved(const KafkaClient *client, Str name, Err *err)
{
    const char *instead = kafka_option_reserved(name, true);
    if (!instead) return OK;
    (void)err_set(err, ERR_CONFIG, "%.*s: the option \"%.*s\" can't be set",
                  STR_ARG(client->place->location->text), STR_ARG(name));
    return err_hint(err, "%s", instead);
}

/* librdkafka's own text may hold the value, which may be a secret: it isn't shown. */
static Status set_option(const KafkaClient *client, rd_kafka_conf_t *conf, const char *name,
                         const char *value, Err *err)
{
    char text[512];
    switch (rd_kafka_conf_set(conf, name, value, text, sizeof text)) {
    case RD_KAFKA_CONF_OK:
        return OK;
    case RD_KAFKA_CONF_UNKNOWN:
        (void)err_set(err, ERR_CONFIG, "%.*s: librdkafka %s knows no option \"%s\"",
                      STR_ARG(client->place->location->text), rd_kafka_version_str(), name);
        return err_hint(err, "its options are in librdkafka's CONFIGURATION.md");
    case RD_KAFKA_CONF_INVALID:
    default:
        (void)err_set(err, ERR_CONFIG, "%.*s: librdkafka does not take the value of \"%s\"",
                      STR_ARG(client->place->location->text), name);
        return err_hint(err, "its options and their ranges are in librdkafka's CONFIGURATION.md");
    }
}

static Status set_users_options(KafkaClient *client, rd_kafka_conf_t *conf, Err *err)
{
    const Location *location = client->place->location;
    Arena arena = arena_make(1 << 20);
    Status status = OK;
    for (int32_t i = 0; i < location->option_count && status == OK; i++) {
        const LocationOption *option = &location->options[i];
        if (!str_starts(option->name, OPTION_PREFIX)) continue;
        Str name = str_slice(option->name, OPTION_PREFIX.len, option->name.len), value;
        status = check_reserved(client, name, err);
        if (status == OK) status = arena_copy(&arena, name, &name, err);
        if (status == OK) status = arena_copy(&arena, option->value, &value, err);
        if (status == OK) status = set_option(client, conf, name.ptr, value.ptr, err);
    }
    arena_done(&arena);
    return status;
}

static Status fill_conf(KafkaClient *client, const KafkaOption *options, int32_t count,
                        rd_kafka_conf_t *conf, Err *err)
{
    const char *brokers = client->place->brokers.ptr;
    if (client->place->embedded) TRY(kafka_embedded_brokers(&brokers, err));
    TRY(set_option(client, conf, "bootstrap.servers", brokers, err));
    TRY(set_option(client, conf, "client.id", "neuron", err));
    for (int32_t i = 0; i < count; i++) {
        TRY(set_option(client, conf, options[i].name, options[i].value, err));
    }
    /* From librdkafka 2.2 on; before, the source wakes the fetcher itself. */
    (void)rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", "20", NULL, 0);
    return set_users_options(client, conf, err);
}

/* How long a broker's thread waits for a name: closing waits for the thread. */
#define RESOLVE_NS INT64_C(5000000000)

/* getaddrinfo with a deadline; without a name it gives `found` back. */
static int on_resolve(const char *node, const char *service, const struct addrinfo *hints,
                      struct addrinfo **found, void *opaque)
{
    const KafkaClient *client = opaque;
    if (node) {
        return resolver_lookup(node, service, hints, clock_mono_ns() + RESOLVE_NS, client->stop,
                               found);
    }
    freeaddrinfo(*found);
    return 0;
}

Status kafka_client_conf(KafkaClient *client, const KafkaOption *options, int32_t count,
                         rd_kafka_conf_t **ret_conf, Err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!conf) return err_memory(err);
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_resolve_cb(conf, on_resolve);
    if (fill_conf(client, options, count, conf, err) != OK) {
        rd_kafka_conf_destroy(conf);
        return FAIL;
    }
    *ret_conf = conf;
    return OK;
}

Status kafka_client_start(KafkaClient *client, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                          Err *err)
{
    char text[512];
    client->rk = rd_kafka_new(type, conf, text, sizeof text);
    if (client->rk) return OK;
    rd_kafka_conf_destroy(conf);
    (void)err_set(err, ERR_CONFIG, "%.*s: librdkafka: %s", STR_ARG(client->place->location->text),
                  text);
    return err_hint(err, "fix the rdkafka.* options; they are in librdkafka's CONFIGURATION.md");
}

/* ---- the brokers ---- */

static Status topic_error(KafkaClient *client, const rd_kafka_metadata_topic_t *topic, Err *err)
{
    if (topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        (void)err_set(err, ERR_MISSING, "%.*s: there is no topic \"%s\"",
                      STR_ARG(client->place->location->text), topic->topic);
        return err_hint(err, "create it with as many partitions as it needs");
    }
    return kafka_client_error(client, topic->err, rd_kafka_err2str(topic->err), topic->topic, err);
}

/* Wrong credentials and failed handshakes are not waited out: more tries only lock accounts. */
static Status check_refused(KafkaClient *client, Err *err)
{
    char trouble[KAFKA_TROUBLE_MAX];
    (void)rd_kafka_poll(client->rk, 20); /* a refused connection answers at once */
    if (!client->wrong_user && client->wrong_tls < TLS_TRIES) return OK;
    take_trouble(client, trouble);
    /* A handshake may also fail because a proxy's broker is down: that passes. */
    (void)err_set(err, client->wrong_user ? ERR_PERMISSION : ERR_CONNECT,
                  "%.*s: the broker refuses the connection: %s",
                  STR_ARG(client->place->location->text), trouble);
    if (!client->wrong_user) {
        return err_hint(err, "rdkafka.security.protocol must be what this port of the broker "
                             "speaks; rdkafka.ssl.ca.location names who signed its certificate");
    }
    hint_by_kind(ERR_PERMISSION, err);
    return FAIL;
}

/* In short turns, so that a stop is seen. *ret_metadata is freed with rd_kafka_metadata_destroy. */
static Status ask_metadata(KafkaClient *client, rd_kafka_topic_t *topic, int64_t deadline_ns,
                           const struct rd_kafka_metadata **ret_metadata, Err *err)
{
    for (;;) {
        int64_t left_ms = int64_max((deadline_ns - clock_mono_ns()) / 1000000, 1);
        rd_kafka_resp_err_t code = rd_kafka_metadata(client->rk, 0, topic, ret_metadata,
                                                     (int)int64_min(left_ms, METADATA_TICK_MS));
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return OK;
        TRY(check_refused(client, err));
        bool silent = code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (!silent) return kafka_client_error(client, code, rd_kafka_err2str(code), NULL, err);
        if (clock_mono_ns() >= deadline_ns) {
            return kafka_client_error(client, RD_KAFKA_RESP_ERR__TRANSPORT, "no broker answers",
                                      NULL, err);
        }
        if (client->stop && atomic_load(client->stop)) {
            return err_set(err, ERR_CANCELLED, "stopped while waiting for a broker");
        }
    }
}

static int64_t deadline_after(int timeout_ms)
{
    return clock_mono_ns() + (int64_t)timeout_ms * 1000000;
}

Status kafka_client_ping(KafkaClient *client, int timeout_ms, Err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    TRY(ask_metadata(client, NULL, deadline_after(timeout_ms), &metadata, err));
    rd_kafka_metadata_destroy(metadata);
    return OK;
}

/* 0: it has none with a leader yet. */
static Status count_partitions(KafkaClient *client, rd_kafka_topic_t *topic, int64_t deadline_ns,
                               int32_t *ret_partitions, Err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    TRY(ask_metadata(client, topic, deadline_ns, &metadata, err));
    Status status = OK;
    const rd_kafka_metadata_topic_t *first = &metadata->topics[0];
    if (metadata->topic_cnt != 1) {
        status = err_set(err, ERR_CONNECT, "%.*s: the broker says nothing of the topic",
                         STR_ARG(client->place->location->text));
    } else if (first->err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
        *ret_partitions = 0;
    } else if (first->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        status = topic_error(client, first, err);
    } else {
        *ret_partitions = first->partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return status;
}

Status kafka_client_reach(KafkaClient *client, const char *topic, int timeout_ms,
                          int32_t *ret_partitions, Err *err)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client->rk, topic, NULL);
    if (!handle) {
        rd_kafka_resp_err_t code = rd_kafka_last_error();
        return kafka_client_error(client, code, rd_kafka_err2str(code), topic, err);
    }
    int64_t deadline_ns = deadline_after(timeout_ms);
    int32_t partitions = 0;
    Status status = OK;
    /* A topic that a broker has just made has no partitions yet. */
    while (status == OK && partitions == 0 && clock_mono_ns() < deadline_ns) {
        status = count_partitions(client, handle, deadline_ns, &partitions, err);
        if (status == OK && partitions == 0) (void)rd_kafka_poll(client->rk, 100);
    }
    rd_kafka_topic_destroy(handle);
    TRY(status);
    if (partitions == 0) {
        return err_set(err, ERR_CONNECT, "%.*s: topic \"%s\" has no partition with a leader",
                       STR_ARG(client->place->location->text), topic);
    }
    *ret_partitions = partitions;
    return OK;
}
