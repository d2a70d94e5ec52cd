/* Signing in. */
#ifndef NEURON_API_LOGIN_H
#define NEURON_API_LOGIN_H

#include "service/api/request.h"

MUST_USE Status login_page(Request *request, const char *message, Err *err);
MUST_USE Status login_post(Request *request, Err *err);
MUST_USE Status logout_post(Request *request, Err *err);

#endif
