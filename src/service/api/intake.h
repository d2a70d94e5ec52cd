/* The intake: accepts connections, reads first heads, keeps deadlines. */
#ifndef NEURON_API_INTAKE_H
#define NEURON_API_INTAKE_H

#include "service/api/api.h"
#include "service/api/slots.h"

/* From api->intake.listen_fd, which is the intake's from now on. */
MUST_USE Status intake_start(Api *api, Err *err);
/* No new connections; deadlines go on being kept. */
void intake_close(Api *api);
void intake_stop(Api *api);
/* Of a connection that libmicrohttpd closes: free, or lingering. */
void intake_closed(Api *api, Slot *slot);

#endif
