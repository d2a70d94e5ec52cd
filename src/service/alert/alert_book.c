/* The states of alerts: inactive, pending, firing, resolved, and back. */
#include "service/alert/alert_book.h"

#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/obs/log.h"

#define SILENCE_MAX_US (INT64_C(366) * 86400000000)
#define ALERT_ARENA_MAX (INT64_C(256) << 10)

const char *alert_state_name(AlertState state)
{
    static const char *const NAMES[] = {"inactive", "pending", "firing", "resolved"};
    return NAMES[state];
}

/* ---- states ---- */

static void begin(Alert *a, int64_t now_us)
{
    bool at_once = !a->rule || a->rule->for_us == 0;
    a->active_us = now_us;
    a->fired_us = at_once ? now_us : 0;
    a->resolved_us = 0;
    a->state = at_once ? ALERT_FIRING : ALERT_PENDING;
    a->changed = true;
}

static void holds_now(Alert *a, int64_t now_us)
{
    a->true_us = now_us;
    if (a->state == ALERT_INACTIVE || a->state == ALERT_RESOLVED) {
        begin(a, now_us);
        return;
    }
    /* A clock that was set back meanwhile must not make it wait for ever. */
    a->active_us = int64_min(a->active_us, now_us);
    if (a->state != ALERT_PENDING || !a->rule || now_us - a->active_us < a->rule->for_us) return;
    a->state = ALERT_FIRING;
    a->fired_us = now_us;
    a->changed = true;
}

static void holds_not(Alert *a, int64_t now_us)
{
    if (a->state == ALERT_PENDING) {
        a->state = ALERT_INACTIVE;
        a->changed = true;
    }
    if (a->state != ALERT_FIRING) return;
    int64_t good_us = now_us - a->true_us;
    if (a->rule && good_us >= 0 && good_us < a->rule->keep_us) return;
    a->state = ALERT_RESOLVED;
    a->resolved_us = now_us;
    a->changed = true;
}

void alert_step(Alert *a, bool seen, bool holds, int64_t now_us)
{
    if (seen) a->seen_us = now_us;
    if (seen && holds) {
        holds_now(a, now_us);
        return;
    }
    if (!seen && a->rule && now_us - a->seen_us < ALERT_NO_DATA_US) return;
    holds_not(a, now_us);
}

/* ---- labels ---- */

Str alert_label(const Alert *a, Str name)
{
    for (int32_t i = 0; i < a->label_count; i++) {
        if (str_eq(a->labels[i].name, name)) return a->labels[i].value;
    }
    return STR_NULL;
}

/* Keeps them sorted; a label that is there already gets the later value. */
static void put_label(AlertLabel *labels, int32_t *count, Str name, Str value)
{
    int32_t at = 0;
    while (at < *count && str_compare(labels[at].name, name) < 0) at++;
    bool same = at < *count && str_eq(labels[at].name, name);
    if (!same && *count == ALERT_LABELS_MAX) return;
    for (int32_t i = *count; !same && i > at; i--) labels[i] = labels[i - 1];
    labels[at] = (AlertLabel){name, value};
    if (!same) ++*count;
}

static int32_t make_labels(const AlertBook *book, const AlertRule *rule, const AlertSample *sample,
                           AlertLabel *labels)
{
    int32_t count = 0;
    for (int32_t i = 0; i < sample->label_count; i++) {
        put_label(labels, &count, sample->labels[i].name, sample->labels[i].value);
    }
    bool shared = book->shared_id.len && alert_condition_is_shared(&rule->condition);
    put_label(labels, &count, STR("neuron"), shared ? book->shared_id : book->neuron_id);
    put_label(labels, &count, STR("severity"), rule->severity);
    for (int32_t i = 0; i < rule->label_count; i++) {
        put_label(labels, &count, rule->labels[i].name, rule->labels[i].value);
    }
    put_label(labels, &count, STR("alertname"), rule->name);
    return count;
}

static uint64_t fnv(uint64_t hash, Str text)
{
    for (int64_t i = 0; i < text.len; i++) {
        hash = (hash ^ (uint8_t)text.ptr[i]) * UINT64_C(1099511628211);
    }
    return (hash ^ 255) * UINT64_C(1099511628211);
}

