/* What Control tells of the whole: status, health, configuration; reload, updates, the end. */
#include "service/daemon/control_calls.h"
#include "service/daemon/daemon_config.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/machine_gauges.h"
#include "service/daemon/part_federation.h"
#include "service/daemon/part_health.h"

/* ---- health ---- */

static void write_store(const StoreHealth *store, bool detail, JsonWriter *w)
{
    PartHealth part = {.status = store->ok ? STR("healthy") : STR("unhealthy"),
                       .kind = store->kind};
    if (!store->ok) part.error = store->error[0] ? str_from(store->error) : STR("not reachable");
    json_key(w, "state");
    json_object_begin(w);
    part_health_write(&part, detail, w);
    json_object_end(w);
}

/* False: the job is failing. */
static bool write_job(const Job *job, bool detail, JsonWriter *w)
{
    bool good = job->last.failing_since_us == 0;
    PartHealth part = {.status = good ? STR("healthy") : STR("unhealthy"),
                       .kind = job->last.kind,
                       .since_us = job->last.failing_since_us};
    if (!good) part.error = job->last.error[0] ? str_from(job->last.error) : STR("it fails");
    json_key_str(w, job->tick_name);
    json_object_begin(w);
    part_health_write(&part, detail, w);
    json_object_end(w);
    return good;
}

/* Writes the object's value; returns the worst of all. */
static Health write_dependencies(Daemon *d, bool detail, JsonWriter *w)
{
    StoreHealth store;
    bool jobs = true;
    store_health(&d->store_watch, &store);
    json_object_begin(w);
    write_store(&store, detail, w);
    pthread_mutex_lock(&d->lock);
    jobs = workers_health(d, detail, w);
    for (int32_t i = 0; i < d->table.job_count; i++)
        jobs = write_job(&d->table.jobs[i], detail, w) && jobs;
    pthread_mutex_unlock(&d->lock);
    jobs = streams_health(d, detail, w) == HEALTH_HEALTHY && jobs;
    jobs = links_write(&d->links, &d->streams, detail, w) && jobs;
    jobs = federation_health(d, detail, w) && jobs;
    json_object_end(w);
    /* While it starts or drains its parts are as they are; /readyz and `draining` say the rest. */
    if (!store.ok) return HEALTH_UNHEALTHY;
    return jobs ? HEALTH_HEALTHY : HEALTH_DEGRADED;
}

static void write_head(Daemon *d, JsonWriter *w)
{
    const NeuronOptions *o = &d->config->options.neuron;
    json_key_text_or_null(w, "id", d->self.identity);
    json_key_text_or_null(w, "name", o->name);
    json_key_text_or_null(w, "type", o->type);
    json_key_text_or_null(w, "version", STR(NEURON_VERSION));
    json_key_time(w, "started_at", d->life.started_us);
    double uptime = (double)(clock_mono_ns() - d->life.started_ns) / 1e9;
    json_key(w, "uptime");
    json_write_double(w, uptime);
    json_key(w, "uptime_seconds");
    json_write_double(w, uptime);
    json_key(w, "draining");
    json_write_bool(w, atomic_load(&d->life.draining));
}

Status control_health(void *arg, bool detail, Health *ret_health, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "dependencies");
    Health health = write_dependencies(arg, detail, &w);
    json_key_text_or_null(&w, "status", str_from(health_name(health)));
    if (detail) write_head(arg, &w);
    json_object_end(&w);
    TRY(json_writer_end(&w));
    *ret_health = health;
    return OK;
}

bool control_ready(void *arg)
{
    Daemon *d = arg;
    return atomic_load(&d->life.ready);
}

/* ---- status, metrics, configuration ---- */

/* A part's list under its key: what `list` answers, without its outer object. */
static Status write_part(JsonWriter *w, const char *key,
                         Status (*list)(void *arg, Buf *out, Err *err), void *arg, Err *err)
{
    CLEANUP(buf_done) Buf part = buf_make(ANSWER_MAX);
    if (!list) return OK;
    TRY(list(arg, &part, err));
    /* {"streams":[…]}: from the first bracket to the last. */
    Str text = buf_str(&part);
    int64_t from = str_find_char(text, '[');
    if (from < 0) return OK;
    json_key(w, key);
    json_write_raw(w, str_slice(text, from, text.len - 1));
    return OK;
}

