/* What the core is told of machine and neuron. */
#ifndef NEURON_FEDERATE_HOST_H
#define NEURON_FEDERATE_HOST_H

#include "foundation/codec/json_writer.h"
#include "foundation/obs/system_stats.h"
#include "service/federate/federate.h"

/* The machine, when it was last looked at; percent. */
typedef struct Machine {
    int64_t at_ns;
    double cpu, memory, disk;
} Machine;

typedef struct Host {
    SystemCpu cpu;
    Machine machine;
} Host;

void host_look(Host *host);
/* FEDERATION.md's sum: processor, memory, disk and errors cost points; 1 … 100. */
int64_t host_score(const Machine *machine, double error_rate);
/* Values after a key. */
void host_write_info(JsonWriter *w);
void host_write_system(const Machine *machine, JsonWriter *w);
/* Members of an open object: all that a registration says beside what it must. */
MUST_USE Status host_write_registration(const FederateOptions *options, JsonWriter *w, Err *err);

#endif
