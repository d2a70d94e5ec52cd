/* JSON in one form per value: what equality and hashes go by. */
#ifndef NEURON_CANONICAL_H
#define NEURON_CANONICAL_H

#include "foundation/base/arena.h"
#include "foundation/base/buf.h"

/* No white space; members sorted by their names' bytes, the last of equal names; numbers in the
 * shortest form of their value; text with the fewest escapes. `json` must be valid. */
MUST_USE Status canonical_json(Str json, Arena *arena, Buf *out, Err *err);
/* Order of the canonical forms' bytes; texts that can't be made canonical (memory) compare as they
 * are. */
int canonical_compare(Str a, Str b, Arena *arena);

#endif
