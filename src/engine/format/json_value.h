/* Single column values as JSON: shared by the writers of this room. */
#ifndef NEURON_JSON_VALUE_H
#define NEURON_JSON_VALUE_H

#include "engine/column/column.h"
#include "foundation/base/buf.h"

/* Append valid JSON text as it is, with line breaks (which are only white space there) as blanks.
 */
MUST_USE Status json_value_raw(Str json, Buf *out, Err *err);

#endif
