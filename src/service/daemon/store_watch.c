/* Whether the state store answers: asked on a thread of its own, so that nobody who wants to know
 * waits longer than a moment for a store that is silent. */
#include "service/daemon/store_watch.h"

#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/obs/log.h"
#include "foundation/obs/metrics.h"

#define FRESH_NS INT64_C(2000000000)  /* so long an answer counts */
#define MOMENT_NS INT64_C(700000000)  /* who asks waits at most so long */
#define SILENT_NS INT64_C(1000000000) /* a call that takes longer is no answer */

static void say_change(bool good, const Err *err)
{
    if (good) LOG(LOG_INFO, "state", "the state store can be used again");
    else
        LOG(LOG_ERROR, "state", "the state store can't be used",
            log_text("error", str_from(err->message)), log_text("hint", str_from(err->hint)));
}

/* Also what has to ask the store to be known: how much waits for the federation. */
static void look(StoreWatch *watch)
{
    Err err = {0};
    int64_t waiting = 0;
    bool good = state_store_check(watch->store, &err) == OK;
    if (good && state_outbox_count(watch->store, &waiting, NULL) == OK) {
        metrics_set(METRIC_OUTBOX, (double)waiting, NO_LABELS);
    }
    if (good != watch->ok) say_change(good, &err);
    pthread_mutex_lock(&watch->mutex);
    watch->checked_ns = clock_mono_ns();
    watch->ok = good;
    watch->kind = err.kind;
    (void)snprintf(watch->error, sizeof watch->error, err.hint[0] ? "%s (%s)" : "%s", err.message,
                   err.hint);
    pthread_mutex_unlock(&watch->mutex);
}

static void run(void *arg)
{
    StoreWatch *watch = arg;
    pthread_mutex_lock(&watch->mutex);
    while (!watch->ends) {
        if (!watch->wanted) {
            (void)thread_cond_wait(&watch->changed, &watch->mutex, -1);
            continue;
        }
        watch->asked_ns = clock_mono_ns();
        pthread_mutex_unlock(&watch->mutex);
        look(watch);
        pthread_mutex_lock(&watch->mutex);
        watch->wanted = false;
        pthread_cond_broadcast(&watch->changed);
    }
    pthread_mutex_unlock(&watch->mutex);
}

/* Under the mutex: waits for an answer, but no longer than a moment after it was asked for. */
static void ask(StoreWatch *watch)
{
    int64_t now_ns = clock_mono_ns();
    if (!watch->running || now_ns - watch->checked_ns < FRESH_NS) return;
    int64_t deadline_ns = (watch->wanted ? watch->asked_ns : now_ns) + MOMENT_NS;
    if (!watch->wanted) watch->asked_ns = now_ns;
    watch->wanted = true;
    pthread_cond_broadcast(&watch->changed);
    while (watch->wanted && thread_cond_wait(&watch->changed, &watch->mutex, deadline_ns)) {
    }
}

void store_health(StoreWatch *watch, StoreHealth *ret_health)
{
    int64_t waits_ns = state_store_waits_ns(watch->store);
    pthread_mutex_lock(&watch->mutex);
    if (waits_ns < SILENT_NS) ask(watch);
    bool unanswered = watch->wanted && clock_mono_ns() - watch->asked_ns >= MOMENT_NS;
    if (unanswered) waits_ns = int64_max(waits_ns, clock_mono_ns() - watch->asked_ns);
    *ret_health = (StoreHealth){.ok = watch->ok, .kind = watch->kind};
    str_to_array(ret_health->error, sizeof ret_health->error, str_from(watch->error));
    pthread_mutex_unlock(&watch->mutex);
    if (!unanswered && waits_ns < SILENT_NS) return;
    *ret_health = (StoreHealth){.ok = false, .kind = ERR_TIMEOUT};
    (void)snprintf(ret_health->error, sizeof ret_health->error,
                   "the state store has not answered for %.1f s", (double)waits_ns / 1e9);
}

Status store_watch_start(StoreWatch *watch, StateStore *store, Err *err)
{
    watch->store = store;
    pthread_mutex_init(&watch->mutex, NULL);
    thread_cond_init(&watch->changed);
    watch->ok = true; /* it was opened just now */
    watch->checked_ns = clock_mono_ns();
    watch->initialised = true;
    TRY(thread_start(&watch->thread, "store-watch", run, watch, err));
    pthread_mutex_lock(&watch->mutex);
    watch->running = true;
    pthread_mutex_unlock(&watch->mutex);
    return OK;
}

void store_watch_stop(StoreWatch *watch)
{
    if (!watch->initialised) return;
    pthread_mutex_lock(&watch->mutex);
    watch->ends = true;
    watch->running = false;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
    thread_join(&watch->thread);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->mutex);
    watch->initialised = false;
}
