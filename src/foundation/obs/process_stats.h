/* What the kernel says about this process: CPU, memory, descriptors. */
#ifndef NEURON_PROCESS_STATS_H
#define NEURON_PROCESS_STATS_H

#include "foundation/base/macro.h"

typedef struct ProcessStats {
    double cpu_seconds;
    double start_seconds; /* since the epoch */
    int64_t resident_bytes, open_fds, max_fds;
} ProcessStats;

/* What can't be read stays 0. Thread-safe. */
ProcessStats process_stats_read(void);

#endif
