/* What Control tells of streams: lists, health, metrics; pausing, sending. */
#include <stdio.h>

#include "foundation/base/mem.h"
#include "service/daemon/control_calls.h"
#include "service/daemon/daemon_state.h"
#include "service/daemon/part_health.h"
#include "work/reject/refused.h"

static StreamState state_of(StreamStats *stats)
{
    return (StreamState)atomic_load(&stats->state);
}

static void write_stream(Stream *stream, JsonWriter *w)
{
    const StreamConfig *config = stream_config(stream);
    StreamStats *stats = stream_stats(stream);
    json_object_begin(w);
    json_key_text_or_null(w, "name", config->name);
    json_key_text_or_null(w, "state", str_from(stream_state_name(state_of(stats))));
    json_key(w, "paused");
    json_write_bool(w, stream_is_paused(stream));
    json_key_time(w, "trouble_since", atomic_load(&stats->trouble_since_us));
    json_key_text_or_null(w, "from", config->from.text);
    json_key_text_or_null(w, "from_topic", config->topic);
    json_key_text_or_null(w, "to", config->to.text);
    json_key_text_or_null(w, "to_name", config->to_name);
    stream_stats_write(stats, w);
    json_object_end(w);
}

Status control_stream_list(void *arg, Buf *out, Err *err)
{
    Daemon *d = arg;
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "streams");
    json_array_begin(&w);
    for (int32_t i = 0; i < d->streams.count; i++) write_stream(d->streams.items[i], &w);
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

static Status find(Daemon *d, Str name, Stream **ret_stream, Err *err)
{
    const StreamConfig *config = NULL;
    *ret_stream = stream_find(d, name);
    if (*ret_stream) return OK;
    if (configuration_stream(d->config, name, &config, err) == OK) {
        return err_set(err, ERR_NOT_FOUND, "the stream %.*s does not run here", STR_ARG(name));
    }
    if (err) err->kind = ERR_NOT_FOUND;
    return FAIL;
}

Status control_stream_get(void *arg, Str name, Buf *out, Err *err)
{
    Stream *stream = NULL;
    TRY(find(arg, name, &stream, err));
    JsonWriter w = json_writer_make(out, err);
    write_stream(stream, &w);
    return json_writer_end(&w);
}

/* As the federation's update does it, so that it is kept over restarts. */
Status control_stream_pause(void *arg, Str name, bool pause, Buf *out, Err *err)
{
    Stream *stream = NULL;
    CLEANUP(buf_done) Buf update = buf_make(1 << 16);
    CLEANUP(buf_done) Buf ignored = buf_make(1 << 16);
    TRY(find(arg, name, &stream, err));
    JsonWriter w = json_writer_make(&update, err);
    json_object_begin(&w);
    json_key(&w, "paused");
    json_object_begin(&w);
    json_key_str(&w, name);
    json_write_bool(&w, pause);
    json_object_end(&w);
    json_object_end(&w);
    TRY(json_writer_end(&w));
    TRY(control_config_update(arg, buf_str(&update), &ignored, err));
    return control_stream_get(arg, name, out, err);
}

Status control_stream_send(void *arg, Str name, Str lines, const _Atomic bool *stop, Buf *out,
                           Err *err)
{
    Daemon *d = arg;
    Stream *stream = NULL;
    TRY(find(d, name, &stream, err));
    StreamEnv env = {.stop = stop};
    int64_t count = 0;
    TRY(stream_send(stream_config(stream), &env, lines, &count, err));
    return buf_printf(out, err, "{\"accepted\":%lld}", (long long)count);
}

/* ---- dead letters ---- */

enum { LETTERS_DEFAULT = 50, LETTERS_MAX = 1000 };

/* The last ones, each as JSON, in a ring. */
typedef struct LastLetters {
    Buf ring[LETTERS_MAX];
    int64_t limit, count;
} LastLetters;

static Status keep_letter(void *arg, const Refused *refused, Err *err)
{
    LastLetters *last = arg;
    Buf *slot = &last->ring[last->count++ % last->limit];
    if (slot->max == 0) *slot = buf_make(ANSWER_MAX);
    buf_clear(slot);
    JsonWriter w = json_writer_make(slot, err);
    json_object_begin(&w);
    refused_write(refused, &w);
    json_object_end(&w);
    return json_writer_end(&w);
}

static Status letters_write(const LastLetters *last, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "dead_letters");
    json_array_begin(&w);
    for (int64_t i = last->count - 1; i >= 0 && i >= last->count - last->limit; i--) {
        json_write_raw(&w, buf_str(&last->ring[i % last->limit]));
    }
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

Status control_stream_letters(void *arg, Str name, int64_t limit, const _Atomic bool *stop,
                              Buf *out, Err *err)
{
    Daemon *d = arg;
    Stream *stream = NULL;
    RefusedPlace place;
    TRY(find(d, name, &stream, err));
    if (!refused_place_stream(stream_config(stream), &place)) {
        return err_set(err, ERR_NOT_FOUND, "%.*s keeps no dead letters", STR_ARG(name));
    }
    LastLetters *last = mem_zalloc((int64_t)sizeof *last);
    if (!last) return err_memory(err);
    last->limit = limit > 0 ? int64_min(limit, LETTERS_MAX) : LETTERS_DEFAULT;
    RefusedEnv env = {.registry = d->options->registry,
                      .budget = &d->budget,
                      .stop = stop,
                      .tail = last->limit * 4 + 100}; /* marks of transactions count too */
    Status status = refused_read(&place, &env, keep_letter, last, err);
    if (status == OK) status = letters_write(last, out, err);
    for (int64_t i = 0; i < last->limit; i++) buf_done(&last->ring[i]);
    mem_free(last);
    return status;
}

/* ---- health ---- */

/* Where something is wrong: what; empty: nothing. */
static Str trouble_of(StreamStats *stats, char text[ERR_MESSAGE_MAX], ErrKind *ret_kind)
{
    StreamState state = state_of(stats);
    *ret_kind = ERR_INTERNAL;
    if (atomic_load(&stats->ledger.gap) != 0) return STR("messages are missing from the ledger");
    if (state != STREAM_WAITING && state != STREAM_FAILED && state != STREAM_HELD) return STR("");
    pthread_mutex_lock(&stats->mutex);
    str_to_array(text, ERR_MESSAGE_MAX, str_from(stats->error.message));
    *ret_kind = stats->error.kind;
    pthread_mutex_unlock(&stats->mutex);
    return text[0] ? str_from(text) : str_from(stream_state_name(state));
}

Health streams_health(Daemon *d, bool detail, JsonWriter *w)
{
    Health health = HEALTH_HEALTHY;
    for (int32_t i = 0; i < d->streams.count; i++) {
        char text[ERR_MESSAGE_MAX], key[256];
        StreamStats *stats = stream_stats(d->streams.items[i]);
        Str name = stream_config(d->streams.items[i])->name;
        PartHealth part = {.since_us = atomic_load(&stats->trouble_since_us)};
        part.error = trouble_of(stats, text, &part.kind);
        part.status = part.error.len ? STR("unhealthy") : STR("healthy");
        (void)snprintf(key, sizeof key, "stream:%.*s", (int)int64_min(name.len, 200), name.ptr);
        json_key(w, key);
        json_object_begin(w);
        part_health_write(&part, detail, w);
        if (detail) json_key_text_or_null(w, "state", str_from(stream_state_name(state_of(stats))));
        json_object_end(w);
        if (part.error.len) health = HEALTH_DEGRADED;
    }
    return health;
}
