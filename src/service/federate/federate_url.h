/* The address of a core in one spelling. */
#ifndef NEURON_FEDERATE_URL_H
#define NEURON_FEDERATE_URL_H

#include "foundation/base/buf.h"

enum { FEDERATE_URL_MAX = 4096 };

/* Append the address in the one spelling that all of its spellings share: scheme and host in lower
 * case, no default port, no slash at the end, no query or fragment. `bare` leaves user and password
 * out: the form by which tokens are kept and which people are shown; without it: the form that is
 * called. FAIL: ERR_CONFIG for what is no address of http or https, ERR_LIMIT past `out`. */
MUST_USE Status federate_url(Str url, bool bare, Buf *out, Err *err);
/* Both are addresses, and the same one. */
bool federate_url_same(Str a, Str b);

#endif
