/* Control over a running neuron: which call answers what. */
#include "service/daemon/control_calls.h"

void control_make(Daemon *d, Control *ret_control)
{
    *ret_control = (Control){
        .arg = d,
        .status = control_status,
        .health = control_health,
        .ready = control_ready,
        .metrics = control_metrics,
        .config = control_config,
        .pipelines = {.list = control_pipeline_list, .get = control_pipeline_get},
        .runs = {.start = control_run_start,
                 .cancel = control_run_cancel,
                 .list = control_run_list,
                 .get = control_run_get},
        .streams = {.list = control_stream_list,
                    .get = control_stream_get,
                    .pause = control_stream_pause,
                    .letters = control_stream_letters,
                    .send = control_stream_send},
        .quality = {.list = control_quality_list,
                    .reports = control_quality_reports,
                    .check = control_quality_check,
                    .check_get = control_check_get,
                    .trends = control_quality_trends},
        .alerts = {.list = control_alert_list, .silence = control_alert_silence},
        .reload = control_reload,
        .config_update = control_config_update,
        .stop = control_stop,
        .restart = control_restart,
    };
}
