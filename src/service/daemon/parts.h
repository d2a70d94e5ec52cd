/* Parts of a running neuron that start and stop: streams, federation, alerts, upkeep. */
#ifndef NEURON_DAEMON_PARTS_H
#define NEURON_DAEMON_PARTS_H

#include "service/daemon/daemon_impl.h"

/* `start` gets a daemon whose configuration, store and control are ready; what it needs later it
 * keeps in the Daemon. `stop` comes before the store closes, also without a start. */
typedef struct DaemonPart {
    const char *name;
    Status (*start)(Daemon *d, Err *err);
    void (*stop)(Daemon *d);
} DaemonPart;
/* part_federation.c */
MUST_USE Status part_federation_start(Daemon *d, Err *err);
void part_federation_stop(Daemon *d);
/* A member of an open object: how this neuron is with its federation; nothing where there is none.
 * False when heartbeats or registration fail. */
bool federation_health(Daemon *d, bool detail, JsonWriter *w);
/* part_streams.c */
MUST_USE Status streams_new(Daemon *d, Err *err);
MUST_USE Status part_streams_start(Daemon *d, Err *err);
/* Ask all for an orderly end, without waiting. */
void streams_drain(Daemon *d);
void part_streams_stop(Daemon *d);
void streams_clock_set(Daemon *d, int64_t step_us);
/* NULL: no such stream. */
Stream *stream_find(Daemon *d, Str name);
/* control_streams.c */
/* In an open object: each stream's health; without `detail` status and kind alone. */
Health streams_health(Daemon *d, bool detail, JsonWriter *w);
/* Their numbers into the registry of metrics. */
void streams_metrics(Daemon *d);
/* Those of streams that may be gone after a reload. */
void streams_metrics_forget(Daemon *d);
Status control_stream_list(void *arg, Buf *out, Err *err);
Status control_stream_get(void *arg, Str name, Buf *out, Err *err);
Status control_stream_pause(void *arg, Str name, bool pause, Buf *out, Err *err);
Status control_stream_letters(void *arg, Str name, int64_t limit, const _Atomic bool *stop,
                              Buf *out, Err *err);
Status control_stream_send(void *arg, Str name, Str lines, const _Atomic bool *stop, Buf *out,
                           Err *err);

/* part_upkeep.c */
MUST_USE Status part_upkeep_start(Daemon *d, Err *err);
void part_upkeep_stop(Daemon *d);

/* part_alert.c */
MUST_USE Status part_alert_start(Daemon *d, Err *err);
void part_alert_stop(Daemon *d);
/* Memory and disks into the metrics. */
void system_gauges(const Daemon *d);
void parts_begin(Daemon *d);
void parts_end(Daemon *d);

#endif
