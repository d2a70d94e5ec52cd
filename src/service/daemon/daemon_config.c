/* Reads the configuration that a neuron runs. */
#include "service/daemon/daemon_config.h"

#include "foundation/obs/log.h"

Status daemon_config_load(const DaemonOptions *options, Configuration *c, Err *err)
{
    Status status =
        options->config_path.len
            ? configuration_load(options->registry, options->config_path, options->from, c, err)
            : configuration_guide_load(options->registry, options->from, c, err);
    if (status == OK) status = configuration_check(c, err);
    return status;
}

void daemon_config_tell(const DaemonOptions *options)
{
    static const char *const PARTS[][2] = {{"SOURCE_DB_URL", "pipelines"},
                                           {"TARGET_DB_URL", "pipelines and quality checks"},
                                           {"KAFKA_SERVERS", "the stream"},
                                           {"FEDERATION_URL", "the federation"}};
    if (options->config_path.len) return;
    for (int32_t i = 0; i < COUNT_OF(PARTS); i++) {
        const char *value = options->from->environment(options->from->arg, PARTS[i][0]);
        if (value && value[0]) continue;
        LOG(LOG_INFO, "daemon", "left out, its variable is not set",
            log_text("part", str_from(PARTS[i][1])), log_text("variable", str_from(PARTS[i][0])));
    }
}
