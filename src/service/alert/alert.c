/* The rounds: conditions judged, states kept, notices queued, receivers woken. */
#include "service/alert/alert.h"

#include "foundation/base/mem.h"
#include "service/alert/alert_impl.h"

#define ROUND_ARENA (INT64_C(64) << 20)
#define APART_NS INT64_C(200000000) /* between rounds that somebody asks for */

/* ---- one round ---- */

/* Under the lock. */
static void take_one(Alerts *a, Str fingerprint, Str state)
{
    if (alert_book_find(&a->book, fingerprint)) return;
    if (alert_book_load(&a->book, fingerprint, state, a->o.settings, clock_now_us(), NULL) != OK) {
        return;
    }
    Alert *alert = alert_book_find(&a->book, fingerprint);
    bool shared = alert && str_eq(alert_label(alert, STR("neuron")), a->book.shared_id);
    if (!shared && alert) alert->gone = true;
    if (shared) alert->changed = true;
}

/* What the neuron that led before knows of its alerts, so that nothing is told twice. */
static Status take_over(void *arg, Str fingerprint, Str state, Err *err UNUSED)
{
    Alerts *a = arg;
    pthread_mutex_lock(&a->lock);
    take_one(a, fingerprint, state);
    pthread_mutex_unlock(&a->lock);
    return OK;
}

static Status lead(Alerts *a, Err *err)
{
    bool leads = !a->o.leads || a->o.leads(a->o.arg);
    bool newly = leads && !a->leads && a->o.leads;
    a->leads = leads;
    if (!newly) return OK;
    Status status = state_alert_others(a->o.store, take_over, a, err);
    pthread_mutex_lock(&a->lock);
    alert_book_sweep(&a->book);
    pthread_mutex_unlock(&a->lock);
    if (status != OK) a->leads = false;
    return status;
}

static Status observe(Alerts *a, int64_t now_us, Arena *arena, Err *err)
{
    const AlertSettings *s = a->o.settings;
    TRY(lead(a, err));
    for (int32_t i = 0; i < s->rule_count; i++) {
        AlertSamples samples;
        if (!a->leads && alert_condition_is_shared(&s->rules[i].condition)) {
            pthread_mutex_lock(&a->lock);
            alert_book_yield(&a->book, &s->rules[i]);
            pthread_mutex_unlock(&a->lock);
            continue;
        }
        TRY(alert_condition_run(&s->rules[i].condition, a->windows, now_us, arena, &samples, err));
        pthread_mutex_lock(&a->lock);
        Status status = alert_book_observe(&a->book, &s->rules[i], &samples, now_us, err);
        pthread_mutex_unlock(&a->lock);
        TRY(status);
    }
    alert_windows_round(a->windows);
    return OK;
}

static void tell_log(const AlertGroup *g)
{
    for (int32_t i = 0; i < g->count; i++) {
        const Alert *alert = g->members[i];
        bool firing = alert->state == ALERT_FIRING;
        CLEANUP(buf_done) Buf text = buf_make(8192);
        IGNORE(alert_summary(alert, &text, NULL)); /* cut where it is too long */
        LOG(firing ? LOG_WARN : LOG_INFO, "alerts", firing ? "alert fires" : "alert resolved",
            log_text("alert", alert_label(alert, STR("alertname"))),
            log_text("severity", alert_label(alert, STR("severity"))),
            log_text("summary", buf_str(&text)), log_text("id", str_from(alert->id)));
    }
}

/* What one receiver gets of a group. */
static Status make_body(const AlertGroup *g, const AlertSettings *s, const AlertReceiver *r,
                        Arena *arena, Str *ret_body, Err *err)
{
    CLEANUP(buf_done) Buf body = buf_make(ALERT_BODY_MAX);
    if (r->kind == RECEIVER_SLACK) TRY(alert_slack_body(g, &body, err));
    else if (r->kind == RECEIVER_FEDERATION) TRY(alert_letter_body(g, &body, err));
    else TRY(alert_webhook_body(g, s, r->name, &body, err));
    return arena_copy(arena, buf_str(&body), ret_body, err);
}

