/* The federation as a part of the daemon. */
#ifndef NEURON_DAEMON_PART_FEDERATION_H
#define NEURON_DAEMON_PART_FEDERATION_H

#include "foundation/codec/json_writer.h"

typedef struct Daemon Daemon;

MUST_USE Status part_federation_start(Daemon *d, Err *err);
void part_federation_stop(Daemon *d);
/* A member of an open object: how this neuron is with its federation; nothing where there is none.
 * False when heartbeats or registration fail. */
bool federation_health(Daemon *d, bool detail, JsonWriter *w);

#endif
