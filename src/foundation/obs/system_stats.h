/* How full memory and disk are: of the container's limit where there is one, else of the machine.
 */
#ifndef NEURON_SYSTEM_STATS_H
#define NEURON_SYSTEM_STATS_H

#include "foundation/base/str.h"

/* Bytes; limit 0: could not be read. */
typedef struct SystemMemory {
    int64_t used, limit;
    bool contained; /* the limit is a cgroup's (v1 or v2) */
} SystemMemory;

/* Without what the kernel gives back by itself (inactive file pages). `root` is put before every
 * path (tests); NULL: none. */
SystemMemory system_memory_read(const char *root);
/* The share of the file system at `path` that is used, as df shows it; negative: could not be
 * read. */
double system_disk_used(Str path);
/* What the processors did since the last call, as a share from 0 to 1; since boot at first. */
typedef struct SystemCpu {
    int64_t busy, total; /* ticks */
} SystemCpu;
double system_cpu_used(SystemCpu *last);

#endif
