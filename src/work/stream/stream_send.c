/* Lines of JSON as messages into the topic that a stream reads: for trying out, and for the API. */
#include "foundation/codec/json_walk.h"
#include "work/stream/stream_impl.h"

static Status collect(Str lines, MessageWriter *writer, int64_t *ret_count, Err *err)
{
    Str rest = lines, line;
    int64_t number = 0, count = 0;
    while (rest.len && str_next_part(&rest, '\n', &line)) {
        number++;
        line = str_trim(line);
        if (line.len == 0) continue;
        if (!json_validate(line, NULL)) {
            return err_set(err, ERR_USAGE, "line %lld is not valid JSON", (long long)number);
        }
        Message message = {.value = line};
        TRY(message_writer_add(writer, &message, err));
        count++;
    }
    *ret_count = count;
    return OK;
}

static Status write_all(Sink *sink, Batch *batch, Str topic, Err *err)
{
    int32_t port = 0;
    Position position;
    position_init(&position);
    SinkRun run = {.run_id = STR("send"), .extracted = batch->rows};
    SinkCounts counts = {0};
    CommitResult result = COMMIT_DONE;
    TRY(sink_open(sink, STR("send"), 0, err));
    TRY(sink_port(sink, PORT_OUT, topic, batch->schema, &port, err));
    TRY(sink_begin(sink, 0, err));
    TRY(sink_write(sink, port, batch, NULL, err));
    TRY(sink_apply(sink, NULL, &counts, err));
    TRY(sink_commit(sink, &position, &run, &result, err));
    return OK;
}

Status stream_send_batch(const StreamConfig *config, const StreamEnv *env, Batch *batch, Err *err)
{
    if (!config->from_messages) {
        (void)err_set(err, ERR_USAGE, "%.*s reads no topic, so nothing can be sent to it",
                      STR_ARG(config->name));
        return err_hint(err, "append lines to %.*s instead", STR_ARG(config->from.text));
    }
    Arena arena = arena_make(1 << 20);
    Location to = config->from;
    SinkReq req = {
        .location = &to, .table = config->topic, .at_least_once = true, .stop = env->stop};
    Sink *sink = NULL;
    Status status = location_set(&to, &arena, STR("delivery"), STR("at_least_once"), err);
    if (status == OK) status = connector_sink(&req, &sink, err);
    if (status == OK) status = write_all(sink, batch, config->topic, err);
    sink_close(sink);
    arena_done(&arena);
    return status;
}

Status stream_send(const StreamConfig *config, const StreamEnv *env, Str lines, int64_t *ret_count,
                   Err *err)
{
    MessageWriter writer;
    int64_t count = 0;
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    Status status = message_writer_init(&writer, NULL, err);
    if (status == OK) status = collect(lines, &writer, &count, err);
    if (status == OK) status = message_writer_take(&writer, &batch, err);
    message_writer_done(&writer);
    if (status == OK && (count > 0 || !config->from_messages)) {
        status = stream_send_batch(config, env, batch, err);
    }
    if (status == OK) *ret_count = count;
    return status;
}
