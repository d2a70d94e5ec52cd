/* Receivers' threads: the oldest notice first, again after a while when it can't be delivered. */
#include <stdio.h>

#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "service/alert/alert_impl.h"

#define RETRY_MAX_US (INT64_C(5) * 60000000)
/* What couldn't be delivered for so long is of no use any more. */
#define AGE_MAX_US (INT64_C(24) * 3600000000)
#define SECOND_NS INT64_C(1000000000)
/* How often an Alertmanager is told what fires; it believes it for three times that. */
#define PUSH_NS (60 * SECOND_NS)
#define PUSH_BELIEVED_US INT64_C(180000000)
#define SEND_US INT64_C(10000000)
#define CONNECT_US INT64_C(3000000)
enum { SHA256_BLOCK = 64, SHA256_LEN = 32 };

/* ---- signature ---- */

static Status digest(Str pad, Str text, uint8_t *ret_digest, Err *err)
{
    CLEANUP(buf_done) Buf all = buf_make(ALERT_BODY_MAX + SHA256_BLOCK);
    int64_t len = 0;
    TRY(buf_append(&all, pad, err));
    TRY(buf_append(&all, text, err));
    return hash_digest("sha256", buf_str(&all), ret_digest, &len, err);
}

/* HMAC-SHA256 (RFC 2104) as "X-Neuron-Signature: sha256=<hex>". */
static Status sign(Str secret, Str body, Buf *out, Err *err)
{
    uint8_t key[HASH_DIGEST_MAX] = {0}, inner[HASH_DIGEST_MAX], whole[HASH_DIGEST_MAX];
    char pads[2][SHA256_BLOCK];
    int64_t len = 0;
    if (secret.len > SHA256_BLOCK) TRY(hash_digest("sha256", secret, key, &len, err));
    else memcpy(key, secret.ptr, (size_t)secret.len);
    for (int32_t i = 0; i < SHA256_BLOCK; i++) {
        pads[0][i] = (char)(key[i] ^ 0x36);
        pads[1][i] = (char)(key[i] ^ 0x5c);
    }
    TRY(digest(str_make(pads[0], SHA256_BLOCK), body, inner, err));
    Str middle = str_make((const char *)inner, SHA256_LEN);
    TRY(digest(str_make(pads[1], SHA256_BLOCK), middle, whole, err));
    TRY(buf_append(out, STR("X-Neuron-Signature: sha256="), err));
    for (int32_t i = 0; i < SHA256_LEN; i++) TRY(buf_printf(out, err, "%02x", whole[i]));
    return OK;
}

/* ---- one delivery ---- */

static Status judge(const HttpReply *reply, Err *err)
{
    if (reply->status >= 200 && reply->status < 300) return OK;
    bool later = reply->status >= 500 || reply->status == 408 || reply->status == 429;
    return err_set(err, later ? ERR_CONNECT : ERR_DATA, "the receiver answered %d",
                   (int)reply->status);
}

static Status post(Deliverer *d, const StateNotice *notice, Str body, Err *err)
{
    const AlertReceiver *r = d->receiver;
    CLEANUP(buf_done) Buf url = buf_make(4096);
    CLEANUP(buf_done) Buf bearer = buf_make(16 << 10);
    CLEANUP(buf_done) Buf signature = buf_make(256);
    char key[256];
    Str headers[4] = {STR("Content-Type: application/json")};
    int32_t count = 1;
    TRY(buf_append(&url, r->url, err));
    if (r->kind == RECEIVER_ALERTMANAGER) {
        while (str_ends(buf_str(&url), STR("/"))) url.len--;
        TRY(buf_append(&url, STR("/api/v2/alerts"), err));
    }
    if (notice) {
        /* The same for each try, and no other notice's: of no neuron and of no former store. */
        Str neuron = str_slice(d->alerts->o.neuron_id, 0, 128);
        int len = snprintf(key, sizeof key, "Idempotency-Key: %.*s-%lld-%lld", STR_ARG(neuron),
                           (long long)notice->at_us, (long long)notice->id);
        headers[count++] = str_make(key, len);
    }
    if (r->token.len) {
        TRY(buf_append(&bearer, STR("Authorization: Bearer "), err));
        TRY(buf_append(&bearer, r->token, err));
        headers[count++] = buf_str(&bearer);
    }
    if (r->secret.len) {
        TRY(sign(r->secret, body, &signature, err));
        headers[count++] = buf_str(&signature);
    }
    HttpRequest request = {.method = "POST",
                           .url = buf_str(&url),
                           .body = body,
                           .headers = headers,
                           .header_count = count,
                           .connect_us = CONNECT_US,
                           .timeout_us = SEND_US,
                           .cancelled = &d->alerts->stop,
                           .once = true};
    HttpReply reply;
    Status status = http_client_send(d->client, &request, &reply, err);
    if (status == OK) status = judge(&reply, err);
    http_reply_done(&reply);
    return status;
}

