/* The calls of Control on a running neuron; `arg` is the Daemon. What each does: control.h. */
#ifndef NEURON_DAEMON_CONTROL_CALLS_H
#define NEURON_DAEMON_CONTROL_CALLS_H

#include "foundation/codec/json_writer.h"
#include "service/control/control.h"

typedef struct Daemon Daemon;

/* control_table.c: all of them. */
void control_make(Daemon *d, Control *ret_control);

/* control_status.c */
Status control_status(void *arg, Buf *out, Err *err);
Status control_health(void *arg, bool detail, Health *ret_health, Buf *out, Err *err);
bool control_ready(void *arg);
Status control_metrics(void *arg, bool openmetrics, Buf *out, Err *err);
Status control_config(void *arg, Buf *out, Err *err);
Status control_reload(void *arg, Buf *out, Err *err);
Status control_stop(void *arg, Str who, Err *err);
Status control_restart(void *arg, Str who, Err *err);

/* control_update.c */
Status control_config_update(void *arg, Str json, Buf *out, Err *err);
/* What an earlier life was told from outside. */
void config_update_restore(Daemon *d);

/* control_runs.c */
Status control_pipeline_list(void *arg, Buf *out, Err *err);
Status control_pipeline_get(void *arg, Str name, Buf *out, Err *err);
Status control_run_start(void *arg, Str pipeline, Str trigger, char *ret_run_id, Buf *out,
                         Err *err);
Status control_run_cancel(void *arg, Str run_id, Buf *out, Err *err);
Status control_run_list(void *arg, const ControlFilter *filter, Buf *out, Err *err);
Status control_run_get(void *arg, Str run_id, Buf *out, Err *err);
/* The array of pipelines, without a key. */
void control_pipelines_write(Daemon *d, JsonWriter *w);

/* control_quality.c */
Status control_quality_list(void *arg, Buf *out, Err *err);
Status control_quality_reports(void *arg, const ControlFilter *filter, Buf *out, Err *err);
Status control_quality_check(void *arg, Str dataset, Str trigger, char *ret_check_id, Buf *out,
                             Err *err);
Status control_check_get(void *arg, Str check_id, Buf *out, Err *err);
Status control_quality_trends(void *arg, Str dataset, int64_t days, Buf *out, Err *err);

/* control_streams.c */
Status control_stream_list(void *arg, Buf *out, Err *err);
Status control_stream_get(void *arg, Str name, Buf *out, Err *err);
Status control_stream_pause(void *arg, Str name, bool pause, Buf *out, Err *err);
Status control_stream_letters(void *arg, Str name, int64_t limit, const _Atomic bool *stop,
                              Buf *out, Err *err);
Status control_stream_send(void *arg, Str name, Str lines, const _Atomic bool *stop, Buf *out,
                           Err *err);
/* In an open object: each stream's health; without `detail` status and kind alone. */
Health streams_health(Daemon *d, bool detail, JsonWriter *w);

/* part_alert.c */
Status control_alert_list(void *arg, Buf *out, Err *err);
Status control_alert_silence(void *arg, const ControlSilence *silence, Buf *out, Err *err);

#endif