Status control_status(void *arg, Buf *out, Err *err)
{
    Daemon *d = arg;
    const Control *c = &d->control;
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    write_head(d, &w);
    json_key(&w, "dependencies");
    Health health = write_dependencies(d, true, &w);
    json_key_text_or_null(&w, "health", str_from(health_name(health)));
    json_key(&w, "token");
    json_write_bool(&w, d->config->options.http.token.len > 0);
    json_key(&w, "pipelines");
    control_pipelines_write(d, &w);
    TRY(write_part(&w, "streams", c->streams.list, c->arg, err));
    TRY(write_part(&w, "quality", c->quality.list, c->arg, err));
    TRY(write_part(&w, "alerts", c->alerts.list, c->arg, err));
    json_object_end(&w);
    return json_writer_end(&w);
}

Status control_metrics(void *arg, bool openmetrics, Buf *out, Err *err)
{
    Daemon *d = arg;
    StoreHealth store; /* looks how much waits for the federation, too */
    store_health(&d->store_watch, &store);
    streams_metrics(&d->streams);
    workers_metrics(d);
    machine_gauges_read(d->config->options.state);
    metrics_set(METRIC_BUDGET_USED, (double)budget_used(&d->budget), NO_LABELS);
    return metrics_write(openmetrics, out, err);
}

static void write_connections(const Daemon *d, JsonWriter *w)
{
    const Configuration *c = d->config;
    Arena arena = arena_make(1 << 20);
    json_object_begin(w);
    for (int32_t i = 0; i < c->connection_count; i++) {
        const ConnectionOptions *o = &c->connections[i];
        Location location = {0};
        bool good = location_parse(d->config->registry, o->url, &arena, &location, NULL) == OK;
        json_key_str(w, o->head.name);
        json_write_text(w, good ? location.text : STR("***"));
    }
    json_object_end(w);
    arena_done(&arena);
}

Status control_config(void *arg, Buf *out, Err *err)
{
    Daemon *d = arg;
    const ConfigurationOptions *o = &d->config->options;
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key_text_or_null(&w, "file", d->config->path);
    json_key_text_or_null(&w, "id", d->self.identity);
    json_key_text_or_null(&w, "state", state_url_is_file(o->state) ? o->state : STR("***"));
    json_key(&w, "memory_bytes");
    json_write_int64(&w, o->memory_bytes);
    json_key(&w, "drain_seconds");
    json_write_double(&w, (double)o->drain_us / 1e6);
    json_key_text_or_null(&w, "listen", o->http.listen);
    json_key_text_or_null(&w, "token", o->http.token.len ? STR("***") : STR_NULL);
    json_key_text_or_null(&w, "log_level", str_from(log_level_name(log_level())));
    json_key(&w, "federation");
    json_write_bool(&w, o->federation.url.len > 0);
    json_key(&w, "connections");
    write_connections(d, &w);
    json_key(&w, "pipelines");
    control_pipelines_write(d, &w);
    json_object_end(&w);
    return json_writer_end(&w);
}

/* ---- changes ---- */

Status control_reload(void *arg, Buf *out, Err *err)
{
    Daemon *d = arg;
    Configuration c;
    Status status = daemon_config_load(d->options, &c, err);
    configuration_done(&c);
    if (status != OK) return status;
    LOG(LOG_INFO, "control", "reload: the configuration is good and will be applied");
    life_end(&d->life, END_RELOAD);
    return buf_append(out, STR("{\"status\":\"reloading\"}"), err);
}

Status control_stop(void *arg, Str who, Err *err UNUSED)
{
    Daemon *d = arg;
    LOG(LOG_INFO, "control", "stop asked for", log_text("by", who));
    life_end(&d->life, END_STOP);
    return OK;
}

Status control_restart(void *arg, Str who, Err *err UNUSED)
{
    Daemon *d = arg;
    LOG(LOG_INFO, "control", "restart asked for", log_text("by", who));
    life_end(&d->life, END_RESTART);
    return OK;
}
