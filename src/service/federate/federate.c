/* The client's thread: register once, heartbeat on a fixed schedule, poll, deliver, goodbye. */
#include "service/federate/federate.h"

#include <stdio.h>

#include "foundation/base/mem.h"
#include "service/federate/federate_analytics.h"
#include "service/federate/federate_beat.h"
#include "service/federate/federate_register.h"
#include "service/federate/federate_state.h"
#include "service/federate/federate_url.h"

#define TIMEOUT_US INT64_C(10000000)
#define GOODBYE_US INT64_C(2000000)
enum { OUTBOX_LIMIT = 10000 };

/* ---- the thread ---- */

/* What only a member does; when it is to be done again. */
static int64_t work_as_member(Federate *f, int64_t now_ns)
{
    bool more = false;
    if (now_ns >= f->due.poll_ns) federate_poll(f);
    int64_t orders_ns = federate_commands(f);
    if (f->standing.member == MEMBER_MEMBER && now_ns >= f->due.config_ns) federate_config_due(f);
    if (f->standing.member == MEMBER_MEMBER && now_ns >= f->due.report_ns)
        more = federate_analytics(f);
    if (more) return now_ns;
    return int64_min(int64_min(orders_ns, f->due.poll_ns),
                     int64_min(f->due.config_ns, f->due.report_ns));
}

static int64_t work(Federate *f)
{
    int64_t now_ns = clock_mono_ns(), next_ns = INT64_MAX;
    if (f->standing.member != MEMBER_MEMBER && now_ns >= f->due.register_ns) federate_register(f);
    if (f->wire.token.len && now_ns >= f->due.beat_ns) federate_beat(f);
    if (f->standing.member == MEMBER_MEMBER && !f->wire.away) next_ns = work_as_member(f, now_ns);
    else federate_outbox_trim(f);
    if (f->standing.member != MEMBER_MEMBER) next_ns = int64_min(next_ns, f->due.register_ns);
    return f->wire.token.len ? int64_min(next_ns, f->due.beat_ns) : next_ns;
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
    TRY(federate_url(f->o.url, false, &f->wire.url, err));
    TRY(federate_url(f->o.url, true, &f->wire.key, err));
    TRY(http_client_new(&f->wire.client, err));
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
    f->wire.timeout_us = TIMEOUT_US;
    f->wire.body_max = FEDERATE_BODY_MAX;
    f->wire.token = f->config.version = buf_make(16 << 10);
    f->wire.url = f->wire.key = f->wire.other = buf_make(FEDERATE_URL_MAX);
    f->reports.kept = f->config.content = buf_make(FEDERATE_JSON_MAX);
    f->wire.answers = true;
    f->started_ns = f->due.beat_slot_ns = clock_mono_ns();
    f->reports.ticked_us = clock_now_us();
    pthread_mutex_init(&f->lock, NULL);
    thread_cond_init(&f->wake);
    return f;
}

static void federate_free(Federate *f)
{
    Buf *all[] = {&f->wire.token,   &f->wire.url,       &f->wire.key,      &f->wire.other,
                  &f->reports.kept, &f->config.version, &f->config.content};
    http_client_free(f->wire.client);
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
        standing_set(f, f->wire.token.len ? MEMBER_MEMBER : MEMBER_UNREGISTERED);
        metrics_set(METRIC_FEDERATION_UP, 0, NO_LABELS); /* no heartbeat was taken yet */
        metrics_add(METRIC_OUTBOX_DROPPED, 0, NO_LABELS);
        event_note(&f->events, "started", "version %s", NEURON_VERSION);
        status = thread_start(&f->thread, "federation", run, f, err);
    }
    if (status == OK) *ret_federate = f;
    else federate_free(f);
    return status;
}

static void say_goodbye(Federate *f)
{
    atomic_store(&f->cancelled, false);
    f->wire.timeout_us = GOODBYE_US;
    if (f->wire.answers) federate_commands_last(f);
    if (f->wire.answers && f->standing.member == MEMBER_MEMBER) (void)federate_analytics(f);
    if (f->wire.answers && f->standing.member == MEMBER_MEMBER) federate_goodbye(f);
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
    if (f->standing.member == MEMBER_MEMBER && f->wire.answers) say_goodbye(f);
    federate_day_tick(f);
    if (federate_day_save(f, &err) != OK) {
        LOG_ERR(LOG_WARN, "federation", "the day's totals are not kept", &err);
    }
    metrics_remove(METRIC_FEDERATION_UP, NO_LABELS);
    federate_free(f);
}
