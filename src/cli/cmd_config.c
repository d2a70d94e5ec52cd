/* neuron validate, schema, init, state: around the configuration. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "foundation/base/file.h"
#include "foundation/codec/json_writer.h"
#include "service/setup/configuration.h"

/* ---- validate ---- */

static Status mistakes_json(const Configuration *c, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "valid");
    json_write_bool(&w, c->mistakes.count == 0);
    json_key(&w, "mistakes");
    json_array_begin(&w);
    for (int32_t i = 0; i < c->mistakes.count; i++) {
        const Mistake *m = &c->mistakes.items[i];
        json_object_begin(&w);
        json_key(&w, "file");
        json_write_text(&w, c->path);
        json_key(&w, "line");
        json_write_int64(&w, m->line);
        json_key(&w, "column");
        json_write_int64(&w, m->column);
        json_key(&w, "what");
        json_write_text(&w, m->what);
        json_key(&w, "hint");
        json_write_text_or_null(&w, m->hint.len ? m->hint : STR_NULL);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    TRY(json_writer_end(&w));
    return buf_append_char(out, '\n', err);
}

/* Try every pipeline's source and target by making their plan; nothing is written. */
static void connect_all(Configuration *c)
{
    Budget budget;
    budget_init(&budget, "memory", NULL, c->options.memory_bytes);
    PipelineEnv env = {.budget = &budget};
    for (int32_t i = 0; i < c->pipeline_count; i++) {
        CLEANUP(buf_done) Buf plan = buf_make(INT64_C(1) << 30);
        Err why = {0};
        RunOptions options = {0};
        if (pipeline_plan(&c->pipelines[i], &options, &env, false, &plan, &why) == OK) continue;
        const PipelineOptions *o = c->options.pipelines.items[i];
        int64_t line = why.line ? why.line : o->head.node ? o->head.node->key_line : 0;
        int64_t column = why.line ? why.column : o->head.node ? o->head.node->key_column : 0;
        mistake_add(&c->mistakes, line, column, str_from(why.hint), "%s", why.message);
    }
}

static Status validate_report(Program *program, const Args *args, Configuration *c, int *ret_exit,
                              Err *err)
{
    if (args_has(args, "connect") && c->mistakes.count == 0) connect_all(c);
    CLEANUP(buf_done) Buf out = buf_make(1 << 24);
    *ret_exit = c->mistakes.count ? 2 : 0;
    if (program->json) {
        TRY(mistakes_json(c, &out, err));
        return output_write(program, buf_str(&out), err);
    }
    TRY(configuration_print_mistakes(c, &out, err));
    if (c->mistakes.count) return file_write(STDERR_FILENO, buf_str(&out), err);
    TRY(buf_printf(&out, err, "%.*s is valid: %d pipelines, %d streams\n", STR_ARG(c->path),
                   c->pipeline_count, c->stream_count));
    return output_write(program, buf_str(&out), err);
}

static Status validate_run(Program *program, const Args *args, int *ret_exit, Err *err)
{
    Configuration c;
    Status status = configuration_open(program, args, &c, err);
    if (status != OK && err->line) {
        (void)err_prefix(err, "%.*s:%lld:%lld: ", STR_ARG(c.path), (long long)err->line,
                         (long long)err->column);
        err->where[0] = 0;
    }
    if (status == OK) status = validate_report(program, args, &c, ret_exit, err);
    configuration_done(&c);
    return status;
}

static const ArgOption VALIDATE_OPTIONS[] = {
    {"connect", 0, NULL, "also try every connection and query, without side effects", false},
};

const Command COMMAND_VALIDATE = {
    .name = "validate",
    .usage = "[options]",
    .summary = "Reads the configuration and says every mistake at once.",
    .example = "neuron validate -c neuron.yaml --connect",
    .options = VALIDATE_OPTIONS,
    .option_count = COUNT_OF(VALIDATE_OPTIONS),
    .passive = true,
    .run = validate_run,
};

/* ---- schema ---- */

static Status schema_run(Program *program UNUSED, const Args *args UNUSED, int *ret_exit UNUSED,
                         Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(1 << 24);
    TRY(option_schema(&CONFIGURATION_GROUP, &out, err));
    TRY(buf_append_char(&out, '\n', err));
    return output_write(program, buf_str(&out), err);
}

const Command COMMAND_SCHEMA = {
    .name = "schema",
    .usage = "",
    .summary = "Prints the JSON Schema of the configuration, for editors.",
    .example = "neuron schema > neuron.schema.json",
    .passive = true,
    .run = schema_run,
};

/* ---- init ---- */