Status alert_send(Deliverer *d, const StateNotice *notice, Str body, Err *err)
{
    if (d->receiver->kind == RECEIVER_COMMAND) {
        return alert_command_run(d->receiver, body, &d->alerts->stop, err);
    }
    if (d->receiver->kind == RECEIVER_FEDERATION) {
        return state_outbox_put(d->alerts->o.store, STR("alert"), body, clock_now_us(), err);
    }
    return post(d, notice, body, err);
}

static void count(const Deliverer *d, const char *status)
{
    metrics_add(METRIC_NOTIFICATIONS, 1, LABELS(d->receiver->name, str_from(status)));
}

/* Said when it begins and when it ends, not each time. */
static void note(Deliverer *d, bool good, const Err *err)
{
    if (good && d->failing) {
        LOG(LOG_INFO, "alerts", "a receiver takes notices again",
            log_text("receiver", d->receiver->name));
    }
    if (!good && !d->failing) {
        LOG_ERR(LOG_WARN, "alerts", "a receiver takes no notices; they wait", err,
                log_text("receiver", d->receiver->name));
    }
    d->failing = !good;
}

/* ---- the queue ---- */

typedef struct Letter {
    StateNotice notice;
    Buf body;
} Letter;

static Status take_notice(void *arg, const StateNotice *notice, Err *err)
{
    Letter *letter = arg;
    letter->notice = *notice;
    return buf_append(&letter->body, notice->body, err);
}

static int64_t later_us(const Deliverer *d, int64_t attempts)
{
    int64_t wait_us = d->alerts->o.settings->retry_us << int64_min(attempts, 10);
    uint8_t random = 0;
    IGNORE(hash_random(&random, 1, NULL)); /* without it there is no jitter */
    wait_us = int64_min(wait_us, RETRY_MAX_US);
    return wait_us + wait_us * random / 2048;
}

static Status settle(Deliverer *d, const StateNotice *n, Status sent, const Err *why, Err *err)
{
    StateStore *store = d->alerts->o.store;
    int64_t now_us = clock_now_us();
    if (sent == OK) {
        count(d, "sent");
        return state_notice_done(store, n->id, err);
    }
    if (why->kind == ERR_CANCELLED) return OK;
    if (!err_is_retriable(why) || now_us - n->at_us > AGE_MAX_US) {
        count(d, "dropped");
        LOG_ERR(LOG_ERROR, "alerts", "a notice is dropped", why,
                log_text("receiver", d->receiver->name));
        return state_notice_done(store, n->id, err);
    }
    count(d, "failed");
    return state_notice_later(store, n->id, now_us + later_us(d, n->attempts), err);
}

