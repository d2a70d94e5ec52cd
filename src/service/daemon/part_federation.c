/* The federation as a part of the daemon. */
#include "service/daemon/daemon_impl.h"
#include "service/federate/federate.h"

Status part_federation_start(Daemon *d, Err *err)
{
    const ConfigurationOptions *o = &d->config->options;
    if (o->federation.url.len == 0) return OK;
    pthread_mutex_lock(&d->lock);
    int64_t heartbeat_us = d->heartbeat_us ? d->heartbeat_us : o->federation.heartbeat_us;
    pthread_mutex_unlock(&d->lock);
    FederateOptions options = {.url = o->federation.url,
                               .id = d->identity,
                               .name = o->neuron.name,
                               .type = o->neuron.type,
                               .heartbeat_us = heartbeat_us,
                               .store = d->store,
                               .control = &d->control};
    return federate_start(&options, &d->federate, err);
}

void part_federation_stop(Daemon *d)
{
    federate_stop(d->federate);
    d->federate = NULL;
}
