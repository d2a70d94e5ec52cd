/* Secrets of the process: what they are, and texts without them. Errors need it, so it knows none;
 * redact.h is the whole filter. */
#ifndef NEURON_SECRET_LIST_H
#define NEURON_SECRET_LIST_H

#include "foundation/base/str.h"

#define REDACT_MASK "***"
/* What is longer is a document, not a secret. */
enum { REDACT_SECRET_MAX = 8192 };

/* Of 1 to REDACT_SECRET_MAX bytes. Thread-safe. False: out of memory. */
bool secret_list_add(Str secret);
/* Replaces secrets in place; the text never gets longer. `cut`: the text was cut at its end, where
 * the beginning of a secret counts too. Returns the new length. */
int64_t redact_text(char *text, int64_t len, bool cut);

#endif
