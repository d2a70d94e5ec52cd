/* libmicrohttpd's callbacks. */
#ifndef NEURON_API_EXCHANGE_H
#define NEURON_API_EXCHANGE_H

#include <microhttpd.h>

#include "service/api/request.h"

enum MHD_Result exchange_request(void *arg, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *size, void **state);
void exchange_done(void *arg, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode why);
void exchange_connection(void *arg, struct MHD_Connection *connection, void **socket_state,
                         enum MHD_ConnectionNotificationCode what);

#endif
