/* Who may ask. */
#ifndef NEURON_API_ACCESS_H
#define NEURON_API_ACCESS_H

#include "service/api/request.h"

/* Who may not: fills the answer and returns false. Under api->lock. */
bool request_allowed(Request *request);

#endif
