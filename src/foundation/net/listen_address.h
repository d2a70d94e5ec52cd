/* Addresses to listen on, as they are written: address:port, [v6]:port or :port. */
#ifndef NEURON_LISTEN_ADDRESS_H
#define NEURON_LISTEN_ADDRESS_H

#include "foundation/base/err.h"

/* Taken apart; nothing is looked up. `host` empty: every address of this machine. ERR_CONFIG. */
MUST_USE Status listen_address_parse(Str text, Str *ret_host, int32_t *ret_port, Err *err);
/* The error of that, for one that parses and can't be resolved. */
MUST_USE Status listen_address_wrong(Str text, Err *err);

#endif
