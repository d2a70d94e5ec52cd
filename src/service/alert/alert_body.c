/* What receivers are sent: Alertmanager's webhook and API v2, Slack's message, our own list. */
#include "service/alert/alert_book.h"

enum { SUMMARY_MAX = 8192 };

/* ---- texts ---- */

static Status put_number(double value, Buf *out, Err *err)
{
    return buf_printf(out, err, "%.6g", value);
}

static Status put_place(const Alert *a, Str name, Buf *out, Err *err)
{
    if (str_eq(name, STR("value%"))) return buf_printf(out, err, "%.3g %%", a->value * 100);
    if (str_eq(name, STR("threshold%"))) return buf_printf(out, err, "%.3g %%", a->threshold * 100);
    if (str_eq(name, STR("value"))) return put_number(a->value, out, err);
    if (str_eq(name, STR("threshold"))) return put_number(a->threshold, out, err);
    return buf_append(out, alert_label(a, name), err);
}

/* {name} is filled in; a brace that isn't closed stays. */
static Status fill(const Alert *a, Str text, Buf *out, Err *err)
{
    while (text.len) {
        int64_t open = str_find_char(text, '{');
        int64_t close = open < 0 ? -1 : str_find_char(str_slice(text, open, text.len), '}');
        if (close < 0) return buf_append(out, text, err);
        TRY(buf_append(out, str_slice(text, 0, open), err));
        TRY(put_place(a, str_slice(text, open + 1, open + close), out, err));
        text = str_slice(text, open + close + 1, text.len);
    }
    return OK;
}

static Status put_description(const Alert *a, Buf *out, Err *err)
{
    if (a->rule) TRY(buf_printf(out, err, "%.*s: ", STR_ARG(a->rule->when)));
    TRY(buf_append(out, STR("value "), err));
    TRY(put_number(a->value, out, err));
    TRY(buf_append(out, STR(", threshold "), err));
    return put_number(a->threshold, out, err);
}

Status alert_summary(const Alert *a, Buf *out, Err *err)
{
    if (a->rule && a->rule->summary.len) return fill(a, a->rule->summary, out, err);
    TRY(buf_append(out, alert_label(a, STR("alertname")), err));
    TRY(buf_append(out, STR(": "), err));
    return put_description(a, out, err);
}

static void write_annotations(const char *key, const Alert *a, JsonWriter *w)
{
    CLEANUP(buf_done) Buf text = buf_make(SUMMARY_MAX);
    json_key(w, key);
    json_object_begin(w);
    /* What doesn't fit is cut: an alert goes out in any case. */
    IGNORE(alert_summary(a, &text, NULL));
    json_key_text(w, "summary", buf_str(&text));
    buf_clear(&text);
    IGNORE(put_description(a, &text, NULL));
    json_key_text(w, "description", buf_str(&text));
    json_object_end(w);
}

static void write_labels(const char *key, const AlertLabel *labels, int32_t count, JsonWriter *w)
{
    json_key(w, key);
    json_object_begin(w);
    for (int32_t i = 0; i < count; i++) {
        json_key_str(w, labels[i].name);
        json_write_text(w, labels[i].value);
    }
    json_object_end(w);
}

/* ---- our own list ---- */

void alert_write(const Alert *a, int64_t now_us, JsonWriter *w)
{
    json_object_begin(w);
    json_key_text(w, "id", str_from(a->id));
    json_key_text(w, "name", alert_label(a, STR("alertname")));
    json_key_text(w, "state", str_from(alert_state_name(a->state)));
    json_key_text(w, "severity", alert_label(a, STR("severity")));
    json_key(w, "when");
    json_write_text_or_null(w, a->rule ? a->rule->when : STR_NULL);
    json_key(w, "value");
    json_write_double(w, a->value);
    json_key(w, "threshold");
    json_write_double(w, a->threshold);
    write_labels("labels", a->labels, a->label_count, w);
    write_annotations("annotations", a, w);
    json_key_time(w, "active_at", a->active_us);
    json_key_time(w, "fired_at", a->fired_us);
    json_key_time(w, "resolved_at", a->resolved_us);
    json_key_time(w, "notified_at", a->notice.at_us);
    json_key(w, "silence");
    if (a->silence.until_us > now_us) {
        json_object_begin(w);
        json_key_time(w, "until", a->silence.until_us);
        json_key_text(w, "by", str_from(a->silence.by));
        json_key_text(w, "comment", str_from(a->silence.comment));
        json_object_end(w);
    } else {
        json_write_null(w);
    }
    json_object_end(w);
}

/* ---- Alertmanager's webhook, version 4 ---- */

