/* What the files of this room share. */
#ifndef NEURON_FEDERATE_IMPL_H
#define NEURON_FEDERATE_IMPL_H

#include "foundation/base/clock.h"
#include "foundation/base/thread.h"
#include "foundation/net/http_client.h"
#include "foundation/obs/log.h"
#include "foundation/obs/metrics.h"
#include "foundation/obs/system_stats.h"
#include "service/federate/federate.h"
#include "service/federate/federate_body.h"
#include "service/federate/federate_day.h"
#include "service/federate/federate_member.h"
#include "service/federate/federate_reply.h"

#define FEDERATE_S_NS INT64_C(1000000000)
enum {
    FEDERATE_BODY_MAX = 100 << 10, /* the core takes no more */
    FEDERATE_BODY_MIN = 4 << 10,   /* not tried with less, however small a proxy wants it */
    FEDERATE_JSON_MAX = 8 << 20,
    FEDERATE_ARENA_MAX = 32 << 20,
    FEDERATE_EVENTS = 20
};

/* Something that happened to the membership or to a command, for the core's list of events. */
typedef struct Event {
    int64_t at_us;
    const char *type;
    char text[FEDERATE_TEXT_MAX];
} Event;

/* The machine, when it was last looked at; percent. */
typedef struct Machine {
    int64_t at_ns;
    double cpu, memory, disk;
} Machine;

typedef struct Orders Orders; /* federate_commands.c */

struct Federate {
    FederateOptions o;
    HttpClient *client;
    Thread thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic bool stop, cancelled;

    /* Under the lock; written by the thread alone. */
    Membership member;
    int64_t trouble_us; /* since when; 0: none */
    ErrKind trouble_kind;
    char trouble[FEDERATE_TEXT_MAX], hint[ERR_HINT_MAX];

    /* Of the thread. */
    Buf url, key, token; /* the address: as it is called, and by which the token is kept */
    Buf other;           /* another address that this id has a token for; empty: none */
    int64_t notified_us; /* when the log was told of trouble, and how loud */
    LogLevel told_level;
    bool answers;           /* the last call was answered */
    bool away;              /* the last heartbeat was not: nothing else is tried before the next */
    bool failing[OP_COUNT]; /* the last call of that kind failed */
    int64_t started_ns, heartbeat_us, timeout_us;
    int64_t register_ns, beat_ns, beat_due_ns, poll_ns, report_ns, config_ns;
    int64_t beat_taken_ns; /* 0: none yet */
    int32_t register_failures, beat_failures, poll_failures, report_failures;
    int64_t body_max; /* of a body that is sent; less after a 413 */

    Orders *orders;
    bool ends;    /* a command has asked for the end, or a new start */
    bool stopped; /* by a command: nobody says when this neuron starts again */

    Buf config_version, config_content; /* in effect; as last seen */
    bool config_refused;                /* that content was not applied */

    bool no_analytics;      /* the core takes none: heartbeats carry the reports */
    int64_t analytics_ns;   /* then: when it is asked again; else when they were last sent */
    Day day;                /* with all that was delivered */
    Buf kept;               /* members of the array of reports that were delivered, newest last */
    int64_t ticked_us;      /* up to when `day` has the time that the neuron was up */
    int64_t dropped;        /* reports, in this life */
    int64_t consumed, lost; /* messages of all streams that `day` has, and those that failed */
    SystemCpu cpu;
    Machine machine;
    Event events[FEDERATE_EVENTS];
    int64_t event_count;
};

/* ---- federate_call.c ---- */
typedef struct Call {
    Operation operation;
    Str path; /* empty: the operation's own */
    Str body;
    bool once; /* not even when the connection turns out to be closed it is sent again at once */
} Call;
/* `ret_answer->data` lives in the arena. A refused token is the membership's business already. */
void federate_call(Federate *f, const Call *call, Arena *arena, Answer *ret_answer);
/* 0.5 s, 1, 2 … 60 s for the first, second … failure in a row. */
int64_t federate_pause_ns(int32_t failures);

/* ---- federate_register.c ---- */
/* The token of this id and address, taken over from another spelling or the former address. */
MUST_USE Status federate_load_token(Federate *f, Err *err);
void federate_register(Federate *f);

/* ---- federate.c ---- */
void federate_event(Federate *f, MemberEvent event);
/* For the core's list of events. */
void federate_note(Federate *f, const char *type, const char *format, ...) PRINTF_LIKE(3, 4);
/* Heartbeats or registration fail: known to /health, to the metric, and, where it is news, to the
 * log. `err` has message and hint. */
