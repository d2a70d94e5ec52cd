/* neuron run: the whole neuron, until a signal. */
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "foundation/base/file.h"
#include "foundation/config/option.h"
#include "foundation/obs/log.h"
#include "service/daemon/daemon.h"

static const char *from_environment(void *arg UNUSED, const char *name)
{
    return getenv(name);
}

/* -c, $NEURON_CONFIG, ./neuron.yaml where there is one; else empty: the guide's neuron. */
static Str config_path(const Args *args)
{
    Str path = args_get(args, "config", str_from(getenv("NEURON_CONFIG")));
    if (path.len) return path;
    return file_exists(STR("./neuron.yaml")) ? STR("./neuron.yaml") : STR_NULL;
}

static Status log_begin(const Program *program, const Args *args, Err *err)
{
    LogLevel level = LOG_INFO;
    Str text = args_get(args, "log-level", str_from(getenv("NEURON_LOG_LEVEL")));
    if (text.len && !log_level_parse(text, &level)) {
        (void)err_set(err, ERR_USAGE, "NEURON_LOG_LEVEL can't be \"%.*s\"", STR_ARG(text));
        return err_hint(err, "error, warn, info or debug");
    }
    log_setup(level, program->log_json);
    return OK;
}

static Status run_run(Program *program, const Args *args, int *ret_exit, Err *err)
{
    static const SubstituteFrom FROM = {.environment = from_environment};
    DaemonOptions options = {
        .registry = program->registry, .config_path = config_path(args), .from = &FROM};
    Str span = args_get(args, "for", STR_NULL);
    TRY(log_begin(program, args, err));
    if (span.len && (!option_parse_duration(span, &options.for_us) || options.for_us <= 0)) {
        (void)err_set(err, ERR_USAGE, "--for needs a time, not \"%.*s\"", STR_ARG(span));
        return err_hint(err, "write it like 30s or 5m");
    }
    DaemonResult result;
    Status status = daemon_run(&options, &result, err);
    if (result.abandoned) _exit(result.exit);
    *ret_exit = result.exit;
    return status;
}

static const ArgOption OPTIONS[] = {
    {"for", 0, "TIME", "end by itself after so long (30s, 5m)", false},
};

const Command COMMAND_RUN = {
    .name = "run",
    .usage = "[options]",
    .summary = "Runs the whole neuron: schedules, streams, quality checks, HTTP API.",
    .example = "neuron run -c neuron.yaml",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .run = run_run,
};