/* The oldest, when it is due. Returns the moment (clock_mono_ns) of the next look. */
static int64_t deliver_next(Deliverer *d)
{
    Err err = {0}, why = {0};
    Letter letter = {.body = buf_make(ALERT_BODY_MAX)};
    int64_t next_ns = -1, now_ns = clock_mono_ns();
    Status status =
        state_notice_first(d->alerts->o.store, d->receiver->name, take_notice, &letter, &err);
    int64_t wait_us = letter.notice.due_us - clock_now_us();
    if (status == OK && letter.notice.id && wait_us > 0) {
        /* A clock that was set back must not hold it for ever. */
        next_ns = now_ns + int64_min(wait_us, 2 * RETRY_MAX_US) * 1000;
    } else if (status == OK && letter.notice.id) {
        Status sent = alert_send(d, &letter.notice, buf_str(&letter.body), &why);
        if (sent == OK || why.kind != ERR_CANCELLED) note(d, sent == OK, &why);
        status = settle(d, &letter.notice, sent, &why, &err);
        next_ns = clock_mono_ns();
    }
    if (status != OK) {
        LOG_ERR(LOG_ERROR, "alerts", "the queue of notices fails", &err,
                log_text("receiver", d->receiver->name));
        next_ns = now_ns + 10 * SECOND_NS;
    }
    buf_done(&letter.body);
    return next_ns;
}

/* ---- Alertmanager: everything, again and again ---- */

static int64_t push(Deliverer *d)
{
    Err err = {0};
    CLEANUP(buf_done) Buf body = buf_make(ALERT_BODY_MAX);
    Alerts *a = d->alerts;
    int64_t now_us = clock_now_us();
    int32_t alerts = 0;
    pthread_mutex_lock(&a->lock);
    Status status = alert_manager_body(&a->book, a->o.settings, now_us, now_us + PUSH_BELIEVED_US,
                                       &body, &alerts, &err);
    pthread_mutex_unlock(&a->lock);
    if (status == OK && alerts > 0) {
        status = alert_send(d, NULL, buf_str(&body), &err);
        if (status == OK || err.kind != ERR_CANCELLED) {
            note(d, status == OK, &err);
            count(d, status == OK ? "sent" : "failed");
        }
    }
    return clock_mono_ns() + (status == OK ? PUSH_NS : a->o.settings->retry_us * 1000);
}

/* ---- threads ---- */

static void run(void *arg)
{
    Deliverer *d = arg;
    Alerts *a = d->alerts;
    bool pushes = d->receiver->kind == RECEIVER_ALERTMANAGER;
    int64_t seen = -1, next_ns = 0;
    while (!atomic_load(&a->stop)) {
        pthread_mutex_lock(&a->lock);
        while (a->generation == seen && !atomic_load(&a->stop) &&
               (next_ns < 0 || clock_mono_ns() < next_ns)) {
            (void)thread_cond_wait(&a->wake, &a->lock, next_ns);
        }
        seen = a->generation;
        pthread_mutex_unlock(&a->lock);
        if (!atomic_load(&a->stop)) next_ns = pushes ? push(d) : deliver_next(d);
    }
}

Status deliverers_start(Alerts *a, Err *err)
{
    const AlertSettings *s = a->o.settings;
    a->deliverers = mem_array(s->receiver_count + 1, (int64_t)sizeof *a->deliverers);
    if (!a->deliverers) return err_memory(err);
    for (int32_t i = 0; i < s->receiver_count; i++) {
        const AlertReceiver *r = &s->receivers[i];
        Deliverer *d = &a->deliverers[a->deliverer_count];
        char name[32];
        *d = (Deliverer){.alerts = a, .receiver = r};
        TRY(http_client_new(&d->client, err));
        a->deliverer_count++;
        metrics_add(METRIC_NOTIFICATIONS, 0, LABELS(r->name, STR("sent")));
        metrics_add(METRIC_NOTIFICATIONS, 0, LABELS(r->name, STR("failed")));
        (void)snprintf(name, sizeof name, "notify-%d", (int)i + 1);
        TRY(thread_start(&d->thread, name, run, d, err));
    }
    return OK;
}

void deliverers_stop(Alerts *a)
{
    for (int32_t i = 0; i < a->deliverer_count; i++) {
        thread_join(&a->deliverers[i].thread);
        http_client_free(a->deliverers[i].client);
    }
    mem_free(a->deliverers);
    a->deliverers = NULL;
    a->deliverer_count = 0;
}
