/* Everything that may be asked of a running neuron: API, federation and alerts go through it. */
#ifndef NEURON_CONTROL_H
#define NEURON_CONTROL_H

#include "foundation/base/buf.h"

typedef enum Health { HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_UNHEALTHY } Health;

static inline const char *health_name(Health health)
{
    static const char *const NAMES[] = {"healthy", "degraded", "unhealthy"};
    return NAMES[health];
}

/* Which runs or reports; empty and 0: all, the newest 100. */
typedef struct ControlFilter {
    Str name;   /* a pipeline, or a dataset */
    Str status; /* of runs */
    Str before; /* a run id: older ones */
    int64_t limit;
} ControlFilter;

/* A silence of an alert: id is its fingerprint. */
typedef struct ControlSilence {
    Str id, by, comment;
    int64_t duration_us;
} ControlSilence;

/* All calls are thread-safe and wait for no run or check. Those that list runs and reports, start,
 * cancel, pause, silence or update ask the state store, whose calls have a deadline; `health` waits
 * less than a second, the others for nothing, unless they say so. `out` gets one JSON value
 * (metrics: Prometheus text) appended. No secret is ever in it. FAIL: ERR_NOT_FOUND (no such
 * pipeline, run, …), ERR_USAGE (what was asked is wrong), ERR_CONFIG (a configuration that is
 * wrong), ERR_LIMIT (not now: it runs already, or draining). */
typedef struct ControlPipelines {
    Status (*list)(void *arg, Buf *out, Err *err);
    Status (*get)(void *arg, Str name, Buf *out, Err *err);
} ControlPipelines;

typedef struct ControlRuns {
    /* `trigger`: api, federation. Answers the queued run; *ret_run_id (40 bytes) may be NULL. */
    Status (*start)(void *arg, Str pipeline, Str trigger, char *ret_run_id, Buf *out, Err *err);
    Status (*cancel)(void *arg, Str run_id, Buf *out, Err *err);
    Status (*list)(void *arg, const ControlFilter *filter, Buf *out, Err *err);
    Status (*get)(void *arg, Str run_id, Buf *out, Err *err);
} ControlRuns;

typedef struct ControlStreams {
    Status (*list)(void *arg, Buf *out, Err *err); /* with their statistics */
    Status (*get)(void *arg, Str name, Buf *out, Err *err);
    /* Kept over restarts. */
    Status (*pause)(void *arg, Str name, bool pause, Buf *out, Err *err);
    /* Both wait for brokers and databases, and end soon once `*stop` is true. Its last dead
     * letters, the newest first; `limit` 0: 50. Reads them where they are. */
    Status (*letters)(void *arg, Str name, int64_t limit, const _Atomic bool *stop, Buf *out,
                      Err *err);
    /* JSON lines into the topic that the stream reads; answers {accepted}. */
    Status (*send)(void *arg, Str name, Str lines, const _Atomic bool *stop, Buf *out, Err *err);
} ControlStreams;

typedef struct ControlQuality {
    Status (*list)(void *arg, Buf *out, Err *err); /* datasets with their last report */
    Status (*reports)(void *arg, const ControlFilter *filter, Buf *out, Err *err);
    /* A check now; answers {dataset, status: "queued"}; *ret_check_id (40 bytes) may be NULL. */
    Status (*check)(void *arg, Str dataset, Str trigger, char *ret_check_id, Buf *out, Err *err);
    /* One of the last checks that were asked for in this life: {check_id, dataset, status: queued|
     * success|failed, finished_at, verdict, quality_score, …, error}; `failed` is one that could
     * not run. */
    Status (*check_get)(void *arg, Str check_id, Buf *out, Err *err);
    /* `dataset` empty: all. */
    Status (*trends)(void *arg, Str dataset, int64_t days, Buf *out, Err *err);
} ControlQuality;

typedef struct ControlAlerts {
    Status (*list)(void *arg, Buf *out, Err *err);
    Status (*silence)(void *arg, const ControlSilence *silence, Buf *out, Err *err);
} ControlAlerts;

typedef struct Control {
    void *arg;

    Status (*status)(void *arg, Buf *out, Err *err);
    /* {status, dependencies{name: {status, kind?, since?, error?}}, uptime, version, …}. Without
     * `detail`, for callers that nobody knows: {status, dependencies{name: {status, kind?}}}. */
    Status (*health)(void *arg, bool detail, Health *ret_health, Buf *out, Err *err);
    /* False from the moment on that it shall end, and before everything is up. */
    bool (*ready)(void *arg);
    Status (*metrics)(void *arg, bool openmetrics, Buf *out, Err *err);
    Status (*config)(void *arg, Buf *out, Err *err); /* secrets masked */

    ControlPipelines pipelines;
    ControlRuns runs;
    ControlStreams streams;
    ControlQuality quality;
    ControlAlerts alerts;

    /* The configuration file again, checked whole; a wrong one changes nothing. */
    Status (*reload)(void *arg, Buf *out, Err *err);
    /* Of the federation: a JSON object with heartbeat_interval (seconds), log_level,
     * schedules {pipeline: schedule}, paused {pipeline or stream: true|false}; anything else in it
     * is ERR_USAGE and nothing is changed. Kept over restarts. */
    Status (*config_update)(void *arg, Str json, Buf *out, Err *err);
    /* An orderly end, or an orderly end and a new start. `who` is for the log. */
    Status (*stop)(void *arg, Str who, Err *err);
    Status (*restart)(void *arg, Str who, Err *err);
} Control;

#endif
