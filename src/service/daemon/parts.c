/* The table of parts: one line each. */
#include "service/daemon/parts.h"

#include "service/daemon/control_calls.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/part_alert.h"
#include "service/daemon/part_federation.h"
#include "service/daemon/part_http.h"
#include "service/daemon/part_upkeep.h"
#include "service/daemon/signals.h"
#include "service/daemon/ticks.h"

static Status store_open(Daemon *d, Err *err)
{
    return state_store_open(d->config->options.state, &d->store, err);
}

static void store_close(Daemon *d)
{
    state_store_close(TAKE(d->store));
}

static Status watch_start(Daemon *d, Err *err)
{
    return store_watch_start(&d->store_watch, d->store, err);
}

static void watch_stop(Daemon *d)
{
    store_watch_stop(&d->store_watch);
}

static Status connections_start(Daemon *d, Err *err)
{
    return links_make(&d->links, d->config, err);
}

static void connections_stop(Daemon *d)
{
    links_done(&d->links);
}

static Status notes_start(Daemon *d, Err *err UNUSED)
{
    check_notes_init(&d->notes);
    return OK;
}

static void notes_stop(Daemon *d)
{
    check_notes_done(&d->notes);
}

static Status changes_start(Daemon *d, Err *err UNUSED)
{
    config_update_restore(d);
    return OK;
}

static Status ticks_start(Daemon *d, Err *err UNUSED)
{
    ticks_begin(d);
    return OK;
}

/* No request comes in before what it may ask for is there, and none goes on when the first part
 * stops. */
static const DaemonPart PARTS[] = {
    {.name = "signals", .start = signals_open, .stop = signals_close},
    {.name = "http", .start = http_listen},
    {.name = "store", .start = store_open, .stop = store_close},
    {.name = "store-watch", .start = watch_start, .stop = watch_stop},
    {.name = "identity", .start = replica_begin},
    {.name = "connections", .start = connections_start, .stop = connections_stop},
    {.name = "checks", .start = notes_start, .stop = notes_stop},
    {.name = "jobs", .start = jobs_make, .stop = jobs_done},
    {.name = "stream-table", .start = streams_new, .stop = streams_free},
    {.name = "control", .start = http_serve, .settle = http_settle},
    {.name = "changes", .start = changes_start},
    {.name = "ticks", .start = ticks_start, .stop = tickets_done},
    {.name = "workers", .start = workers_start, .settle = workers_settle, .stop = workers_done},
    {.name = "replica", .beside = true, .start = part_replica_start, .stop = part_replica_stop},
    {.name = "federation",
     .beside = true,
     .start = part_federation_start,
     .stop = part_federation_stop},
    {.name = "streams",
     .beside = true,
     .start = streams_start,
     .drain = streams_drain,
     .stop = streams_free},
    {.name = "upkeep", .beside = true, .start = part_upkeep_start, .stop = part_upkeep_stop},
    {.name = "alerts", .beside = true, .start = part_alert_start, .stop = part_alert_stop},
};

Status parts_start(Daemon *d, int32_t *ret_started, Err *err)
{
    *ret_started = 0;
    for (int32_t i = 0; i < COUNT_OF(PARTS); i++) {
        const DaemonPart *part = &PARTS[i];
        Err why = {0};
        *ret_started = i + 1;
        if (part->start(d, part->beside ? &why : err) == OK) continue;
        if (!part->beside) return FAIL;
        metrics_add(METRIC_ERRORS, 1,
                    LABELS(str_from(part->name), str_from(err_kind_name(why.kind))));
        LOG_ERR(LOG_ERROR, "daemon", "a part did not start; the others go on", &why,
                log_text("part", str_from(part->name)));
    }
    return OK;
}

bool parts_settle(Daemon *d, int32_t started)
{
    for (int32_t i = started - 1; i >= 0; i--) {
        if (PARTS[i].drain) PARTS[i].drain(d);
    }
    for (int32_t i = started - 1; i >= 0; i--) {
        if (PARTS[i].settle && !PARTS[i].settle(d)) return false;
    }
    return true;
}

void parts_stop(Daemon *d, int32_t started)
{
    for (int32_t i = started - 1; i >= 0; i--) {
        if (PARTS[i].stop) PARTS[i].stop(d);
    }
}
