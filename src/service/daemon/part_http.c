/* The address and the control of the HTTP API. */
#include "service/daemon/part_http.h"

#include "service/api/api.h"
#include "service/daemon/control_calls.h"
#include "service/daemon/daemon_state.h"

static ApiOptions options_of(Daemon *d)
{
    const HttpOptions *o = &d->config->options.http;
    return (ApiOptions){.listen = o->listen,
                        .token = o->token,
                        .metrics_public = o->metrics_public,
                        .memory = &d->budget};
}

/* The port before the store: a neuron that can't have it has touched nothing yet, and one that
 * waits for its state store says that it lives. The same address goes on listening over a reload. A
 * new one that can't be had is no reason to end what runs: the old one stays. */
Status http_listen(Daemon *d, Err *err)
{
    ApiOptions options = options_of(d);
    Api *api = NULL;
    Err why = {0};
    if (!d->api) return api_start(&options, &d->api, err);
    if (api_listens(d->api, options.listen)) return OK;
    if (api_start(&options, &api, &why) == OK) {
        api_stop(d->api);
        d->api = api;
        return OK;
    }
    LOG_ERR(LOG_ERROR, "daemon", "the old address stays", &why);
    return OK;
}

Status http_serve(Daemon *d, Err *err)
{
    control_make(d, &d->control);
    ApiOptions options = options_of(d);
    options.control = &d->control;
    return api_attach(d->api, &options, err);
}

bool http_settle(Daemon *d)
{
    if (!d->api || api_detach(d->api)) return true;
    LOG(LOG_ERROR, "daemon", "the work for a request does not end; it is abandoned");
    return false;
}
