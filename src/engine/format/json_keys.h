/* Names by index, and back: which column does a member belong to? */
#ifndef NEURON_JSON_KEYS_H
#define NEURON_JSON_KEYS_H

#include "foundation/codec/json_walk.h"

/* Embedded: zero-initialise with an arena, json_keys_done. */
typedef struct JsonKeys {
    Str *names;
    int32_t count, capacity;
    int32_t *table; /* index + 1 by hash, 0: free; a power of two, at most half full */
    int64_t table_size;
    Arena arena;
} JsonKeys;

void json_keys_init(JsonKeys *keys);
void json_keys_done(JsonKeys *keys);
/* Index of the key, or -1. `hint`: an index to try first (any number). */
int32_t json_keys_find(const JsonKeys *keys, Str name, int32_t hint);
/* Append a name that is not there yet. ERR_LIMIT past JSON_COLUMNS_MAX. */
MUST_USE Status json_keys_add(JsonKeys *keys, Str name, Err *err);

#endif
