/* One part's health as /health shows it. */
#ifndef NEURON_DAEMON_PART_HEALTH_H
#define NEURON_DAEMON_PART_HEALTH_H

#include "foundation/codec/json_writer.h"

/* `error` empty where it is healthy. */
typedef struct PartHealth {
    Str status, error;
    ErrKind kind; /* of the error */
    int64_t since_us;
} PartHealth;

/* In the part's open object; without `detail` status and kind alone. */
void part_health_write(const PartHealth *part, bool detail, JsonWriter *w);

#endif
