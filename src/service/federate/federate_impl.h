/* What the files of this room share. */
#ifndef NEURON_FEDERATE_IMPL_H
#define NEURON_FEDERATE_IMPL_H

#include "foundation/base/clock.h"
#include "foundation/base/thread.h"
#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"
#include "foundation/net/http_client.h"
#include "foundation/obs/log.h"
#include "foundation/obs/metrics.h"
#include "foundation/obs/system_stats.h"
#include "service/federate/federate.h"

#define FEDERATE_S_NS INT64_C(1000000000)
enum {
    FEDERATE_BODY_MAX = 100 << 10, /* the core takes no more */
    FEDERATE_JSON_MAX = 8 << 20,
    FEDERATE_LETTERS = 20, /* in one delivery */
};

/* What came of a call. */
typedef enum Outcome {
    CALL_OK,
    CALL_DOWN,    /* no answer, or a 5xx: later */
    CALL_TOKEN,   /* 401 */
    CALL_GONE,    /* 404 */
    CALL_REFUSED, /* other 4xx: this body will never do */
    CALL_STRANGE, /* no answer of this protocol: HTML, no JSON, no success */
} Outcome;

struct Federate {
    FederateOptions o;
    HttpClient *client;
    Thread thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic bool stop, cancelled;

    /* Of the thread. */
    Buf token;
    bool rejected; /* the token was refused: kept, for an id can't be registered twice */
    bool up, bye;
    int64_t heartbeat_us, started_ns, timeout_us;
    int64_t register_ns, beat_ns, beat_due_ns, poll_ns, report_ns, analytics_ns;
    int32_t register_failures, beat_failures;
    bool commands_open, no_analytics, letters_wait;
    SystemCpu cpu;
    Buf day; /* the running totals of the UTC day, as last delivered */
};

typedef struct Call {
    const char *operation; /* for metrics and the log */
    const char *method;
    Str path, body;
    int32_t status;     /* expected */
    const char *needed; /* member of data that must be there; NULL: none */
    JsonKind kind;      /* its kind */
    bool open;          /* without a token */
} Call;

/* federate_call.c. *ret_data (may be NULL) lives in the arena: `data` of a good reply, the whole
 * reply of a refused one. */
Outcome federate_call(Federate *f, const Call *call, Arena *arena, const JsonValue **ret_data);

/* federate_commands.c: fetch what is pending, then go on with what is open. */
void federate_poll(Federate *f);
void federate_commands(Federate *f);

/* Those of one delivery: adopted ones have ids of any age, so that no id stands for others. */
typedef struct FederateLetters {
    int64_t ids[FEDERATE_LETTERS];
    int32_t count;
} FederateLetters;

/* federate_reports.c: fold waiting letters into the day's totals. `customMetrics` as text in `day`;
 * *ret_letters those that are in it. */
MUST_USE Status federate_reports(Federate *f, Buf *day, FederateLetters *ret_letters, Err *err);
/* They were delivered. */
void federate_reports_done(Federate *f, const Buf *day, const FederateLetters *letters);
void federate_analytics(Federate *f);

#endif
