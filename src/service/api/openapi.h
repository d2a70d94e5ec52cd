/* openapi.json. */
#ifndef NEURON_API_OPENAPI_H
#define NEURON_API_OPENAPI_H

#include "service/api/routes.h"

/* The description of these routes. */
MUST_USE Status openapi_write(const Route *routes, int32_t count, Buf *out, Err *err);

#endif
