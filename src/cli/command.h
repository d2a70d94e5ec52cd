/* Commands of the program: their options as tables, and what each gets. */
#ifndef NEURON_COMMAND_H
#define NEURON_COMMAND_H

#include <stdatomic.h>

#include "connect/connector.h"
#include "foundation/base/buf.h"

enum { ARG_POSITIONALS_MAX = 4, ARG_VALUES_MAX = 64 };

/* One option of a command. */
typedef struct ArgOption {
    const char *name;  /* without the dashes */
    char letter;       /* 0: none */
    const char *value; /* what stands after it ("FILE"); NULL: a switch */
    const char *help;
    bool repeats;
} ArgOption;

typedef struct ArgValue {
    const ArgOption *option;
    Str value;
} ArgValue;

struct Command;

/* What the command line said. Texts are argv's. */
typedef struct Args {
    const struct Command *command;
    Str positional[ARG_POSITIONALS_MAX];
    int32_t positional_count;
    ArgValue values[ARG_VALUES_MAX];
    int32_t value_count;
} Args;

bool args_has(const Args *args, const char *name);
/* The last value given, or `otherwise`. */
Str args_get(const Args *args, const char *name, Str otherwise);
/* A whole number >= 0; ERR_USAGE else. */
MUST_USE Status args_int64(const Args *args, const char *name, int64_t *ret_value, Err *err);

/* What every command works with. */
typedef struct Program {
    const Registry *registry;
    _Atomic bool cancelled; /* set by the first SIGINT or SIGTERM */
    _Atomic int signal;
    _Atomic bool passive; /* the command's */
    bool json;            /* --json: the result object alone on standard output */
    bool color;           /* a terminal, and no NO_COLOR */
    bool log_json;
} Program;

typedef struct Command {
    const char *name;
    const char *usage; /* "FROM TO [options]" */
    const char *summary;
    const char *example;
    const ArgOption *options;
    int32_t option_count;
    int32_t positional_min, positional_max;
    bool passive; /* it changes nothing: a signal ends it at once, wherever it is */
    /* OK: exit 0. FAIL: the error is printed and its kind gives the exit code. *ret_exit may be set
     * to another code with OK (1: done, but rows failed). */
    Status (*run)(Program *program, const Args *args, int *ret_exit, Err *err);
} Command;

extern const Command COMMAND_EVAL, COMMAND_COPY, COMMAND_ETL, COMMAND_VALIDATE, COMMAND_SCHEMA,
    COMMAND_INIT, COMMAND_TEST, COMMAND_STATE, COMMAND_RUN, COMMAND_STREAM, COMMAND_REJECTS,
    COMMAND_VERIFY, COMMAND_CHECK, COMMAND_HEALTH;

/* Parse argv after the command's name. ERR_USAGE with the nearest option. *ret_help: --help was
 * asked for. */
MUST_USE Status args_parse(const Command *command, int argc, char **argv, Args *ret_args,
                           bool *ret_help, Err *err);
MUST_USE Status args_help(const Command *command, Buf *out, Err *err);
/* Write to standard output, whole; a signal ends the wait for whoever reads it. */
MUST_USE Status output_write(const Program *program, Str text, Err *err);

/* Shared by commands that run a pipeline: progress line on a terminal, result object or a line. */
struct RunResult;
struct FlowProgress;
void progress_show(void *arg, const struct FlowProgress *progress);
void progress_clear(void);
MUST_USE Status result_print(const Program *program, const struct RunResult *result, Err *err);
/* Read the configuration that -c, $NEURON_CONFIG or ./neuron.yaml names, and check it. */
struct Configuration;
MUST_USE Status configuration_open(const Program *program, const Args *args,
                                   struct Configuration *ret_configuration, Err *err);

#endif