typedef struct Outgoing {
    StateAlert *alerts;
    StateNotice *notices;
    int32_t alert_count, notice_count;
} Outgoing;

static Status make_notices(Alerts *a, const AlertGroups *groups, int64_t now_us, Arena *arena,
                           Outgoing *out, Err *err)
{
    const AlertSettings *s = a->o.settings;
    out->notices = ARENA_ARRAY(arena, StateNotice, groups->count * s->receiver_count + 1);
    if (!out->notices) return err_memory(err);
    for (int32_t i = 0; i < groups->count; i++) {
        const AlertGroup *g = &groups->items[i];
        for (int32_t k = 0; k < s->receiver_count; k++) {
            const AlertReceiver *r = &s->receivers[k];
            if (r->kind == RECEIVER_ALERTMANAGER || (!g->firing && !r->resolved)) continue;
            StateNotice *n = &out->notices[out->notice_count++];
            *n = (StateNotice){.receiver = r->name, .at_us = now_us, .due_us = now_us};
            TRY(make_body(g, s, r, arena, &n->body, err));
        }
    }
    return OK;
}

static Status make_states(Alerts *a, Arena *arena, Outgoing *out, Err *err)
{
    CLEANUP(buf_done) Buf json = buf_make(1 << 20);
    out->alerts = ARENA_ARRAY(arena, StateAlert, a->book.count + 1);
    if (!out->alerts) return err_memory(err);
    for (Alert *alert = a->book.first; alert; alert = alert->next) {
        if (!alert->changed) continue;
        StateAlert *kept = &out->alerts[out->alert_count++];
        kept->fingerprint = str_from(alert->id);
        if (alert->gone) continue;
        buf_clear(&json);
        TRY(alert_save(alert, &json, err));
        TRY(arena_copy(arena, buf_str(&json), &kept->state, err));
    }
    return OK;
}

static void kept(Alerts *a, const Outgoing *out)
{
    if (out->alert_count || out->notice_count) a->generation++;
    for (Alert *alert = a->book.first; alert; alert = alert->next) alert->changed = false;
    alert_book_sweep(&a->book);
    pthread_cond_broadcast(&a->wake);
}

static void count_alerts(const Alerts *a)
{
    const AlertSettings *s = a->o.settings;
    for (int32_t i = 0; i < s->rule_count; i++) {
        double pending = 0, firing = 0;
        for (const Alert *alert = a->book.first; alert; alert = alert->next) {
            if (alert->rule != &s->rules[i]) continue;
            pending += alert->state == ALERT_PENDING;
            firing += alert->state == ALERT_FIRING;
        }
        metrics_set(METRIC_ALERTS, pending, LABELS(s->rules[i].name, STR("pending")));
        metrics_set(METRIC_ALERTS, firing, LABELS(s->rules[i].name, STR("firing")));
    }
}

/* Under the lock: states, groups, notices. */
static Status prepare(Alerts *a, int64_t now_us, Arena *arena, AlertGroups *groups, Outgoing *out,
                      Err *err)
{
    alert_book_round(&a->book, now_us);
    TRY(alert_book_groups(&a->book, a->o.settings, now_us, arena, groups, err));
    TRY(make_notices(a, groups, now_us, arena, out, err));
    for (int32_t i = 0; i < groups->count; i++) alert_group_notified(&groups->items[i], now_us);
    return make_states(a, arena, out, err);
}

/* Under the lock: they are kept, or not. */
static void conclude(Alerts *a, const AlertGroups *groups, const Outgoing *out, bool good)
{
    for (int32_t i = 0; i < groups->count; i++) {
        if (good) tell_log(&groups->items[i]);
        else alert_group_not_notified(&groups->items[i]);
    }
    if (good) kept(a, out);
    count_alerts(a);
}

