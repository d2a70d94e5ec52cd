/* Which configuration a neuron runs: a file's, or the guide's from the environment. */
#ifndef NEURON_DAEMON_CONFIG_H
#define NEURON_DAEMON_CONFIG_H

#include "service/daemon/daemon.h"

/* Read and checked; configuration_done either way. */
MUST_USE Status daemon_config_load(const DaemonOptions *options, Configuration *ret_config,
                                   Err *err);
/* Logs what the guide's neuron goes without. */
void daemon_config_tell(const DaemonOptions *options);

#endif
