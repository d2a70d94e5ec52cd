/* Pieces of JSON texts: read, copied, and listed into new ones; paths as arrays of texts. */
#ifndef NEURON_JSON_PART_H
#define NEURON_JSON_PART_H

#include "engine/expr/kernel.h"

enum { TEXT_PATH_MAX = JSON_PATH_STEPS_MAX };

/* The row's JSON; false: it can't be read, and the row failed. */
bool json_part_at(KernelCall *call, int32_t arg, int64_t row, JsonSlot *ret_slot);
/* The value as it is in its text, a string with its quotes. */
Str json_part_source(const JsonSlot *slot);
/* What was written as the row's result. */
MUST_USE Status json_part_put(KernelCall *call, int64_t row, const Buf *out);

/* An object or array that is being written: one member or element after the other. */
typedef struct Listing {
    Buf *out;
    bool any;
} Listing;
/* What comes in front of the next item: a comma, and its key where it has one. */
MUST_USE Status listing_item(Listing *list, const JsonSlot *key, Err *err);
MUST_USE Status listing_copy(Listing *list, const JsonSlot *key, const JsonSlot *value, Err *err);

typedef struct TextPath {
    Str steps[TEXT_PATH_MAX];
    int32_t count;
    bool null; /* a step is NULL */
} TextPath;
/* An argument that is an array of texts; *ret_ok false: the row failed. */
MUST_USE Status text_path_at(KernelCall *call, int32_t arg, int64_t row, TextPath *path,
                             bool *ret_ok, Err *err);
/* A step as an element's number; false: it is none. */
bool text_path_index(Str step, int64_t *ret_index);

#endif
