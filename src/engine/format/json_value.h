/* Single column values as JSON: shared by the writers of this room. */
#ifndef NEURON_JSON_VALUE_H
#define NEURON_JSON_VALUE_H

#include "engine/column/column.h"
#include "foundation/base/buf.h"

enum { UUID_TEXT_LEN = 36 };

/* Append valid JSON text as it is, with line breaks (which are only white space there) as blanks.
 */
MUST_USE Status json_value_raw(Str json, Buf *out, Err *err);
/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in lower case. */
void uuid_format(const uint8_t bytes[16], char ret_text[UUID_TEXT_LEN]);
/* 32 hex digits in any case, with or without hyphens in their places. */
bool uuid_parse(Str text, uint8_t ret_bytes[16]);

#endif
