/* Streams as a part of the daemon: each on a thread of its own, none in the way of another. */
#include "service/daemon/part_streams.h"

#include "foundation/base/mem.h"
#include "service/daemon/daemon_state.h"

/* One line where something changes, not one for each attempt. */
static void on_changed(void *arg, StreamState state, const Err *why)
{
    const StreamConfig *config = arg;
    LogField name = log_text("stream", config->name);
    if (why) {
        metrics_add(METRIC_ERRORS, 1, LABELS(STR("stream"), str_from(err_kind_name(why->kind))));
    }
    if (state == STREAM_RUNNING) LOG(LOG_INFO, "stream", "runs", name);
    else if (state == STREAM_STOPPED) LOG(LOG_INFO, "stream", "stopped", name);
    else if (state == STREAM_WAITING) {
        LOG_ERR(LOG_WARN, "stream", "something can't be reached; tried again until it is", why,
                name);
    } else if (state == STREAM_FAILED) {
        LOG_ERR(LOG_ERROR, "stream", "failed; tried again later", why, name);
    } else if (state == STREAM_HELD) {
        bool breaker = why && why->kind == ERR_LIMIT;
        LOG_ERR(LOG_ERROR, "stream",
                breaker ? "held by its breaker until it is resumed"
                        : "held: what it must write is not taken; tried again until it is",
                why, name);
    }
}

Status streams_new(Daemon *d, Err *err)
{
    int32_t count = d->config->stream_count;
    d->streams.items = mem_array(count + 1, (int64_t)sizeof *d->streams.items);
    if (!d->streams.items) return err_memory(err);
    for (int32_t i = 0; i < count; i++) {
        StreamConfig *config = &d->config->streams[i];
        StreamOptionsRun options = {.config = config,
                                    .env = {.budget = &d->budget,
                                            .stop_us = d->config->options.drain_us * 2 / 3,
                                            .changed = on_changed,
                                            .changed_arg = config}};
        TRY(stream_new(&options, &d->streams.items[d->streams.count], err));
        d->streams.count++;
    }
    return OK;
}

Status streams_start(Daemon *d, Err *err)
{
    for (int32_t i = 0; i < d->streams.count; i++) TRY(stream_start(d->streams.items[i], err));
    return OK;
}

void streams_drain(Daemon *d)
{
    for (int32_t i = 0; i < d->streams.count; i++) stream_stop(d->streams.items[i]);
}

void streams_free(Daemon *d)
{
    streams_drain(d);
    streams_metrics_forget(&d->streams);
    for (int32_t i = 0; i < d->streams.count; i++) stream_free(d->streams.items[i]);
    d->streams.count = 0;
    mem_free(d->streams.items);
    d->streams.items = NULL;
}

void streams_clock_set(Daemon *d, int64_t step_us)
{
    int64_t now_us = clock_now_us();
    for (int32_t i = 0; i < d->streams.count; i++) {
        _Atomic int64_t *since_us = &stream_stats(d->streams.items[i])->trouble_since_us;
        int64_t was_us = atomic_load(since_us);
        /* Trouble that begins or ends just now knows the new clock already. */
        (void)atomic_compare_exchange_strong(since_us, &was_us,
                                             clock_moment_move(was_us, step_us, now_us));
    }
}

Stream *stream_find(Daemon *d, Str name)
{
    for (int32_t i = 0; i < d->streams.count; i++) {
        if (str_eq(stream_config(d->streams.items[i])->name, name)) return d->streams.items[i];
    }
    return NULL;
}
