/* The alerts that are known, their states, and which groups of them are to be told. */
#ifndef NEURON_ALERT_BOOK_H
#define NEURON_ALERT_BOOK_H

#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"
#include "service/alert/alert.h"

enum {
    ALERTS_MAX = 2000,
    ALERT_LABELS_MAX = 24,
    ALERT_ID_SIZE = 17, /* 16 hex digits */
};
/* Without data a state stays so long, as if it went on. */
#define ALERT_NO_DATA_US (INT64_C(15) * 60000000)
/* What is resolved is shown so long. */
#define ALERT_SHOWN_US (INT64_C(15) * 60000000)

typedef enum AlertState { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED } AlertState;
const char *alert_state_name(AlertState state);

/* What receivers know: inactive, firing or resolved; and since when. */
typedef struct AlertNotice {
    AlertState told;
    int64_t at_us;
} AlertNotice;

typedef struct AlertSilence {
    int64_t until_us;
    char by[64], comment[256];
} AlertSilence;

/* One rule for one set of labels. Times: µs since the epoch, 0: never. */
typedef struct Alert {
    struct Alert *next;
    Arena arena; /* of the labels */
    char id[ALERT_ID_SIZE];
    const AlertRule *rule; /* NULL: no longer configured */
    AlertLabel labels[ALERT_LABELS_MAX];
    int32_t label_count; /* sorted by name */
    AlertState state;
    double value, threshold;
    int64_t active_us, fired_us, resolved_us;
    int64_t true_us, seen_us; /* when it held, and when there was data, last */
    AlertNotice notice, notice_before;
    AlertSilence silence;
    bool changed; /* to be kept */
    bool gone;    /* to be forgotten */
    bool yielded; /* another neuron has it now */
} Alert;

/* One thread at a time. */
typedef struct AlertBook {
    Alert *first;
    int32_t count;
    Str neuron_id, shared_id;
} AlertBook;

void alert_book_done(AlertBook *book);
/* One round of a rule: its samples become alerts, its alerts take their next state. Past ALERTS_MAX
 * new ones are not taken. */
MUST_USE Status alert_book_observe(AlertBook *book, const AlertRule *rule,
                                   const AlertSamples *samples, int64_t now_us, Err *err);
/* Another neuron judges the rule: its alerts are forgotten, nobody is told. */
void alert_book_yield(AlertBook *book, const AlertRule *rule);
/* Alerts whose rule is gone are resolved; what is over is marked gone. After all rules. */
void alert_book_round(AlertBook *book, int64_t now_us);
/* The wall clock was set: what lasts goes on as long as it would have. */
void alert_book_clock_set(AlertBook *book, int64_t step_us, int64_t now_us);
Alert *alert_book_find(AlertBook *book, Str id);
void alert_book_sweep(AlertBook *book);
/* The next state of one alert. */
void alert_step(Alert *alert, bool seen, bool holds, int64_t now_us);
Str alert_label(const Alert *alert, Str name);

/* Kept in the store and taken up again; `rules` gives the rule of its name. */
MUST_USE Status alert_save(const Alert *alert, Buf *out, Err *err);
MUST_USE Status alert_book_load(AlertBook *book, Str id, Str json, const AlertSettings *settings,
                                int64_t now_us, Err *err);
/* One element of the API's list. */
void alert_write(const Alert *alert, int64_t now_us, JsonWriter *w);

/* The members of a group that is to be told now. */
typedef struct AlertGroup {
    Str key;
    Alert **members; /* firing and just resolved, none silenced */
    int32_t count;
    bool firing; /* at least one */
} AlertGroup;
typedef struct AlertGroups {
    AlertGroup *items;
    int32_t count;
} AlertGroups;
/* Groups with something new, or to be repeated. All in the arena. */
MUST_USE Status alert_book_groups(AlertBook *book, const AlertSettings *settings, int64_t now_us,
                                  Arena *arena, AlertGroups *ret_groups, Err *err);
/* Its members count as told; alert_not_notified takes that back. */
void alert_group_notified(AlertGroup *group, int64_t now_us);
void alert_group_not_notified(AlertGroup *group);

/* What is sent. */
MUST_USE Status alert_webhook_body(const AlertGroup *group, const AlertSettings *settings,
                                   Str receiver, Buf *out, Err *err);
MUST_USE Status alert_slack_body(const AlertGroup *group, Buf *out, Err *err);
MUST_USE Status alert_letter_body(const AlertGroup *group, Buf *out, Err *err);
/* The array of API v2: what fires, valid until `until_us`, and what is resolved. Silenced ones are
 * left out. *ret_count of alerts in it. */
MUST_USE Status alert_manager_body(const AlertBook *book, const AlertSettings *settings,
                                   int64_t now_us, int64_t until_us, Buf *out, int32_t *ret_count,
                                   Err *err);
MUST_USE Status alert_summary(const Alert *alert, Buf *out, Err *err);

#endif