/* Alertmanager's fingerprint: FNV-1a of the sorted labels with 0xff after each part. */
static void fingerprint(const AlertLabel *labels, int32_t count, char id[ALERT_ID_SIZE])
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int32_t i = 0; i < count; i++) hash = fnv(fnv(hash, labels[i].name), labels[i].value);
    (void)snprintf(id, ALERT_ID_SIZE, "%016llx", (unsigned long long)hash);
}

/* ---- the book ---- */

static void alert_free(Alert *a)
{
    arena_done(&a->arena);
    mem_free(a);
}

void alert_book_done(AlertBook *book)
{
    for (Alert *a = book->first, *next; a; a = next) {
        next = a->next;
        alert_free(a);
    }
    *book = (AlertBook){0};
}

Alert *alert_book_find(AlertBook *book, Str id)
{
    for (Alert *a = book->first; a; a = a->next) {
        if (str_eq(str_from(a->id), id)) return a;
    }
    return NULL;
}

static Status alert_add(AlertBook *book, const char *id, const AlertRule *rule,
                        const AlertLabel *labels, int32_t count, Alert **ret_alert, Err *err)
{
    *ret_alert = NULL;
    if (book->count >= ALERTS_MAX) return OK;
    Alert *a = mem_zalloc((int64_t)sizeof *a);
    if (!a) return err_memory(err);
    a->arena = arena_make(ALERT_ARENA_MAX);
    memcpy(a->id, id, ALERT_ID_SIZE);
    a->rule = rule;
    a->label_count = count;
    Status status = OK;
    for (int32_t i = 0; i < count && status == OK; i++) {
        status = arena_copy(&a->arena, labels[i].name, &a->labels[i].name, err);
        if (status == OK) status = arena_copy(&a->arena, labels[i].value, &a->labels[i].value, err);
    }
    if (status != OK) {
        alert_free(a);
        return status;
    }
    a->next = book->first;
    book->first = a;
    book->count++;
    *ret_alert = a;
    return OK;
}

Status alert_book_observe(AlertBook *book, const AlertRule *rule, const AlertSamples *samples,
                          int64_t now_us, Err *err)
{
    for (int32_t i = 0; i < samples->count; i++) {
        const AlertSample *sample = &samples->items[i];
        AlertLabel labels[ALERT_LABELS_MAX];
        char id[ALERT_ID_SIZE];
        int32_t count = make_labels(book, rule, sample, labels);
        fingerprint(labels, count, id);
        Alert *a = alert_book_find(book, str_from(id));
        if (!a && sample->holds) TRY(alert_add(book, id, rule, labels, count, &a, err));
        if (!a) continue;
        a->value = sample->value;
        a->threshold = sample->threshold;
        alert_step(a, true, sample->holds, now_us);
    }
    for (Alert *a = book->first; a; a = a->next) {
        if (a->rule == rule && a->seen_us != now_us) alert_step(a, false, false, now_us);
    }
    return OK;
}

void alert_book_yield(AlertBook *book, const AlertRule *rule)
{
    for (Alert *a = book->first; a; a = a->next) {
        if (a->rule == rule) a->yielded = true;
    }
}

static bool is_over(const Alert *a, int64_t now_us)
{
    if (a->yielded) return true;
    if (a->silence.until_us > now_us) return false;
    if (a->state == ALERT_INACTIVE) return true;
    bool shown = now_us - a->resolved_us < ALERT_SHOWN_US;
    return a->state == ALERT_RESOLVED && a->notice.told != ALERT_FIRING && !shown;
}

void alert_book_round(AlertBook *book, int64_t now_us)
{
    for (Alert *a = book->first; a; a = a->next) {
        if (!a->rule) alert_step(a, false, false, now_us);
        a->gone = is_over(a, now_us);
        a->changed = a->changed || a->gone;
    }
}

void alert_book_clock_set(AlertBook *book, int64_t step_us, int64_t now_us)
{
    for (Alert *a = book->first; a; a = a->next) {
        int64_t *moments[] = {&a->active_us, &a->fired_us, &a->resolved_us,
                              &a->true_us,   &a->seen_us,  &a->notice.at_us};
        for (int32_t i = 0; i < COUNT_OF(moments); i++) {
            *moments[i] = clock_moment_move(*moments[i], step_us, now_us);
        }
        /* Further away: it was made when the clock was right, as it is now. */
        int64_t left_us = a->silence.until_us - (now_us - step_us);
        if (left_us > 0 && left_us <= SILENCE_MAX_US) a->silence.until_us = now_us + left_us;
        a->changed = true;
    }
}

