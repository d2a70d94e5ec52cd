/* Alerts of a running neuron: rules judged again and again, changes told to receivers. */
#ifndef NEURON_ALERT_H
#define NEURON_ALERT_H

#include "service/alert/alert_condition.h"
#include "service/control/control.h"
#include "store/state/state_store.h"

/* A rule; texts are borrowed. */
typedef struct AlertRule {
    Str name, severity;
    Str when;    /* the condition as it was written */
    Str summary; /* {value}, {value%}, {threshold}, {label} are filled in; empty: made from `when`
                  */
    AlertCondition condition;
    int64_t for_us;  /* so long before it fires */
    int64_t keep_us; /* so long it must be good before it is resolved */
    const AlertLabel *labels;
    int32_t label_count;
    bool builtin;
} AlertRule;

typedef enum AlertReceiverKind {
    RECEIVER_WEBHOOK,      /* Alertmanager's webhook, version 4 */
    RECEIVER_ALERTMANAGER, /* API v2 of an Alertmanager */
    RECEIVER_SLACK,
    RECEIVER_COMMAND, /* the webhook's body on standard input */
    RECEIVER_FEDERATION
} AlertReceiverKind;

typedef struct AlertReceiver {
    Str name; /* shown in metrics and logs, where the address isn't */
    AlertReceiverKind kind;
    Str url;
    Str token;  /* Authorization: Bearer; empty: none */
    Str secret; /* signs the body: X-Neuron-Signature: sha256=HMAC; empty: none */
    const Str *command;
    int32_t command_count;
    bool resolved; /* also told when it is over */
} AlertReceiver;

/* What a configuration says of alerts. */
typedef struct AlertSettings {
    const AlertRule *rules;
    int32_t rule_count;
    const AlertReceiver *receivers;
    int32_t receiver_count;
    const Str *group_by; /* labels whose alerts are told together */
    int32_t group_by_count;
    int64_t interval_us;       /* between rounds */
    int64_t group_interval_us; /* at least between two notices of a group */
    int64_t repeat_us;         /* of what still fires */
    int64_t retry_us;          /* after a failed delivery, doubled up to 5 min */
    Str external_url;          /* of this neuron, in notices; may be empty */
} AlertSettings;

/* Borrowed until alerts_stop. */
typedef struct AlertOptions {
    Str neuron_id; /* label `neuron` */
    /* Neurons with one state store: the label of alerts about what they have in common, and whether
     * this one judges those, asked once a round. Empty and NULL: alone. */
    Str shared_id;
    bool (*leads)(void *arg);
    const AlertSettings *settings;
    StateStore *store;
    /* Before each round, on its thread: bring gauges up to date. May be NULL. */
    void (*refresh)(void *arg);
    AlertExact exact; /* may be NULL */
    void *arg;        /* of all three */
} AlertOptions;

typedef struct Alerts Alerts;

/* Takes up what the store knows, starts the rounds and the receivers. */
MUST_USE Status alerts_start(const AlertOptions *options, Alerts **ret_alerts, Err *err);
/* What is not delivered yet waits in the store. NULL is harmless. */
void alerts_stop(Alerts *alerts);
/* Something happened: a round now, not at the next interval. Thread-safe. */
void alerts_wake(Alerts *alerts);

/* As Control's entries. */
MUST_USE Status alerts_list(Alerts *alerts, Buf *out, Err *err);
MUST_USE Status alerts_silence(Alerts *alerts, const ControlSilence *silence, Buf *out, Err *err);

#endif
