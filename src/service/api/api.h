/* The HTTP API and status page of a running neuron. */
#ifndef NEURON_API_H
#define NEURON_API_H

#include "service/control/control.h"

typedef struct Api Api;

/* Texts are copied; `control` outlives the API or its detachment. */
typedef struct ApiOptions {
    Str listen; /* address:port; [v6]:port; port 0: any free one */
    Str token;  /* empty: none */
    bool metrics_public;
    const Control *control;
} ApiOptions;

/* Listens and serves on one thread of its own. ERR_CONFIG for an address that is none, ERR_IO for
 * one that is taken. */
MUST_USE Status api_start(const ApiOptions *options, Api **ret_api, Err *err);
/* The next life of the same neuron at the same address: until api_attach everything but /livez is
 * answered with 503; no call of Control goes on when api_detach returns. */
void api_detach(Api *api);
MUST_USE Status api_attach(Api *api, const ApiOptions *options, Err *err);
/* True when it listens where `listen` says. */
bool api_listens(const Api *api, Str listen);
/* Stops listening, lets requests end. */
void api_stop(Api *api);
DEFINE_FREE_P(Api, api_stop)
int32_t api_port(const Api *api);

#endif