/* All that a round changed is kept in one transaction; the book can be read meanwhile. */
static Status settle(Alerts *a, int64_t now_us, Arena *arena, Err *err)
{
    AlertGroups groups = {0};
    Outgoing out = {0};
    pthread_mutex_lock(&a->lock);
    Status status = prepare(a, now_us, arena, &groups, &out, err);
    pthread_mutex_unlock(&a->lock);
    if (status == OK) {
        status = state_alerts_save(a->o.store, out.alerts, out.alert_count, out.notices,
                                   out.notice_count, ALERT_NOTICES_KEPT, err);
    }
    pthread_mutex_lock(&a->lock);
    conclude(a, &groups, &out, status == OK);
    pthread_mutex_unlock(&a->lock);
    return status;
}

/* Durations are real time, whatever the clock is set to. */
static void watch_clock(Alerts *a)
{
    int64_t step_us = clock_watch_step(&a->clock);
    if (!step_us) return;
    alert_windows_clock_set(a->windows, step_us);
    pthread_mutex_lock(&a->lock);
    alert_book_clock_set(&a->book, step_us, clock_now_us());
    pthread_mutex_unlock(&a->lock);
}

static void round_run(Alerts *a)
{
    Err err = {0};
    Arena arena = arena_make(ROUND_ARENA);
    watch_clock(a);
    int64_t now_us = clock_now_us();
    if (a->o.refresh) a->o.refresh(a->o.arg);
    pthread_mutex_lock(&a->keeping);
    Status status = observe(a, now_us, &arena, &err);
    if (status == OK) status = settle(a, now_us, &arena, &err);
    pthread_mutex_unlock(&a->keeping);
    if (status != OK && !a->store_fails) {
        metrics_add(METRIC_ERRORS, 1, LABELS(STR("alerts"), str_from(err_kind_name(err.kind))));
        LOG_ERR(LOG_ERROR, "alerts", "alerts can't be judged or kept; tried again", &err);
    }
    a->store_fails = status != OK;
    arena_done(&arena);
}

static void run(void *arg)
{
    Alerts *a = arg;
    while (!atomic_load(&a->stop)) {
        int64_t begun_ns = clock_mono_ns();
        round_run(a);
        pthread_mutex_lock(&a->lock);
        int64_t end_ns = begun_ns + a->o.settings->interval_us * 1000;
        while (!atomic_load(&a->stop) && clock_mono_ns() < end_ns) {
            bool soon = a->poked && clock_mono_ns() >= begun_ns + APART_NS;
            if (soon) break;
            int64_t until_ns = a->poked ? begun_ns + APART_NS : end_ns;
            (void)thread_cond_wait(&a->wake, &a->lock, int64_min(until_ns, end_ns));
        }
        a->poked = false;
        pthread_mutex_unlock(&a->lock);
    }
}

/* ---- start and stop ---- */

static Status load_one(void *arg, Str fingerprint, Str state, Err *err UNUSED)
{
    Alerts *a = arg;
    Err why = {0};
    if (alert_book_load(&a->book, fingerprint, state, a->o.settings, clock_now_us(), &why) != OK) {
        LOG_ERR(LOG_WARN, "alerts", "a kept alert can't be read", &why,
                log_text("id", fingerprint));
    }
    return OK;
}

Status alerts_start(const AlertOptions *options, Alerts **ret_alerts, Err *err)
{
    Alerts *a = mem_zalloc((int64_t)sizeof *a);
    if (!a) return err_memory(err);
    a->o = *options;
    a->book.neuron_id = options->neuron_id;
    (void)clock_watch_step(&a->clock);
    a->book.shared_id = options->shared_id;
    pthread_mutex_init(&a->lock, NULL);
    pthread_mutex_init(&a->keeping, NULL);
    thread_cond_init(&a->wake);
    Status status = alert_windows_new(options->exact, options->arg, &a->windows, err);
    if (status == OK) status = state_alert_list(options->store, load_one, a, err);
    if (status == OK) status = deliverers_start(a, err);
    if (status == OK) status = thread_start(&a->thread, "alerts", run, a, err);
    if (status == OK) *ret_alerts = a;
    else alerts_stop(a);
    return status;
}

