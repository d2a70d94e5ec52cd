/* Keys that ascend can't come twice. */
#ifndef NEURON_POSTGRES_KEYS_H
#define NEURON_POSTGRES_KEYS_H

#include "connect/postgres/postgres_table.h"

enum { POSTGRES_KEYS_MAX = 4 };

/* While each key is greater than the one before, none comes twice. */
typedef struct PostgresKeys {
    bool ascend, some;
    int32_t fields[POSTGRES_KEYS_MAX];
    int32_t count;
    int64_t last[POSTGRES_KEYS_MAX];
} PostgresKeys;

void postgres_keys_begin(PostgresSink *self);
/* Look whether the keys of the batch go on ascending. */
void postgres_keys_note(PostgresSink *self, const Batch *batch);
/* Set self->fresh where it can be had. */
MUST_USE Status postgres_fresh_try(PostgresSink *self, Err *err);

#endif
