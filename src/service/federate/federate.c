/* The client's thread: register once, heartbeat on a fixed schedule, poll, deliver, goodbye. */
#include "service/federate/federate.h"

#include <stdio.h>

#include "foundation/base/mem.h"
#include "service/federate/federate_impl.h"
#include "service/federate/federate_url.h"

#define TIMEOUT_US INT64_C(10000000)
#define GOODBYE_US INT64_C(2000000)
/* A trouble that goes on is told again only when it is another one, and not more often. */
#define TOLD_AGAIN_US INT64_C(60000000)
enum { OUTBOX_LIMIT = 10000 };

/* ---- membership, and what is known of it ---- */

static void set_member(Federate *f, Membership member)
{
    pthread_mutex_lock(&f->lock);
    f->member = member;
    pthread_mutex_unlock(&f->lock);
}

/* Registration begins at once; the token's next chance comes after it. */
static void leave(Federate *f, const char *type, Outcome outcome, const Err *why)
{
    f->register_ns = clock_mono_ns();
    f->register_failures = 0;
    f->beat_ns = INT64_MAX;
    f->told_level = LOG_DEBUG; /* always news */
    federate_note(f, type, "%s", why->message);
    federate_trouble(f, LOG_WARN, "registering again", outcome, why);
}

void federate_event(Federate *f, MemberEvent event)
{
    Err why = {0};
    Membership before = f->member, after = member_next(before, event);
    if (before == after) return;
    set_member(f, after);
    if (after == MEMBER_ROW_LOST) {
        (void)err_set(&why, ERR_NOT_FOUND, "the federation has lost the record of this neuron");
        leave(f, "row_lost", CALL_GONE, &why);
    } else if (after == MEMBER_TOKEN_REFUSED) {
        (void)err_set(&why, ERR_PERMISSION, "the federation refuses this neuron's token");
        leave(f, "token_refused", CALL_TOKEN, &why);
    }
}

void federate_note(Federate *f, const char *type, const char *format, ...)
{
    Event *event = &f->events[f->event_count++ % FEDERATE_EVENTS];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(event->text, sizeof event->text, format, args);
    va_end(args);
    event->type = type;
    event->at_us = clock_now_us();
}

void federate_trouble(Federate *f, LogLevel level, const char *what, Outcome outcome,
                      const Err *err)
{
    int64_t now_us = clock_now_us();
    bool again = now_us - f->notified_us < TOLD_AGAIN_US && level <= f->told_level;
    bool news = !f->trouble_us || level > f->told_level ||
                (!again && strcmp(f->trouble, err->message) != 0);
    pthread_mutex_lock(&f->lock);
    if (!f->trouble_us) f->trouble_us = now_us;
    f->trouble_kind = err->kind;
    str_to_array(f->trouble, sizeof f->trouble, str_from(err->message));
    str_to_array(f->hint, sizeof f->hint, str_from(err->hint));
    pthread_mutex_unlock(&f->lock);
    metrics_set(METRIC_FEDERATION_UP, 0, NO_LABELS);
    LOG_ERR(news ? level : LOG_DEBUG, "federation", what, err,
            log_text("outcome", str_from(outcome_name(outcome))), log_text("id", f->o.id));
    if (!news) return;
    f->notified_us = now_us;
    f->told_level = level;
}

void federate_well(Federate *f)
{
    pthread_mutex_lock(&f->lock);
    bool was_in_trouble = f->trouble_us != 0;
    f->trouble_us = 0;
    f->trouble[0] = f->hint[0] = 0;
    pthread_mutex_unlock(&f->lock);
    f->told_level = LOG_DEBUG;
    metrics_set(METRIC_FEDERATION_UP, 1, NO_LABELS);
    if (was_in_trouble) LOG(LOG_INFO, "federation", "heartbeats are taken again");
}

void federate_state(Federate *f, FederateState *ret_state)
{
    pthread_mutex_lock(&f->lock);
    *ret_state = (FederateState){
        .membership = member_name(f->member), .since_us = f->trouble_us, .kind = f->trouble_kind};
    (void)snprintf(ret_state->trouble, sizeof ret_state->trouble, f->hint[0] ? "%s (%s)" : "%s",
                   f->trouble, f->hint);
    pthread_mutex_unlock(&f->lock);
}

/* ---- the thread ---- */

/* What only a member does; when it is to be done again. */
static int64_t work_as_member(Federate *f, int64_t now_ns)
{
    bool more = false;
    if (now_ns >= f->poll_ns) federate_poll(f);
    int64_t orders_ns = federate_commands(f);
    if (f->member == MEMBER_MEMBER && now_ns >= f->config_ns) federate_config_due(f);
    if (f->member == MEMBER_MEMBER && now_ns >= f->report_ns) more = federate_analytics(f);
    if (more) return now_ns;
    return int64_min(int64_min(orders_ns, f->poll_ns), int64_min(f->config_ns, f->report_ns));
}

