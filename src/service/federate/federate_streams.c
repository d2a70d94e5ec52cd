/* The numbers of all streams in sum. */
#include "service/federate/federate_streams.h"

#include "service/federate/federate_body.h"

static int64_t whole(const JsonValue *stream, const char *key)
{
    int64_t value = 0;
    (void)json_int64(json_member(stream, str_from(key)), &value);
    return int64_max(value, 0);
}

static double real(const JsonValue *stream, const char *key)
{
    double value = 0;
    (void)json_double(json_member(stream, str_from(key)), &value);
    return value;
}

static void add(StreamSums *sums, const JsonValue *stream)
{
    int64_t processed = whole(stream, "messages_processed");
    sums->processed += processed;
    sums->failed += whole(stream, "messages_failed");
    sums->consumed += whole(stream, "consumed");
    sums->lost += whole(stream, "dead_lettered");
    sums->per_second += real(stream, "throughput_per_second");
    /* For now the time of all; divided below. */
    sums->average_seconds += real(stream, "average_processing_time") * (double)processed;
}

Status federate_streams(const Control *control, StreamSums *ret_sums,
                        void (*each)(void *arg, const JsonValue *stream), void *arg, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    JsonValue *root = NULL;
    *ret_sums = (StreamSums){0};
    Status status = control->streams.list(control->arg, &out, err);
    if (status == OK) status = json_parse(buf_str(&out), &arena, &root, err);
    const JsonValue *list = status == OK ? json_member(root, STR("streams")) : NULL;
    for (const JsonValue *at = list ? list->first : NULL; at; at = at->next) {
        add(ret_sums, at);
        if (each) each(arg, at);
    }
    if (ret_sums->processed) ret_sums->average_seconds /= (double)ret_sums->processed;
    arena_done(&arena);
    return status;
}
