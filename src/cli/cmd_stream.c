/* neuron stream: one stream of the configuration, in the foreground. */
#include "cli/command.h"
#include "foundation/obs/log.h"
#include "service/setup/configuration.h"

/* How long a system that can't be reached is waited for, unless --patience says. */
#define PATIENCE_US INT64_C(60000000)

static Status stream_print(const Program *program, const StreamConfig *stream, StreamStats *stats,
                           Err *err)
{
    progress_clear();
    CLEANUP(buf_done) Buf out = buf_make(1 << 24);
    TRY(stream_stats_json(stats, stream, &out, err));
    TRY(buf_append_char(&out, '\n', err));
    return output_write(program, buf_str(&out), err);
}

/* A person or a supervisor sees why nothing comes out. */
static void on_changed(void *arg, StreamState state, const Err *why)
{
    const StreamConfig *stream = arg;
    if (state != STREAM_WAITING && state != STREAM_HELD) return;
    LOG_ERR(LOG_WARN, "stream", state == STREAM_HELD ? "held" : "waiting", why,
            log_text("stream", stream->name));
}

static Status stream_env(Program *program, const Args *args, Budget *budget, StreamEnv *ret_env,
                         Err *err)
{
    *ret_env = (StreamEnv){
        .budget = budget,
        .drain = args_has(args, "drain"),
        .patience_us = PATIENCE_US,
        .stop = &program->cancelled,
        .changed = on_changed,
        .progress = program->json ? NULL : progress_show,
    };
    Str patience = args_get(args, "patience", STR_NULL);
    if (patience.len && !option_parse_duration(patience, &ret_env->patience_us)) {
        return err_set(err, ERR_USAGE, "--patience must be a duration like 30s or 5m, not \"%.*s\"",
                       STR_ARG(patience));
    }
    return OK;
}

static Status stream_configured(Program *program, const Args *args, const Configuration *c,
                                Err *err)
{
    const StreamConfig *stream = NULL;
    StreamEnv env;
    Budget budget;
    budget_init(&budget, "memory", NULL, c->options.memory_bytes);
    TRY(configuration_check(c, err));
    TRY(configuration_stream(c, args->positional[0], &stream, err));
    TRY(stream_env(program, args, &budget, &env, err));
    env.changed_arg = (void *)(uintptr_t)stream;
    env.stop_us = c->options.drain_us * 2 / 3;
    StreamStats stats;
    Status status = stream_stats_init(&stats, stream, err);
    if (status == OK) {
        status = stream_run(stream, &env, &stats, err);
        Err ignored = {0};
        /* Where outputs go to standard output, nothing else does. */
        bool data = str_eq(stream->to.path, STR("-"));
        Status printed =
            data ? OK : stream_print(program, stream, &stats, status == OK ? err : &ignored);
        if (status == OK) status = printed;
    }
    stream_stats_done(&stats);
    return status;
}

static Status stream_command_run(Program *program, const Args *args, int *ret_exit UNUSED, Err *err)
{
    Configuration c;
    Status status = configuration_open(program, args, &c, err);
    if (status == OK) status = stream_configured(program, args, &c, err);
    configuration_done(&c);
    return status;
}

static const ArgOption OPTIONS[] = {
    {"drain", 0, NULL, "end where the source's end was at the start", false},
    {"patience", 0, "DURATION",
     "how long to wait for a system that can't be reached or takes nothing (1m)", false},
};

const Command COMMAND_STREAM = {
    .name = "stream",
    .usage = "STREAM [options]",
    .summary = "Runs one stream in the foreground.",
    .example = "neuron stream data-events --drain",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .positional_min = 1,
    .positional_max = 1,
    .run = stream_command_run,
};
