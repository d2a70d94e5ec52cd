/* Small JSON documents as a tree: configuration values, state files, requests. */
#ifndef NEURON_JSON_TREE_H
#define NEURON_JSON_TREE_H

#include "foundation/codec/json_walk.h"

/* One value. Lives in the arena given to json_parse; numbers, objects and arrays point into the
 * source text, which must live as long. */
typedef struct JsonValue {
    JsonKind kind;
    bool boolean;
    bool integer;                   /* NUMBER without a point or exponent */
    Str key;                        /* member of an object: its key, decoded */
    Str text;                       /* STRING: decoded; all others: as written */
    int64_t offset;                 /* byte of the source where it begins */
    int64_t count;                  /* members (each duplicate counts) or elements */
    struct JsonValue *first, *last; /* of its members or elements, in order */
    struct JsonValue *next;
} JsonValue;

/* FAIL: ERR_DATA with line and column, ERR_LIMIT or ERR_MEMORY from the arena. */
MUST_USE Status json_parse(Str text, Arena *arena, JsonValue **ret_value, Err *err);

/* The last member of that key; NULL when there is none or `object` is no object (or NULL). */
const JsonValue *json_member(const JsonValue *object, Str key);
/* Element `index` from 0; NULL when absent. Walks the list. */
const JsonValue *json_element(const JsonValue *array, int64_t index);
/* A member's text when it is a string, else `otherwise`. */
Str json_member_text(const JsonValue *object, Str key, Str otherwise);
/* A whole number that fits; false (and nothing written) for anything else, NULL included. */
bool json_int64(const JsonValue *value, int64_t *ret_number);
bool json_double(const JsonValue *value, double *ret_number);
/* False for anything but true, NULL included. */
bool json_is_true(const JsonValue *value);

#endif
