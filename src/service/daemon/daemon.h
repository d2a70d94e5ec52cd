/* The running neuron: everything of a configuration, until it is told to end. */
#ifndef NEURON_DAEMON_H
#define NEURON_DAEMON_H

#include "service/setup/configuration.h"

typedef struct DaemonOptions {
    const Registry *registry;
    Str config_path; /* empty: the guide's neuron from the environment */
    const SubstituteFrom *from;
    int64_t for_us; /* end by itself after so long; 0: never */
} DaemonOptions;

/* Reads the configuration, runs until a signal, `--for`, a stop; restarts and reloads inside. Takes
 * SIGTERM, SIGINT and SIGHUP of the process (call it from the main thread). *ret_exit: 0, or 128 +
 * the signal. FAIL when it can't begin: a wrong configuration (ERR_CONFIG), no state store, a
 * listening address that is taken. */
MUST_USE Status daemon_run(const DaemonOptions *options, int *ret_exit, Err *err);

#endif