void federate_trouble(Federate *f, LogLevel level, const char *what, Outcome outcome,
                      const Err *err);
void federate_well(Federate *f);

/* ---- federate_beat.c ---- */
void federate_beat(Federate *f);
/* The last one, with the status "inactive". */
void federate_goodbye(Federate *f);

/* ---- federate_host.c: what is told of machine and neuron ---- */
void host_look(Federate *f);
/* FEDERATION.md's sum: processor, memory, disk and errors cost points; 1 … 100. */
int64_t host_score(const Machine *machine, double error_rate);
/* Values after a key. */
void host_write_info(const Federate *f, JsonWriter *w);
void host_write_system(const Federate *f, JsonWriter *w);
/* Members of an open object: all that a registration says beside what it must. */
MUST_USE Status host_write_registration(const Federate *f, JsonWriter *w, Err *err);

/* ---- federate_streams.c ---- */
/* The numbers of all streams in sum, by the guide's names. */
typedef struct StreamSums {
    int64_t processed, failed, consumed, lost;
    double average_seconds, per_second;
} StreamSums;
/* `each` (may be NULL) gets each stream's object. */
MUST_USE Status federate_streams(const Federate *f, StreamSums *ret_sums,
                                 void (*each)(void *arg, const JsonValue *stream), void *arg,
                                 Err *err);

/* ---- federate_commands.c ---- */
MUST_USE Status federate_orders_load(Federate *f, Err *err);
void federate_orders_free(Orders *orders);
/* Fetch what is pending. */
void federate_poll(Federate *f);
/* Go on with what is open and due; when it is to be called again (monotonic; INT64_MAX: nothing is
 * open). */
int64_t federate_commands(Federate *f);
/* At the end: what is done is told, once. */
void federate_commands_last(Federate *f);

/* ---- federate_tasks.c: carrying out through Control ---- */
/* What a command begins and has to wait for: "run:ID" and "check:ID", with commas between, in
 * `waits`; empty: it is done, and `out` has its response. */
MUST_USE Status task_start(Federate *f, Str type, Str body, Buf *waits, Buf *out, Err *err);
/* *ret_done once all of them have ended: then `out` has the response and `why` (emptied before)
 * what went wrong. *ret_unknown: one of them is not known here, for a restart came between. */
MUST_USE Status task_look(const Federate *f, Str waits, bool *ret_done, bool *ret_unknown, Buf *out,
                          Err *why, Err *err);
/* A configuration from outside, checked whole before any of it is applied. */
MUST_USE Status task_configure(Federate *f, const JsonValue *config, Buf *out, Err *err);

/* ---- federate_config.c ---- */
void federate_config_load(Federate *f);
/* Ask for it; what is new in it is applied. True when the core has no row of this neuron. */
bool federate_config(Federate *f);
void federate_config_due(Federate *f);

/* ---- federate_reports.c: the outbox and the day ---- */
enum { DELIVERY_MAX = 100 };
/* What one request brings: letters of the outbox, and the day as it is with them. */
typedef struct Delivery {
    Day day;
    Buf fresh; /* members of the array of new reports */
    int64_t ids[DELIVERY_MAX];
    int32_t count;
    bool more;    /* letters wait that are not in it */
    int64_t room; /* bytes that `fresh` may still take */
    bool silent;  /* counted, not listed */
} Delivery;
MUST_USE Status federate_day_load(Federate *f, Err *err);
/* Up to now: time, messages, machine; at midnight a new day. */
void federate_day_tick(Federate *f);
MUST_USE Status federate_day_save(Federate *f, Err *err);
/* Of the reports that were delivered the newest that fit, as members of an array. */
MUST_USE Status federate_recent(const Federate *f, int64_t room, Buf *out, Err *err);
/* What waits, as much as fits. To be delivery_done'd. */
MUST_USE Status delivery_make(Federate *f, Delivery *ret_delivery, Err *err);
/* It was taken: totals, list and outbox change at one moment, so that no report counts twice. */
void delivery_taken(Federate *f, Delivery *delivery);
void delivery_done(Delivery *delivery);
/* What the outbox has beyond its limit is dropped: counted in the totals, and told. */
void federate_outbox_trim(Federate *f);

/* ---- federate_analytics.c ---- */
/* One request. True when more waits that can go at once. */
bool federate_analytics(Federate *f);

#endif
