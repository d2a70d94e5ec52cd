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

typedef struct DaemonResult {
    int exit;       /* 0, or 128 + the signal; `abandoned`: 1, or that */
    bool abandoned; /* work did not end in time: threads go on and use the options too */
} DaemonResult;

/* Reads the configuration, runs until a signal, `--for`, a stop; restarts and reloads inside. Takes
 * SIGTERM, SIGINT and SIGHUP of the process (call it from the main thread). FAIL when it can't
 * begin: a wrong configuration (ERR_CONFIG), no state store, a listening address that is taken.
 * After an `abandoned` one, also with FAIL, the caller ends the process at once, without the work
 * of exit(): nothing that the threads use may be torn down. */
MUST_USE Status daemon_run(const DaemonOptions *options, DaemonResult *ret_result, Err *err);

#endif
