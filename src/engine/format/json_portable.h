/* JSON and texts as every database can keep them. */
#ifndef NEURON_JSON_PORTABLE_H
#define NEURON_JSON_PORTABLE_H

#include "foundation/base/arena.h"
#include "foundation/base/buf.h"

/* Can a column of JSON hold the document, in whichever database? PostgreSQL's takes no \u0000, no
 * number of very many digits and no very long text. */
bool json_is_portable(Str json);
/* UTF-8 without a zero byte. */
bool text_is_portable(Str text);
/* Append {"@base64": "…"}, which stands for these bytes. */
MUST_USE Status json_put_base64(Buf *out, Str bytes, Err *err);
/* The text itself where it is portable; else a copy in which zero bytes, and what is not UTF-8, are
 * U+FFFD. FAIL: ERR_MEMORY. */
MUST_USE Status text_portable(Str text, Arena *arena, Str *ret_text, Err *err);

#endif