static int64_t work(Federate *f)
{
    int64_t now_ns = clock_mono_ns(), next_ns = INT64_MAX;
    if (f->member != MEMBER_MEMBER && now_ns >= f->register_ns) federate_register(f);
    if (f->token.len && now_ns >= f->beat_ns) federate_beat(f);
    if (f->member == MEMBER_MEMBER && !f->away) next_ns = work_as_member(f, now_ns);
    else federate_outbox_trim(f);
    if (f->member != MEMBER_MEMBER) next_ns = int64_min(next_ns, f->register_ns);
    return f->token.len ? int64_min(next_ns, f->beat_ns) : next_ns;
}

static void run(void *arg)
{
    Federate *f = arg;
    while (!atomic_load(&f->stop)) {
        int64_t next_ns = work(f);
        pthread_mutex_lock(&f->lock);
        if (!atomic_load(&f->stop)) (void)thread_cond_wait(&f->wake, &f->lock, next_ns);
        pthread_mutex_unlock(&f->lock);
    }
}

/* ---- the life ---- */

static Status load(Federate *f, Err *err)
{
    TRY(federate_url(f->o.url, false, &f->url, err));
    TRY(federate_url(f->o.url, true, &f->key, err));
    TRY(http_client_new(&f->client, err));
    TRY(federate_load_token(f, err));
    TRY(federate_orders_load(f, err));
    TRY(federate_day_load(f, err));
    federate_config_load(f);
    return OK;
}

static Federate *federate_new(const FederateOptions *options)
{
    Federate *f = mem_zalloc((int64_t)sizeof *f);
    if (!f) return NULL;
    f->o = *options;
    f->heartbeat_us = options->heartbeat_us ? options->heartbeat_us : 60000000;
    if (!f->o.poll_us) f->o.poll_us = int64_min(30000000, f->heartbeat_us);
    if (!f->o.report_us) f->o.report_us = f->heartbeat_us;
    if (f->o.outbox <= 0) f->o.outbox = OUTBOX_LIMIT;
    f->timeout_us = TIMEOUT_US;
    f->body_max = FEDERATE_BODY_MAX;
    f->token = f->config_version = buf_make(16 << 10);
    f->url = f->key = f->other = buf_make(FEDERATE_URL_MAX);
    f->kept = f->config_content = buf_make(FEDERATE_JSON_MAX);
    f->answers = true;
    f->started_ns = f->beat_due_ns = clock_mono_ns();
    f->ticked_us = clock_now_us();
    pthread_mutex_init(&f->lock, NULL);
    thread_cond_init(&f->wake);
    return f;
}

static void federate_free(Federate *f)
{
    Buf *all[] = {&f->token,          &f->url,           &f->key, &f->other, &f->kept,
                  &f->config_version, &f->config_content};
    http_client_free(f->client);
    federate_orders_free(f->orders);
    for (int32_t i = 0; i < COUNT_OF(all); i++) buf_done(all[i]);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}

Status federate_start(const FederateOptions *options, Federate **ret_federate, Err *err)
{
    Federate *f = federate_new(options);
    if (!f) return err_memory(err);
    Status status = load(f, err);
    if (status == OK) {
        set_member(f, f->token.len ? MEMBER_MEMBER : MEMBER_UNREGISTERED);
        metrics_set(METRIC_FEDERATION_UP, 0, NO_LABELS); /* no heartbeat was taken yet */
        metrics_add(METRIC_OUTBOX_DROPPED, 0, NO_LABELS);
        federate_note(f, "started", "version %s", NEURON_VERSION);
        status = thread_start(&f->thread, "federation", run, f, err);
    }
    if (status == OK) *ret_federate = f;
    else federate_free(f);
    return status;
}

static void say_goodbye(Federate *f)
{
    atomic_store(&f->cancelled, false);
    f->timeout_us = GOODBYE_US;
    if (f->answers) federate_commands_last(f);
    if (f->answers && f->member == MEMBER_MEMBER) (void)federate_analytics(f);
    if (f->answers && f->member == MEMBER_MEMBER) federate_goodbye(f);
}

void federate_stop(Federate *f)
{
    Err err = {0};
    if (!f) return;
    pthread_mutex_lock(&f->lock);
    atomic_store(&f->stop, true);
    atomic_store(&f->cancelled, true);
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
    thread_join(&f->thread);
    if (f->member == MEMBER_MEMBER && f->answers) say_goodbye(f);
    federate_day_tick(f);
    if (federate_day_save(f, &err) != OK) {
        LOG_ERR(LOG_WARN, "federation", "the day's totals are not kept", &err);
    }
    metrics_remove(METRIC_FEDERATION_UP, NO_LABELS);
    federate_free(f);
}