void alert_book_sweep(AlertBook *book)
{
    for (Alert **at = &book->first; *at;) {
        Alert *a = *at;
        if (!a->gone) {
            at = &a->next;
            continue;
        }
        *at = a->next;
        book->count--;
        alert_free(a);
    }
}

/* ---- kept and taken up again ---- */

Status alert_save(const Alert *a, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "labels");
    json_object_begin(&w);
    for (int32_t i = 0; i < a->label_count; i++) {
        json_key_str(&w, a->labels[i].name);
        json_write_text(&w, a->labels[i].value);
    }
    json_object_end(&w);
    json_key_int64(&w, "state", a->state);
    json_key(&w, "value");
    json_write_double(&w, a->value);
    json_key(&w, "threshold");
    json_write_double(&w, a->threshold);
    json_key_int64(&w, "active_us", a->active_us);
    json_key_int64(&w, "fired_us", a->fired_us);
    json_key_int64(&w, "resolved_us", a->resolved_us);
    json_key_int64(&w, "told", a->notice.told);
    json_key_int64(&w, "told_us", a->notice.at_us);
    json_key_int64(&w, "silenced_us", a->silence.until_us);
    json_key_text(&w, "silenced_by", str_from(a->silence.by));
    json_key_text(&w, "comment", str_from(a->silence.comment));
    json_object_end(&w);
    return json_writer_end(&w);
}

static AlertState read_state(const JsonValue *root, Str key)
{
    int64_t number = 0;
    bool good = json_int64(json_member(root, key), &number) && number >= ALERT_INACTIVE &&
                number <= ALERT_RESOLVED;
    return good ? (AlertState)number : ALERT_INACTIVE;
}

static void read_alert(Alert *a, const JsonValue *root, int64_t now_us)
{
    a->state = read_state(root, STR("state"));
    a->notice.told = read_state(root, STR("told"));
    (void)json_double(json_member(root, STR("value")), &a->value);
    (void)json_double(json_member(root, STR("threshold")), &a->threshold);
    (void)json_int64(json_member(root, STR("active_us")), &a->active_us);
    (void)json_int64(json_member(root, STR("fired_us")), &a->fired_us);
    (void)json_int64(json_member(root, STR("resolved_us")), &a->resolved_us);
    (void)json_int64(json_member(root, STR("told_us")), &a->notice.at_us);
    (void)json_int64(json_member(root, STR("silenced_us")), &a->silence.until_us);
    str_to_array(a->silence.by, sizeof a->silence.by,
                 json_member_text(root, STR("silenced_by"), STR_NULL));
    str_to_array(a->silence.comment, sizeof a->silence.comment,
                 json_member_text(root, STR("comment"), STR_NULL));
    a->seen_us = a->true_us = now_us;
}

static const AlertRule *rule_of(const AlertSettings *settings, Str name)
{
    for (int32_t i = 0; i < settings->rule_count; i++) {
        if (str_eq(settings->rules[i].name, name)) return &settings->rules[i];
    }
    return NULL;
}

Status alert_book_load(AlertBook *book, Str id, Str json, const AlertSettings *settings,
                       int64_t now_us, Err *err)
{
    Arena arena = arena_make(1 << 20);
    JsonValue *root = NULL;
    AlertLabel labels[ALERT_LABELS_MAX];
    char known[ALERT_ID_SIZE];
    int32_t count = 0;
    Alert *a = NULL;
    Status status = json_parse(json, &arena, &root, err);
    if (status == OK) {
        const JsonValue *map = json_member(root, STR("labels"));
        for (const JsonValue *at = map ? map->first : NULL; at; at = at->next) {
            put_label(labels, &count, at->key, at->text);
        }
        fingerprint(labels, count, known);
        if (!str_eq(str_from(known), id)) {
            status = err_set(err, ERR_DATA, "the alert's labels are not those of its id");
        }
    }
    if (status == OK) status = alert_add(book, known, NULL, labels, count, &a, err);
    if (status == OK && a) {
        a->rule = rule_of(settings, alert_label(a, STR("alertname")));
        read_alert(a, root, now_us);
    }
    arena_done(&arena);
    return status;
}
