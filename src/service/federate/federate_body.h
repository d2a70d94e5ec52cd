/* What goes to the core, made so that it takes it: limits of its columns, no text it can't store.
 */
#ifndef NEURON_FEDERATE_BODY_H
#define NEURON_FEDERATE_BODY_H

#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"

/* Bytes: of JSON, and of a tree of it. */
enum { FEDERATE_JSON_MAX = 8 << 20, FEDERATE_ARENA_MAX = 32 << 20 };

/* The same JSON without U+0000 in any text or key: PostgreSQL stores none, and the core answers
 * 500. (Text that is no UTF-8 does not get this far: the writer replaces it, lone surrogates too.)
 * FAIL: ERR_DATA where `json` is none. */
MUST_USE Status body_clean(Str json, Buf *out, Err *err);

/* At most `most` bytes, on a character's boundary. */
static inline Str body_clip(Str text, int64_t most)
{
    text = str_slice(text, 0, most);
    return str_slice(text, 0, str_utf8_prefix(text));
}
void body_text(JsonWriter *w, const char *key, Str text, int64_t most);
/* Rounded, and within 0 … 2147483647, which is all that the core's columns take. */
void body_int(JsonWriter *w, const char *key, double value);
/* Finite, or 0. */
void body_double(JsonWriter *w, const char *key, double value);
/* A value of a tree as it is, but without U+0000; deeper than 40 levels it is null. */
void body_value(JsonWriter *w, const JsonValue *value);

#endif
