/* The command line: options by table, --help from the same table. */
#include <unistd.h>

#include "cli/command.h"
#include "foundation/base/file.h"
#include "foundation/base/number.h"

/* Options that every command has. */
static const ArgOption COMMON[] = {
    {"config", 'c', "FILE", "the configuration (else $NEURON_CONFIG, else ./neuron.yaml)", false},
    {"json", 0, NULL, "print one JSON object of the result, and nothing else, to standard output",
     false},
    {"log-format", 0, "text|json", "how messages on standard error look", false},
    {"log-level", 0, "error|warn|info|debug", "which messages", false},
    {"help", 'h', NULL, "show this help", false},
};

static const ArgOption *option_at(const Command *command, int32_t i)
{
    if (i < command->option_count) return &command->options[i];
    i -= command->option_count;
    return i < COUNT_OF(COMMON) ? &COMMON[i] : NULL;
}

static const ArgOption *option_find(const Command *command, Str name, char letter)
{
    const ArgOption *option;
    for (int32_t i = 0; (option = option_at(command, i)); i++) {
        if (letter ? option->letter == letter : str_eq(str_from(option->name), name)) return option;
    }
    return NULL;
}

static Status unknown_option(const Command *command, Str text, Err *err)
{
    Str names[64];
    int32_t count = 0;
    const ArgOption *option;
    for (int32_t i = 0; count < 64 && (option = option_at(command, i)); i++) {
        names[count++] = str_from(option->name);
    }
    (void)err_set(err, ERR_USAGE, "%s has no option %.*s", command->name, STR_ARG(text));
    Str name = text;
    while (str_starts(name, STR("-"))) name = str_slice(name, 1, name.len);
    Str near = str_nearest(name, names, count);
    if (near.len) return err_hint(err, "did you mean --%.*s?", STR_ARG(near));
    return err_hint(err, "`neuron %s --help` lists them", command->name);
}

static Status add_value(Args *args, const ArgOption *option, Str value, Err *err)
{
    if (args->value_count == ARG_VALUES_MAX) {
        return err_set(err, ERR_USAGE, "too many options");
    }
    if (!option->repeats && args_has(args, option->name)) {
        return err_set(err, ERR_USAGE, "--%s is given twice", option->name);
    }
    args->values[args->value_count++] = (ArgValue){option, value};
    return OK;
}

/* --name=value | --name value | -n value; *at is the index of the argument. */
static Status parse_option(Args *args, int argc, char **argv, int *at, Err *err)
{
    Str text = str_from(argv[*at]);
    bool is_long = str_starts(text, STR("--"));
    int64_t equals = is_long ? str_find_char(text, '=') : -1;
    Str name = str_slice(text, 2, equals < 0 ? text.len : equals);
    const ArgOption *option = is_long         ? option_find(args->command, name, 0)
                              : text.len == 2 ? option_find(args->command, STR_NULL, text.ptr[1])
                                              : NULL;
    if (!option) return unknown_option(args->command, text, err);
    if (!option->value) {
        if (equals >= 0) return err_set(err, ERR_USAGE, "--%s takes no value", option->name);
        return add_value(args, option, STR_NULL, err);
    }
    if (equals >= 0) return add_value(args, option, str_slice(text, equals + 1, text.len), err);
    if (*at + 1 >= argc) {
        return err_set(err, ERR_USAGE, "--%s needs a value: %s", option->name, option->value);
    }
    *at += 1;
    return add_value(args, option, str_from(argv[*at]), err);
}

Status args_parse(const Command *command, int argc, char **argv, Args *args, bool *ret_help,
                  Err *err)
{
    *args = (Args){.command = command};
    bool only_positional = false;
    for (int i = 0; i < argc; i++) {
        Str text = str_from(argv[i]);
        if (!only_positional && str_eq(text, STR("--"))) {
            only_positional = true;
        } else if (!only_positional && text.len > 1 && text.ptr[0] == '-' && text.ptr[1] != '#') {
            TRY(parse_option(args, argc, argv, &i, err));
        } else if (args->positional_count < command->positional_max) {
            args->positional[args->positional_count++] = text;
        } else {
            (void)err_set(err, ERR_USAGE, "%s: \"%.*s\" is one argument too many", command->name,
                          STR_ARG(text));
            return err_hint(err, "usage: neuron %s %s", command->name, command->usage);
        }
    }
    *ret_help = args_has(args, "help");
    if (*ret_help || args->positional_count >= command->positional_min) return OK;
    (void)err_set(err, ERR_USAGE, "%s needs more arguments", command->name);
    return err_hint(err, "usage: neuron %s %s", command->name, command->usage);
}

bool args_has(const Args *args, const char *name)
{
    for (int32_t i = 0; i < args->value_count; i++) {
        if (str_eq(str_from(args->values[i].option->name), str_from(name))) return true;
    }
    return false;
}

Str args_get(const Args *args, const char *name, Str otherwise)
{
    Str value = otherwise;
    for (int32_t i = 0; i < args->value_count; i++) {
        if (str_eq(str_from(args->values[i].option->name), str_from(name))) {
            value = args->values[i].value;
        }
    }
    return value;
}

Status args_int64(const Args *args, const char *name, int64_t *ret_value, Err *err)
{
    if (!args_has(args, name)) return OK;
    Str text = args_get(args, name, STR_NULL);
    if (number_parse_int64(text, ret_value) == NUMBER_OK && *ret_value >= 0) return OK;
    return err_set(err, ERR_USAGE, "--%s must be a whole number, not \"%.*s\"", name,
                   STR_ARG(text));
}

static Status help_option(const ArgOption *option, Buf *out, Err *err)
{
    int64_t start = out->len;
    if (option->letter) TRY(buf_printf(out, err, "  -%c, --%s", option->letter, option->name));
    else TRY(buf_printf(out, err, "      --%s", option->name));
    if (option->value) TRY(buf_printf(out, err, " %s", option->value));
    int width = (int)int64_max(34 - (out->len - start), 2);
    return buf_printf(out, err, "%*s%s%s\n", width, "", option->help,
                      option->repeats ? " (may be repeated)" : "");
}

Status args_help(const Command *command, Buf *out, Err *err)
{
    TRY(buf_printf(out, err, "neuron %s %s\n\n%s\n\nOptions:\n", command->name, command->usage,
                   command->summary));
    const ArgOption *option;
    for (int32_t i = 0; (option = option_at(command, i)); i++) TRY(help_option(option, out, err));
    return buf_printf(out, err, "\nExample:\n  %s\n", command->example);
}

Status output_write(const Program *program, Str text, Err *err)
{
    return file_write_wait(STDOUT_FILENO, text, (FileStop){&program->cancelled, NULL}, err);
}