void alerts_stop(Alerts *a)
{
    if (!a) return;
    pthread_mutex_lock(&a->lock);
    atomic_store(&a->stop, true);
    pthread_cond_broadcast(&a->wake);
    pthread_mutex_unlock(&a->lock);
    thread_join(&a->thread);
    deliverers_stop(a);
    alert_windows_free(a->windows);
    alert_book_done(&a->book);
    pthread_cond_destroy(&a->wake);
    pthread_mutex_destroy(&a->keeping);
    pthread_mutex_destroy(&a->lock);
    mem_free(a);
}

void alerts_wake(Alerts *a)
{
    if (!a) return;
    pthread_mutex_lock(&a->lock);
    a->poked = true;
    pthread_cond_broadcast(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

/* ---- what may be asked ---- */

Status alerts_list(Alerts *a, Buf *out, Err *err)
{
    int64_t now_us = clock_now_us();
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "alerts");
    json_array_begin(&w);
    pthread_mutex_lock(&a->lock);
    for (const Alert *alert = a->book.first; alert; alert = alert->next) {
        if (alert->state != ALERT_INACTIVE) alert_write(alert, now_us, &w);
    }
    pthread_mutex_unlock(&a->lock);
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

/* The fields that a silence sets. */
typedef struct Silence {
    int64_t until_us;
    char by[sizeof((Alert *)0)->silence.by];
    char comment[sizeof((Alert *)0)->silence.comment];
} Silence;

static void silence_swap(Alert *alert, Silence *s)
{
    Silence was = {.until_us = alert->silence.until_us};
    memcpy(was.by, alert->silence.by, sizeof was.by);
    memcpy(was.comment, alert->silence.comment, sizeof was.comment);
    alert->silence.until_us = s->until_us;
    memcpy(alert->silence.by, s->by, sizeof s->by);
    memcpy(alert->silence.comment, s->comment, sizeof s->comment);
    *s = was;
}

/* Under `keeping`, so nobody takes the alert away. What can't be kept is as it was. */
static Status silence_keep(Alerts *a, Alert *alert, Silence *silence, Err *err)
{
    CLEANUP(buf_done) Buf json = buf_make(1 << 20);
    pthread_mutex_lock(&a->lock);
    silence_swap(alert, silence);
    Status status = alert_save(alert, &json, err);
    pthread_mutex_unlock(&a->lock);
    if (status == OK) {
        status = state_alert_put(a->o.store, str_from(alert->id), buf_str(&json), err);
    }
    pthread_mutex_lock(&a->lock);
    if (status == OK) a->generation++;
    else silence_swap(alert, silence);
    pthread_mutex_unlock(&a->lock);
    return status;
}

static Status silence(Alerts *a, const ControlSilence *s, Buf *out, Err *err)
{
    int64_t now_us = clock_now_us();
    Silence silence = {.until_us = s->duration_us > 0 ? now_us + s->duration_us : 0};
    str_to_array(silence.by, sizeof silence.by, s->by);
    str_to_array(silence.comment, sizeof silence.comment, s->comment);
    pthread_mutex_lock(&a->lock);
    Alert *alert = alert_book_find(&a->book, s->id);
    pthread_mutex_unlock(&a->lock);
    if (!alert) return err_set(err, ERR_NOT_FOUND, "no alert %.*s", STR_ARG(s->id));
    TRY(silence_keep(a, alert, &silence, err));
    LOG(LOG_INFO, "alerts", "alert silenced", log_text("id", s->id), log_text("by", s->by),
        log_int("seconds", s->duration_us / 1000000));
    JsonWriter w = json_writer_make(out, err);
    pthread_mutex_lock(&a->lock);
    alert_write(alert, now_us, &w);
    pthread_mutex_unlock(&a->lock);
    return json_writer_end(&w);
}

Status alerts_silence(Alerts *a, const ControlSilence *s, Buf *out, Err *err)
{
    pthread_mutex_lock(&a->keeping);
    Status status = silence(a, s, out, err);
    pthread_mutex_unlock(&a->keeping);
    return status;
}
