/* What may be asked of a running neuron, answered. */
#ifndef NEURON_DAEMON_CONTROL_IMPL_H
#define NEURON_DAEMON_CONTROL_IMPL_H

#include "service/daemon/daemon_impl.h"

/* What an earlier life was told from outside. */
void config_update_restore(Daemon *d);
void control_make(Daemon *d, Control *ret_control);
Status control_status(void *arg, Buf *out, Err *err);
Status control_health(void *arg, bool detail, Health *ret_health, Buf *out, Err *err);
Status control_config(void *arg, Buf *out, Err *err);
Status control_config_update(void *arg, Str json, Buf *out, Err *err);
Status control_pipeline_list(void *arg, Buf *out, Err *err);
Status control_pipeline_get(void *arg, Str name, Buf *out, Err *err);
Status control_run_start(void *arg, Str pipeline, Str trigger, char *ret_run_id, Buf *out,
                         Err *err);
Status control_run_cancel(void *arg, Str run_id, Buf *out, Err *err);
Status control_run_list(void *arg, const ControlFilter *filter, Buf *out, Err *err);
Status control_run_get(void *arg, Str run_id, Buf *out, Err *err);
Status control_alert_list(void *arg, Buf *out, Err *err);
Status control_alert_silence(void *arg, const ControlSilence *silence, Buf *out, Err *err);
void write_pipelines(Daemon *d, JsonWriter *w);
Status control_quality_list(void *arg, Buf *out, Err *err);
Status control_quality_reports(void *arg, const ControlFilter *filter, Buf *out, Err *err);
Status control_quality_check(void *arg, Str dataset, Str trigger, char *ret_check_id, Buf *out,
                             Err *err);
Status control_quality_trends(void *arg, Str dataset, int64_t days, Buf *out, Err *err);
void write_time(JsonWriter *w, const char *key, int64_t us);
/* One part's health: `error` empty where it is healthy. */
typedef struct PartHealth {
    Str status, error;
    ErrKind kind; /* of the error */
    int64_t since_us;
} PartHealth;
/* In the part's open object; without `detail` status and kind alone. */
void part_health_write(const PartHealth *part, bool detail, JsonWriter *w);

#endif
