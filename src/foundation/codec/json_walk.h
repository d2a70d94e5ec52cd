/* JSON text: strict validation, and places inside it, without building anything. */
#ifndef NEURON_JSON_WALK_H
#define NEURON_JSON_WALK_H

#include "foundation/base/arena.h"
#include "foundation/base/buf.h"

/* The grammar is RFC 8259, strictly: one value with white space around it; well-formed UTF-8
 * without a byte order mark; no control characters in strings; escapes complete, surrogates in
 * pairs; nested at most JSON_DEPTH_MAX levels. Numbers may have any length. Of members with equal
 * keys (after decoding) the last one counts. Everything here is reentrant and keeps no state. */

enum { JSON_DEPTH_MAX = 1000, JSON_PATH_STEPS_MAX = 64 };

typedef enum JsonKind {
    JSON_MISSING, /* no such place; never the kind of a document */
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_OBJECT,
    JSON_ARRAY
} JsonKind;

/* A value where it stands. `text` points into the source: numbers, literals, objects and arrays
 * whole, strings without their quotes and still encoded. */
typedef struct JsonSlot {
    Str text;
    JsonKind kind;
    bool escaped; /* STRING: holds escapes, to be decoded by json_decode; else text is the value */
    bool integer; /* NUMBER: neither a point nor an exponent */
} JsonSlot;

/* What is wrong, and at which byte of the text. `reason` is a constant. */
typedef struct JsonError {
    int64_t offset;
    const char *reason;
} JsonError;

/* True when `text` is valid JSON as a whole. `ret_error` may be NULL. */
MUST_USE bool json_validate(Str text, JsonError *ret_error);
/* The same, and what the document is (white space around it removed). */
MUST_USE bool json_scan(Str text, JsonSlot *ret_value, JsonError *ret_error);
/* FAIL: ERR_DATA "not valid JSON: <reason> at byte <offset + 1>". */
MUST_USE Status json_check(Str text, Err *err);

/* A string's value. `raw` is the text of a valid STRING slot; writes at most raw.len bytes to
 * `ret_text` and returns how many. */
int64_t json_decode(Str raw, char *ret_text);
/* The value of a STRING slot: itself when it has no escapes, else decoded into the arena. */
MUST_USE Status json_text(const JsonSlot *slot, Arena *arena, Str *ret_text, Err *err);
/* True when a key or string, as it stands in the text, decodes to `value`. */
bool json_text_is(const JsonSlot *slot, Str value);

/* The members or elements of one object or array, in order. `text` must be valid JSON (it was
 * validated when it was read); on text that is not, the walk ends early. */
typedef struct JsonIter {
    const char *at, *end, *start;
    const char *block; /* the scanner's own */
    uint64_t stops;
    bool object, first;
} JsonIter;
/* `value` must be an OBJECT or ARRAY slot. */
JsonIter json_iter(const JsonSlot *value);
/* False at the end. `ret_key` is a STRING slot (MISSING for elements of arrays); may be NULL. */
bool json_iter_next(JsonIter *iter, JsonSlot *ret_key, JsonSlot *ret_value);

/* ---- Paths: a.b[0]."odd key" ---- */

typedef struct JsonStep {
    Str key;       /* member, decoded; or else */
    int64_t index; /* element, from 0; negative: from the end (-1 is the last) */
    bool is_index;
} JsonStep;

typedef struct JsonPath {
    const JsonStep *steps;
    int32_t count;
} JsonPath;

/* Canonical text: keys of the form [A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]* stand as they are, all
 * others (also those beginning with @) in double quotes with " doubled; steps are separated by a
 * dot, indexes stand in brackets. Parsing takes exactly that, without white space (quotes may be
 * there without need). FAIL: ERR_EXPRESSION with the column. Steps and keys live in the arena (keys
 * without doubled quotes in `text`). */
MUST_USE Status json_path_parse(Str text, Arena *arena, JsonPath *ret_path, Err *err);
MUST_USE Status json_path_format(const JsonPath *path, Buf *out, Err *err);

/* The value at a place of a valid JSON text (a value of a JSON column): MISSING where there is
 * none, where a step does not fit the value's kind, and in text that is not JSON. An empty path is
 * the value itself. */
JsonSlot json_get_path(Str json, const JsonPath *path);
JsonSlot json_get_key(const JsonSlot *object, Str key);
JsonSlot json_get_index(const JsonSlot *array, int64_t index);
/* Number of elements or members (duplicates counted each); 0 for other kinds. */
int64_t json_count(const JsonSlot *value);

#endif
