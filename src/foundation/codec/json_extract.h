/* Many paths out of one JSON document in a single walk that also validates it. */
#ifndef NEURON_JSON_EXTRACT_H
#define NEURON_JSON_EXTRACT_H

#include "foundation/codec/json_walk.h"

enum { JSON_EXTRACT_PATHS_MAX = 4096 };

/* Paths compiled into a tree of steps. Immutable; many threads may use one. */
typedef struct JsonExtractor JsonExtractor;

/* Copies the keys. `count` may be 0 (then extraction only validates). ERR_LIMIT past
 * JSON_EXTRACT_PATHS_MAX paths or JSON_PATH_STEPS_MAX steps. */
MUST_USE Status json_extractor_new(const JsonPath *paths, int32_t count,
                                   JsonExtractor **ret_extractor, Err *err);
void json_extractor_free(JsonExtractor *extractor);
DEFINE_FREE_P(JsonExtractor, json_extractor_free)
int32_t json_extractor_count(const JsonExtractor *extractor);

/* Walks and validates the whole of `doc`: ret_slots[i] is the value at path i, MISSING where there
 * is none; *ret_value the document itself. `padding`: bytes after doc that may be read (64 makes
 * it fastest; 0 is always right). Slots point into doc. False: not valid JSON, *ret_error says why,
 * and the slots hold nothing of use. */
MUST_USE bool json_extract(const JsonExtractor *extractor, Str doc, int64_t padding,
                           JsonSlot *ret_slots, JsonSlot *ret_value, JsonError *ret_error);

/* ---- All members of one object ---- */

enum { JSON_MEMBERS_MAX = 1 << 20 };

typedef struct JsonMember {
    JsonSlot key, value;
} JsonMember;

/* Room for the members of one object after another. Embedded: zero-initialise, json_members_done.
 */
typedef struct JsonMembers {
    JsonMember *items;
    int64_t count, capacity;
} JsonMembers;
void json_members_done(JsonMembers *members);

typedef enum JsonDocument {
    JSON_DOCUMENT_OBJECT, /* members->items hold its members in order, duplicates too */
    JSON_DOCUMENT_OTHER,  /* valid, but no object */
    JSON_DOCUMENT_INVALID /* *ret_error says why */
} JsonDocument;

/* Walks and validates the whole of `doc` and lists the members of the object that it is. FAIL:
 * ERR_MEMORY, or ERR_LIMIT past JSON_MEMBERS_MAX members. */
MUST_USE Status json_members_read(JsonMembers *members, Str doc, int64_t padding,
                                  JsonDocument *ret_document, JsonError *ret_error, Err *err);

#endif
