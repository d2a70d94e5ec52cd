/* The federation as a part of the daemon. */
#include "service/daemon/daemon_impl.h"
#include "service/federate/federate.h"

Status part_federation_start(Daemon *d, Err *err)
{
    const ConfigurationOptions *o = &d->config->options;
    if (o->federation.url.len == 0) return OK;
    FederateOptions options = {.url = o->federation.url,
                               .id = o->neuron.id,
                               .name = o->neuron.name,
                               .type = o->neuron.type,
                               .heartbeat_us = o->federation.heartbeat_us,
                               .store = d->store,
                               .control = &d->control};
    return federate_start(&options, &d->federate, err);
}

void part_federation_stop(Daemon *d)
{
    federate_stop(d->federate);
    d->federate = NULL;
}
