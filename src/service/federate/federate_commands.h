/* Commands of the core, each on its way by itself. */
#ifndef NEURON_FEDERATE_COMMANDS_H
#define NEURON_FEDERATE_COMMANDS_H

#include "foundation/base/err.h"

typedef struct Federate Federate;
typedef struct Orders Orders;

MUST_USE Status federate_orders_load(Federate *f, Err *err);
void federate_orders_free(Orders *orders);
/* Fetch what is pending. */
void federate_poll(Federate *f);
/* Go on with what is open and due; when it is to be called again (monotonic; INT64_MAX: nothing is
 * open). */
int64_t federate_commands(Federate *f);
/* At the end: what is done is told, once. */
void federate_commands_last(Federate *f);

#endif
