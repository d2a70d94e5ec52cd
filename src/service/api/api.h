/* The HTTP API and status page of a running neuron. */
#ifndef NEURON_API_H
#define NEURON_API_H

#include "foundation/base/budget.h"
#include "service/control/control.h"

typedef struct Api Api;

/* Texts are copied; `control` and `memory` outlive the API or its detachment. */
typedef struct ApiOptions {
    Str listen; /* address:port; [v6]:port; port 0: any free one */
    Str token;  /* empty: none */
    bool metrics_public;
    const Control *control; /* NULL: not yet, see api_attach */
    Budget *memory;         /* long bodies of requests count here; may be NULL */
} ApiOptions;

/* Takes the port and serves, on threads of its own; without a Control as after api_detach.
 * ERR_CONFIG for an address that is none or can't be had, ERR_CONNECT for one that another process
 * has; nothing is started then. */
MUST_USE Status api_start(const ApiOptions *options, Api **ret_api, Err *err);
/* The next life of the same neuron at the same address: until api_attach everything but /livez is
 * answered with 503. What is being done for requests is cancelled; when api_detach returns true no
 * call of Control goes on. False: one has not ended after 25 s, so what it uses must stay. */
MUST_USE bool api_detach(Api *api);
MUST_USE Status api_attach(Api *api, const ApiOptions *options, Err *err);
/* True when it listens where `listen` says. */
bool api_listens(const Api *api, Str listen);
/* Stops listening, lets requests end. After api_detach, where there was a Control. */
void api_stop(Api *api);
DEFINE_FREE_P(Api, api_stop)
int32_t api_port(const Api *api);

#endif
