/* Registration, and the token. */
#ifndef NEURON_FEDERATE_REGISTER_H
#define NEURON_FEDERATE_REGISTER_H

#include "foundation/base/err.h"

typedef struct Federate Federate;

/* The token of this id and address, taken over from another spelling or the former address. */
MUST_USE Status federate_load_token(Federate *f, Err *err);
void federate_register(Federate *f);

#endif
