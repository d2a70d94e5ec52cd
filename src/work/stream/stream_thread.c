/* A stream on a thread of its own: paused, resumed, tried again, stopped. */
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/thread.h"
#include "work/stream/stream.h"

#define AGAIN_MIN_NS INT64_C(30000000000)
#define AGAIN_MAX_NS INT64_C(300000000000)

struct Stream {
    StreamOptionsRun options;
    StreamStats stats;
    Thread thread;
    _Atomic bool stop; /* of the run that goes on */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool paused, ending; /* under mutex */
    bool let_go;         /* resumed since it was held; under mutex */
    bool again;          /* resumed since it failed; under mutex */
};

Status stream_new(const StreamOptionsRun *options, Stream **ret_stream, Err *err)
{
    Stream *stream = mem_zalloc((int64_t)sizeof *stream);
    if (!stream) return err_memory(err);
    stream->options = *options;
    stream->options.env.stop = &stream->stop;
    stream->options.env.drain = false;
    stream->options.env.patience_us = -1;
    stream->paused = options->paused;
    pthread_mutex_init(&stream->mutex, NULL);
    thread_cond_init(&stream->cond);
    if (stream_stats_init(&stream->stats, options->config, err) != OK) {
        stream_free(stream);
        return FAIL;
    }
    if (stream->paused) atomic_store(&stream->stats.state, STREAM_PAUSED);
    *ret_stream = stream;
    return OK;
}

/* Wait for a run to begin; false: it is to end. `until_ns`: until then at most (INT64_MAX: until it
 * is resumed). */
static bool wait_turn(Stream *stream, int64_t until_ns)
{
    pthread_mutex_lock(&stream->mutex);
    while (!stream->ending) {
        bool paused = stream->paused;
        if (paused) atomic_store(&stream->stats.state, STREAM_PAUSED);
        if (!paused && (stream->again || clock_mono_ns() >= until_ns)) break;
        bool for_ever = paused || until_ns == INT64_MAX;
        (void)thread_cond_wait(&stream->cond, &stream->mutex, for_ever ? -1 : until_ns);
    }
    bool go_on = !stream->ending;
    stream->options.env.breaker_off = stream->let_go;
    stream->let_go = stream->again = false;
    if (go_on) atomic_store(&stream->stop, false);
    pthread_mutex_unlock(&stream->mutex);
    return go_on;
}

static bool was_paused(Stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    bool paused = stream->paused || stream->again;
    pthread_mutex_unlock(&stream->mutex);
    return paused;
}

static void stream_thread(void *arg)
{
    Stream *stream = arg;
    int64_t until_ns = 0, wait_ns = AGAIN_MIN_NS;
    while (wait_turn(stream, until_ns)) {
        Err err = {0};
        int64_t cycles = atomic_load(&stream->stats.cycles.done);
        Status status =
            stream_run(stream->options.config, &stream->options.env, &stream->stats, &err);
        if (atomic_load(&stream->stats.cycles.done) > cycles) wait_ns = AGAIN_MIN_NS;
        if (status == OK) {
            /* The end of a file, or a pause. */
            until_ns = was_paused(stream) ? 0 : INT64_MAX;
            continue;
        }
        atomic_fetch_add(&stream->stats.restarts, 1);
        bool held = err.kind == ERR_LIMIT;
        until_ns = held ? INT64_MAX : clock_mono_ns() + wait_ns;
        wait_ns = int64_min(wait_ns * 2, AGAIN_MAX_NS);
    }
    atomic_store(&stream->stats.state, STREAM_STOPPED);
}

Status stream_start(Stream *stream, Err *err)
{
    return thread_start(&stream->thread, "stream", stream_thread, stream, err);
}

void stream_pause(Stream *stream, bool pause)
{
    pthread_mutex_lock(&stream->mutex);
    bool held = atomic_load(&stream->stats.state) == STREAM_HELD;
    if (held && !pause) stream->let_go = true;
    if (!pause) stream->again = true;
    if (pause) atomic_store(&stream->stop, true);
    stream->paused = pause;
    pthread_cond_broadcast(&stream->cond);
    pthread_mutex_unlock(&stream->mutex);
}

bool stream_is_paused(Stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    bool paused = stream->paused;
    pthread_mutex_unlock(&stream->mutex);
    return paused;
}

void stream_stop(Stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    stream->ending = true;
    atomic_store(&stream->stop, true);
    pthread_cond_broadcast(&stream->cond);
    pthread_mutex_unlock(&stream->mutex);
}

void stream_free(Stream *stream)
{
    if (!stream) return;
    stream_stop(stream);
    thread_join(&stream->thread);
    stream_stats_done(&stream->stats);
    pthread_cond_destroy(&stream->cond);
    pthread_mutex_destroy(&stream->mutex);
    mem_free(stream);
}

StreamStats *stream_stats(Stream *stream)
{
    return &stream->stats;
}

const StreamConfig *stream_config(const Stream *stream)
{
    return stream->options.config;
}
