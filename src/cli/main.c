/* The program: finds the command, runs it, prints its error, gives the exit code. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "connect/connectors.h"
#include "foundation/base/clock.h"
#include "foundation/base/file.h"
#include "foundation/codec/json_writer.h"
#include "foundation/obs/log.h"

static const Command *const COMMANDS[] = {
    &COMMAND_RUN,   &COMMAND_ETL,      &COMMAND_STREAM, &COMMAND_CHECK,  &COMMAND_COPY,
    &COMMAND_EVAL,  &COMMAND_VALIDATE, &COMMAND_SCHEMA, &COMMAND_INIT,   &COMMAND_TEST,
    &COMMAND_STATE, &COMMAND_REJECTS,  &COMMAND_VERIFY, &COMMAND_HEALTH,
};

#define CONNECTOR(name) &name##_connector,
static const Connector *const CONNECTORS[] = {
#include "connect/connectors.def"
};
#undef CONNECTOR
static const Registry REGISTRY = {CONNECTORS, COUNT_OF(CONNECTORS)};

#define SECOND_NS INT64_C(1000000000)

/* The one object that a signal handler can reach. */
static Program *signal_program(Program *set)
{
    static Program *program;
    if (set) program = set;
    return program;
}

/* What changes nothing ends at once. A second signal doesn't wait for an orderly end; but some
 * (timeout) send two at once. */
static void on_signal(int number)
{
    static _Atomic int64_t first_ns;
    Program *program = signal_program(NULL);
    int64_t now_ns = clock_mono_ns();
    int64_t before_ns = 0;
    if (atomic_load(&program->passive)) _exit(128 + number);
    if (atomic_compare_exchange_strong(&first_ns, &before_ns, now_ns)) {
        atomic_store(&program->signal, number);
        atomic_store(&program->cancelled, true);
    } else if (now_ns - before_ns >= SECOND_NS) {
        _exit(128 + number);
    }
}

static void catch_signals(Program *program)
{
    (void)signal_program(program);
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    /* A closed pipe, and the largest size of a file (ulimit -f), are errors of the write. */
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigaction(SIGXFSZ, &action, NULL);
}

/* Where the caller closed standard input, output or error, the next file that is opened would be
 * it.
 */
static void open_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) _exit(1);
    }
}

static Status print_usage(Buf *out, Err *err)
{
    TRY(buf_append(out,
                   STR("neuron " NEURON_VERSION ": moves, transforms and watches data\n\n"
                       "usage: neuron COMMAND [arguments]\n\n"),
                   err));
    for (int64_t i = 0; i < COUNT_OF(COMMANDS); i++) {
        TRY(buf_printf(out, err, "  %-10s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary));
    }
    return buf_append(out, STR("\n`neuron COMMAND --help` shows a command's options.\n"), err);
}

static Status command_find(Str name, const Command **ret_command, Err *err)
{
    Str names[COUNT_OF(COMMANDS)];
    for (int64_t i = 0; i < COUNT_OF(COMMANDS); i++) {
        names[i] = str_from(COMMANDS[i]->name);
        if (!str_eq(names[i], name)) continue;
        *ret_command = COMMANDS[i];
        return OK;
    }
    (void)err_set(err, ERR_USAGE, "no command \"%.*s\"", STR_ARG(name));
    Str near = str_nearest(name, names, COUNT_OF(COMMANDS));
    if (near.len) return err_hint(err, "did you mean `neuron %.*s`?", STR_ARG(near));
    return err_hint(err, "`neuron --help` lists the commands");
}

static void print_error_json(const Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(1 << 20);
    JsonWriter w = json_writer_make(&out, NULL);
    json_object_begin(&w);
    json_key(&w, "level");
    json_write_text(&w, STR("error"));
    json_key(&w, "kind");
    json_write_text(&w, str_from(err_kind_name(err->kind)));
    json_key(&w, "message");
    json_write_text(&w, str_from(err->message));
    if (err->where[0]) {
        json_key(&w, "where");
        json_write_text(&w, str_from(err->where));
    }
    if (err->hint[0]) {
        json_key(&w, "hint");
        json_write_text(&w, str_from(err->hint));
    }
    json_object_end(&w);
    if (json_writer_end(&w) == OK) (void)fprintf(stderr, "%.*s\n", (int)out.len, out.data);
}

static void print_error(const Program *program, const Err *err)
{
    if (program->log_json) {
        print_error_json(err);
        return;
    }
    bool color = isatty(STDERR_FILENO) && program->color;
    (void)fprintf(stderr, "%sneuron:%s %s\n", color ? "\033[31m" : "", color ? "\033[0m" : "",
                  err->message);
    if (err->where[0]) (void)fprintf(stderr, "  at: %s\n", err->where);
    if (err->hint[0]) (void)fprintf(stderr, "  hint: %s\n", err->hint);
}

static Status log_options(Program *program, const Args *args, Err *err)
{
    LogLevel level;
    Str format = args_get(args, "log-format", STR("text"));
    program->log_json = str_eq(format, STR("json"));
    if (!program->log_json && !str_eq(format, STR("text"))) {
        (void)err_set(err, ERR_USAGE, "--log-format can't be \"%.*s\"", STR_ARG(format));
        return err_hint(err, "text or json");
    }
    Str text = args_get(args, "log-level", STR("info"));
    if (log_level_parse(text, &level)) return OK;
    (void)err_set(err, ERR_USAGE, "--log-level can't be \"%.*s\"", STR_ARG(text));
    return err_hint(err, "error, warn, info or debug");
}

static Status run_command(Program *program, int argc, char **argv, int *ret_exit, Err *err)
{
    CLEANUP(buf_done) Buf help = buf_make(1 << 20);
    if (argc < 2) {
        TRY(print_usage(&help, err));
        IGNORE(file_write(STDERR_FILENO, buf_str(&help), err)); /* the exit code says it too */
        *ret_exit = 2;
        return OK;
    }
    Str name = str_from(argv[1]);
    if (str_eq(name, STR("--help")) || str_eq(name, STR("-h")) || str_eq(name, STR("help"))) {
        TRY(print_usage(&help, err));
        return output_write(program, buf_str(&help), err);
    }
    if (str_eq(name, STR("--version")))
        return output_write(program, STR("neuron " NEURON_VERSION "\n"), err);
    const Command *command = NULL;
    TRY(command_find(name, &command, err));
    Args args;
    bool wants_help = false;
    TRY(args_parse(command, argc - 2, argv + 2, &args, &wants_help, err));
    program->json = args_has(&args, "json");
    TRY(log_options(program, &args, err));
    if (wants_help) {
        TRY(args_help(command, &help, err));
        return output_write(program, buf_str(&help), err);
    }
    atomic_store(&program->passive, command->passive);
    return command->run(program, &args, ret_exit, err);
}

int main(int argc, char **argv)
{
    static Program program = {.registry = &REGISTRY};
    open_standard_files();
    program.color = getenv("NO_COLOR") == NULL;
    catch_signals(&program);
    Err err = {0};
    int code = 0;
    if (run_command(&program, argc, argv, &code, &err) != OK) {
        progress_clear();
        bool closed =
            err.kind == ERR_IO && str_find(str_from(err.message), STR("Broken pipe")) >= 0;
        if (!closed) print_error(&program, &err);
        code = err_exit_code(err.kind);
    }
    int number = atomic_load(&program.signal);
    return number ? 128 + number : code;
}