static Status init_run(Program *program UNUSED, const Args *args, int *ret_exit UNUSED, Err *err)
{
    Str path = args->positional_count ? args->positional[0] : STR("neuron.yaml");
    CLEANUP(buf_done) Buf guide = buf_make(1 << 20);
    Str text = str_from(CONFIGURATION_STARTER);
    if (args_has(args, "guide")) {
        TRY(configuration_guide(NULL, &guide, err));
        text = buf_str(&guide);
    }
    if (str_eq(path, STR("-"))) return output_write(program, text, err);
    CLEANUP(file_close_p) int fd = -1;
    if (file_exists(path)) {
        (void)err_set(err, ERR_USAGE, "%.*s is there already", STR_ARG(path));
        return err_hint(err, "name another file, or - for standard output");
    }
    TRY(file_open(path, O_WRONLY | O_CREAT | O_EXCL, 0666, &fd, err));
    TRY(file_write(fd, text, err));
    CLEANUP(buf_done) Buf out = buf_make(8192);
    TRY(buf_printf(&out, err, "%.*s written; `neuron validate` checks it\n", STR_ARG(path)));
    return output_write(program, buf_str(&out), err);
}

static const ArgOption INIT_OPTIONS[] = {
    {"guide", 0, NULL, "the complete neuron that `neuron run` runs without a configuration", false},
};

const Command COMMAND_INIT = {
    .name = "init",
    .usage = "[FILE]",
    .summary = "Writes a commented starter configuration.",
    .example = "neuron init neuron.yaml",
    .options = INIT_OPTIONS,
    .option_count = COUNT_OF(INIT_OPTIONS),
    .positional_max = 1,
    .run = init_run,
};

/* ---- state ---- */

static Status state_show(const Program *program, const PipelineConfig *p, Sink *sink, Err *err)
{
    LoadState state;
    load_state_init(&state);
    CLEANUP(buf_done) Buf out = buf_make(1 << 24);
    JsonWriter w = json_writer_make(&out, err);
    Status status = sink_state(sink, &state, err);
    if (status == OK) {
        json_object_begin(&w);
        json_key(&w, "pipeline");
        json_write_text(&w, p->name);
        json_key(&w, "epoch");
        json_write_int64(&w, state.epoch);
        json_key(&w, "watermark");
        Str cursor = buf_str(&state.position.cursor);
        json_write_text_or_null(&w, cursor.len ? cursor : STR_NULL);
        json_key(&w, "run_id");
        json_write_text_or_null(&w, str_from(state.run_id[0] ? state.run_id : NULL));
        json_object_end(&w);
        status = json_writer_end(&w);
    }
    if (status == OK) status = buf_append_char(&out, '\n', err);
    if (status == OK) status = output_write(program, buf_str(&out), err);
    load_state_done(&state);
    return status;
}

static Status state_set(Sink *sink, Str watermark, Err *err)
{
    Position position;
    position_init(&position);
    Status status = buf_append(&position.cursor, watermark, err);
    if (status == OK) status = sink_state_set(sink, &position, err);
    position_done(&position);
    return status;
}

static Status state_pipeline(Program *program, const Args *args, Configuration *c, Err *err)
{
    const PipelineConfig *p = NULL;
    TRY(configuration_check(c, err));
    TRY(configuration_pipeline(c, args->positional[1], &p, err));
    SinkReq req = {.location = &p->to,
                   .table = p->table,
                   .pipeline = p->name,
                   .mode = p->mode,
                   .stop = &program->cancelled};
    Sink *sink = NULL;
    TRY(connector_sink(&req, &sink, err));
    Status status = OK;
    bool set = str_eq(args->positional[0], STR("set"));
    if (!sink->ops->state) {
        status = err_set(err, ERR_CONFIG, "%.*s keeps no state", STR_ARG(p->to.text));
    } else if (set && args->positional_count < 3) {
        status = err_set(err, ERR_USAGE, "state set needs the watermark");
    } else if (set) {
        status = state_set(sink, args->positional[2], err);
    }
    if (status == OK) status = state_show(program, p, sink, err);
    sink_close(sink);
    return status;
}

static Status state_run(Program *program, const Args *args, int *ret_exit UNUSED, Err *err)
{
    Str verb = args->positional[0];
    if (!str_eq(verb, STR("show")) && !str_eq(verb, STR("set"))) {
        return err_set(err, ERR_USAGE, "state knows show and set, not \"%.*s\"", STR_ARG(verb));
    }
    Configuration c;
    Status status = configuration_open(program, args, &c, err);
    if (status == OK) status = state_pipeline(program, args, &c, err);
    configuration_done(&c);
    return status;
}

const Command COMMAND_STATE = {
    .name = "state",
    .usage = "show|set PIPELINE [WATERMARK]",
    .summary = "Shows or sets a pipeline's watermark and epoch.",
    .example = "neuron state set sales_data_etl 2026-01-01",
    .positional_min = 2,
    .positional_max = 3,
    .run = state_run,
};
