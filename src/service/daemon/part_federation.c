/* The federation as a part of the daemon, and as a part of its health. */
#include "service/daemon/part_federation.h"

#include <stdio.h>
#include <unistd.h>

#include "service/api/api.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/part_health.h"
#include "service/federate/federate.h"

enum { HOST_MAX = 255 };

/* Where others would reach the HTTP API: what it listens on, or the host where that is any. */
static Status base_url(const Daemon *d, Str *ret_url, Err *err)
{
    char name[HOST_MAX + 1] = "";
    Str listen = d->config->options.http.listen, host = listen;
    while (host.len && host.ptr[host.len - 1] != ':') host.len--;
    if (host.len) host.len--;
    bool any = !host.len || str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("[::]")) ||
               str_eq(host, STR("*"));
    if (any && gethostname(name, HOST_MAX) == 0) host = str_from(name);
    return arena_printf(&d->config->arena, ret_url, err, "http://%.*s:%d", STR_ARG(host),
                        (int)api_port(d->api));
}

Status part_federation_start(Daemon *d, Err *err)
{
    const ConfigurationOptions *o = &d->config->options;
    if (o->federation.url.len == 0) return OK;
    pthread_mutex_lock(&d->lock);
    int64_t heartbeat_us =
        d->beside.heartbeat_us ? d->beside.heartbeat_us : o->federation.heartbeat_us;
    pthread_mutex_unlock(&d->lock);
    FederateOptions options = {.url = o->federation.url,
                               .former_url = o->federation.former_url,
                               .id = d->self.identity,
                               .name = o->neuron.name,
                               .type = o->neuron.type,
                               .heartbeat_us = heartbeat_us,
                               .outbox = o->federation.outbox,
                               .memory_bytes = o->memory_bytes,
                               .memory_limit = o->alerts.thresholds.memory,
                               .disk_limit = o->alerts.thresholds.disk,
                               .store = d->store,
                               .control = &d->control};
    struct Federate *federate = NULL;
    TRY(base_url(d, &options.base_url, err));
    TRY(federate_start(&options, &federate, err));
    atomic_store(&d->beside.federate, federate);
    return OK;
}

/* It is asked of its health until it has said goodbye. */
void part_federation_stop(Daemon *d)
{
    federate_stop(atomic_load(&d->beside.federate));
    atomic_store(&d->beside.federate, NULL);
}

bool federation_health(Daemon *d, bool detail, JsonWriter *w)
{
    struct Federate *federate = atomic_load(&d->beside.federate);
    FederateState state = {.membership = "unregistered"};
    if (d->config->options.federation.url.len == 0) return true;
    if (federate) {
        federate_state(federate, &state);
    } else if (atomic_load(&d->life.ready)) {
        state.since_us = d->life.started_us;
        state.kind = ERR_INTERNAL;
        (void)snprintf(state.trouble, sizeof state.trouble, "it did not start; the log says why");
    }
    bool good = state.since_us == 0;
    PartHealth part = {.status = good ? STR("healthy") : STR("degraded"),
                       .error = str_from(state.trouble),
                       .kind = state.kind,
                       .since_us = state.since_us};
    json_key(w, "federation");
    json_object_begin(w);
    part_health_write(&part, detail, w);
    if (detail) json_key(w, "membership");
    if (detail) json_write_text(w, str_from(state.membership));
    json_object_end(w);
    return good;
}
