/* A stream's statistics: counted by its threads, read by anybody, shown as JSON. */
#include <stdio.h>

#include "foundation/base/mem.h"
#include "foundation/codec/json_writer.h"
#include "work/stream/stream.h"

Status stream_stats_init(StreamStats *stats, const StreamConfig *config, Err *err)
{
    *stats = (StreamStats){.lag_messages = -1, .lag_us = -1};
    pthread_mutex_init(&stats->mutex, NULL);
    stats->types = mem_array(config->routing.processor_count + 1, (int64_t)sizeof *stats->types);
    if (!stats->types) return err_memory(err);
    for (int32_t i = 0; i < config->routing.processor_count; i++) {
        Str type = config->routing.processors[i].type;
        char *copy = mem_strdup(type.ptr, type.len);
        if (!copy) return err_memory(err);
        stats->types[stats->type_count++].type = str_make(copy, type.len);
    }
    return OK;
}

void stream_stats_done(StreamStats *stats)
{
    for (int32_t i = 0; i < stats->type_count; i++)
        mem_free((void *)(uintptr_t)stats->types[i].type.ptr);
    mem_free(stats->types);
    pthread_mutex_destroy(&stats->mutex);
}

const char *stream_state_name(StreamState state)
{
    static const char *const NAMES[] = {"stopped", "starting", "running", "waiting",
                                        "failed",  "paused",   "held"};
    return NAMES[state];
}

/* -1 is not known. */
static void put_known(JsonWriter *w, const char *key, int64_t value, double unit)
{
    json_key(w, key);
    if (value < 0) json_write_null(w);
    else if (unit == 1) json_write_int64(w, value);
    else json_write_double(w, (double)value * unit);
}

static void put_types(JsonWriter *w, StreamStats *stats)
{
    json_key(w, "types");
    json_object_begin(w);
    for (int32_t i = 0; i < stats->type_count; i++) {
        StreamTypeStats *type = &stats->types[i];
        json_key_str(w, type->type);
        json_object_begin(w);
        json_key_int64(w, "messages", atomic_load(&type->messages));
        json_key_int64(w, "emitted", atomic_load(&type->emitted));
        json_key_int64(w, "filtered", atomic_load(&type->filtered));
        json_key_int64(w, "failed", atomic_load(&type->failed));
        json_object_end(w);
    }
    json_object_end(w);
}

static void put_error(JsonWriter *w, StreamStats *stats)
{
    pthread_mutex_lock(&stats->mutex);
    json_key(w, "error");
    if (!stats->error.message[0]) json_write_null(w);
    else {
        json_object_begin(w);
        json_key(w, "what");
        json_write_text(w, str_from(stats->error.message));
        json_key(w, "where");
        json_write_text(w, str_from(stats->error.where));
        json_key(w, "hint");
        json_write_text(w, str_from(stats->error.hint));
        json_object_end(w);
    }
    pthread_mutex_unlock(&stats->mutex);
}

static void put_guide(JsonWriter *w, StreamStats *stats)
{
    int64_t routed = atomic_load(&stats->pace.routed);
    double ns = (double)atomic_load(&stats->pace.route_ns);
    json_key_int64(w, "messages_processed", atomic_load(&stats->messages_processed));
    json_key_int64(w, "messages_failed", atomic_load(&stats->messages_failed));
    json_key(w, "average_processing_time");
    json_write_double(w, routed ? ns / 1e9 / (double)routed : 0);
    json_key(w, "throughput_per_second");
    json_write_double(w, (double)atomic_load(&stats->pace.per_second_milli) / 1000);
}

static void put_parts(JsonWriter *w, StreamStats *stats)
{
    json_key(w, "partitions");
    json_array_begin(w);
    pthread_mutex_lock(&stats->mutex);
    for (int32_t i = 0; i < stats->lag.part_count; i++) {
        const SourceLag *part = &stats->lag.parts[i];
        json_object_begin(w);
        json_key_int64(w, "partition", part->part);
        put_known(w, "lag_messages", part->messages, 1);
        put_known(w, "lag_seconds", part->us, 1e-6);
        json_object_end(w);
    }
    pthread_mutex_unlock(&stats->mutex);
    json_array_end(w);
}

void stream_stats_write(StreamStats *stats, JsonWriter *w)
{
    put_guide(w, stats);
    json_key_int64(w, "consumed", atomic_load(&stats->ledger.consumed));
    json_key_int64(w, "emitted", atomic_load(&stats->ledger.emitted));
    json_key_int64(w, "filtered", atomic_load(&stats->ledger.filtered));
    json_key_int64(w, "dead_lettered", atomic_load(&stats->ledger.dead_lettered));
    json_key_int64(w, "in_flight", atomic_load(&stats->in_flight));
    json_key_int64(w, "ledger_gap", atomic_load(&stats->ledger.gap));
    json_key_int64(w, "unknown", atomic_load(&stats->unknown));
    put_types(w, stats);
    put_known(w, "lag_messages", atomic_load(&stats->lag_messages), 1);
    put_known(w, "lag_seconds", atomic_load(&stats->lag_us), 1e-6);
    put_parts(w, stats);
    json_key_int64(w, "rebalances", atomic_load(&stats->rebalances));
    json_key_int64(w, "bytes", atomic_load(&stats->bytes));
    json_key_int64(w, "cycles", atomic_load(&stats->cycles.done));
    json_key_int64(w, "aborted_cycles", atomic_load(&stats->cycles.aborted));
    json_key_int64(w, "restarts", atomic_load(&stats->restarts));
    put_error(w, stats);
}

Status stream_stats_json(StreamStats *stats, const StreamConfig *config, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "stream");
    json_write_text(&w, config->name);
    json_key(&w, "status");
    json_write_text(&w, str_from(stream_state_name((StreamState)atomic_load(&stats->state))));
    stream_stats_write(stats, &w);
    json_object_end(&w);
    return json_writer_end(&w);
}
