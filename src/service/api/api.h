/* The HTTP API and status page of a running neuron. */
#ifndef NEURON_API_H
#define NEURON_API_H

#include "service/control/control.h"

typedef struct Api Api;

/* Texts are borrowed and outlive the API. */
typedef struct ApiOptions {
    Str listen; /* address:port; [v6]:port; port 0: any free one */
    Str token;  /* empty: none */
    bool metrics_public;
    const Control *control;
} ApiOptions;

/* Listens and serves on one thread of its own. ERR_CONFIG for an address that is none, ERR_IO for
 * one that is taken. */
MUST_USE Status api_start(const ApiOptions *options, Api **ret_api, Err *err);
/* Stops listening, lets requests end. */
void api_stop(Api *api);
DEFINE_FREE_P(Api, api_stop)
int32_t api_port(const Api *api);

#endif