static void write_member(const Alert *a, const AlertSettings *s, JsonWriter *w)
{
    bool firing = a->state == ALERT_FIRING;
    json_object_begin(w);
    json_key_text(w, "status", firing ? STR("firing") : STR("resolved"));
    write_labels("labels", a->labels, a->label_count, w);
    write_annotations("annotations", a, w);
    json_key_time(w, "startsAt", a->fired_us);
    if (firing) json_key_text(w, "endsAt", STR("0001-01-01T00:00:00Z"));
    else json_key_time(w, "endsAt", a->resolved_us);
    json_key_text(w, "generatorURL", s->external_url);
    json_key_text(w, "fingerprint", str_from(a->id));
    json_object_end(w);
}

static bool is_common(const AlertGroup *g, const AlertLabel *label)
{
    for (int32_t i = 1; i < g->count; i++) {
        if (!str_eq(alert_label(g->members[i], label->name), label->value)) return false;
    }
    return true;
}

static void write_common(const AlertGroup *g, const AlertSettings *s, JsonWriter *w)
{
    AlertLabel labels[ALERT_LABELS_MAX];
    const Alert *first = g->members[0];
    int32_t count = 0;
    for (int32_t i = 0; i < s->group_by_count && i < ALERT_LABELS_MAX; i++) {
        labels[count++] = (AlertLabel){s->group_by[i], alert_label(first, s->group_by[i])};
    }
    write_labels("groupLabels", labels, count, w);
    count = 0;
    for (int32_t i = 0; i < first->label_count; i++) {
        if (is_common(g, &first->labels[i])) labels[count++] = first->labels[i];
    }
    write_labels("commonLabels", labels, count, w);
    if (g->count == 1) {
        write_annotations("commonAnnotations", first, w);
        return;
    }
    write_labels("commonAnnotations", NULL, 0, w);
}

Status alert_webhook_body(const AlertGroup *g, const AlertSettings *s, Str receiver, Buf *out,
                          Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key_text(&w, "version", STR("4"));
    json_key_text(&w, "groupKey", g->key);
    json_key(&w, "truncatedAlerts");
    json_write_int64(&w, 0);
    json_key_text(&w, "status", g->firing ? STR("firing") : STR("resolved"));
    json_key_text(&w, "receiver", receiver);
    write_common(g, s, &w);
    json_key_text(&w, "externalURL", s->external_url);
    json_key(&w, "alerts");
    json_array_begin(&w);
    for (int32_t i = 0; i < g->count; i++) write_member(g->members[i], s, &w);
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

/* ---- others ---- */

static Status put_line(const Alert *a, Buf *out, Err *err)
{
    TRY(buf_printf(out, err, "[%s] ", a->state == ALERT_FIRING ? "FIRING" : "RESOLVED"));
    TRY(alert_summary(a, out, err));
    return buf_printf(out, err, " (%.*s)\n", STR_ARG(alert_label(a, STR("severity"))));
}

Status alert_slack_body(const AlertGroup *g, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    for (int32_t i = 0; i < g->count; i++) TRY(put_line(g->members[i], &text, err));
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key_text(&w, "text", str_trim(buf_str(&text)));
    json_key(&w, "attachments");
    json_array_begin(&w);
    json_object_begin(&w);
    json_key_text(&w, "color", g->firing ? STR("danger") : STR("good"));
    json_key_text(&w, "fallback", str_trim(buf_str(&text)));
    json_key_text(&w, "footer", alert_label(g->members[0], STR("neuron")));
    json_object_end(&w);
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

Status alert_letter_body(const AlertGroup *g, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    for (int32_t i = 0; i < g->count; i++) TRY(put_line(g->members[i], &text, err));
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key_text(&w, "alert", alert_label(g->members[0], STR("alertname")));
    json_key_text(&w, "status", g->firing ? STR("firing") : STR("resolved"));
    json_key_text(&w, "severity", alert_label(g->members[0], STR("severity")));
    json_key_text(&w, "text", str_slice(str_trim(buf_str(&text)), 0, 1000));
    json_object_end(&w);
    return json_writer_end(&w);
}

Status alert_manager_body(const AlertBook *book, const AlertSettings *s, int64_t now_us,
                          int64_t until_us, Buf *out, int32_t *ret_count, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    *ret_count = 0;
    json_array_begin(&w);
    for (const Alert *a = book->first; a; a = a->next) {
        bool firing = a->state == ALERT_FIRING;
        if (a->silence.until_us > now_us || (!firing && a->state != ALERT_RESOLVED)) continue;
        json_object_begin(&w);
        write_labels("labels", a->labels, a->label_count, &w);
        write_annotations("annotations", a, &w);
        json_key_time(&w, "startsAt", a->fired_us);
        json_key_time(&w, "endsAt", firing ? until_us : a->resolved_us);
        if (s->external_url.len) json_key_text(&w, "generatorURL", s->external_url);
        json_object_end(&w);
        ++*ret_count;
    }
    json_array_end(&w);
    return json_writer_end(&w);
}
