/* The token, the session that comes of it, and those who guess. */
#ifndef NEURON_API_SESSION_H
#define NEURON_API_SESSION_H

#include "service/api/request.h"

enum { SESSION_SIZE = 65 };

/* The token, or a session that was made with it; under api->lock. */
bool secret_opens(const Api *api, Str bearer, Str session);
/* Counts a wrong token, under api->lock; true when the address has guessed too often. */
bool request_guessed(Request *request);

/* The session that the token gives; under api->lock. */
MUST_USE Status session_of(const Api *api, char ret_session[SESSION_SIZE], Err *err);
/* Takes as long for a wrong secret as for the right one. */
bool secret_is(Str given, Str wanted);

#endif
