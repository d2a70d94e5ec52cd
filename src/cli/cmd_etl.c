/* neuron etl: one pipeline of the configuration, once. */
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "connect/query_params.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_writer.h"
#include "service/setup/configuration.h"

static const char *from_environment(void *arg UNUSED, const char *name)
{
    return getenv(name);
}

Status configuration_open(const Program *program, const Args *args, Configuration *c, Err *err)
{
    static const SubstituteFrom FROM = {.environment = from_environment};
    Str path = args_get(args, "config", str_from(getenv("NEURON_CONFIG")));
    if (path.len == 0) path = STR("./neuron.yaml");
    return configuration_load(program->registry, path, &FROM, c, err);
}

static Status param_unknown(const PipelineConfig *p, Str name, Err *err)
{
    Str near = query_nearest(p->query, name);
    (void)err_set(err, ERR_USAGE, "--param: the query of \"%.*s\" has no parameter :%.*s",
                  STR_ARG(p->name), STR_ARG(name));
    if (near.len) return err_hint(err, "did you mean :%.*s?", STR_ARG(near));
    return p->query.len ? FAIL : err_hint(err, "the pipeline has no `query`");
}

/* --param name=value takes the place of the configured one, or is added. */
static Status apply_params(Configuration *c, const Args *args, PipelineConfig *p, Err *err)
{
    SourceParam *params =
        ARENA_ARRAY(&c->arena, SourceParam, p->param_count + args->value_count + 1);
    if (!params) return err_memory(err);
    for (int32_t i = 0; i < p->param_count; i++) params[i] = p->params[i];
    for (int32_t i = 0; i < args->value_count; i++) {
        if (!str_eq(str_from(args->values[i].option->name), STR("param"))) continue;
        Str text = args->values[i].value;
        int64_t at = str_find_char(text, '=');
        if (at <= 0) return err_set(err, ERR_USAGE, "--param must be name=value");
        Str name = str_slice(text, 0, at), value = str_slice(text, at + 1, text.len);
        if (!query_uses(p->query, name)) return param_unknown(p, name, err);
        int32_t place = 0;
        while (place < p->param_count && !str_eq(params[place].name, name)) place++;
        int64_t integer;
        bool number = number_parse_int64(value, &integer) == NUMBER_OK;
        bool was_text = place < p->param_count && params[place].type == TYPE_TEXT;
        params[place] = (SourceParam){
            .name = name, .type = number && !was_text ? TYPE_INT64 : TYPE_TEXT, .text = value};
        if (place == p->param_count) p->param_count++;
    }
    p->params = params;
    return OK;
}

static Status run_pipeline(Program *program, const Args *args, const Configuration *c,
                           const PipelineConfig *pipeline, const RunOptions *options, Err *err)
{
    Budget budget;
    budget_init(&budget, "memory", NULL, c->options.memory_bytes);
    PipelineEnv env = {
        .budget = &budget,
        .progress = program->json ? NULL : progress_show,
        .cancelled = &program->cancelled,
    };
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 30);
    if (args_has(args, "dry-run")) {
        TRY(pipeline_plan(pipeline, options, &env, program->json, &out, err));
        if (program->json) TRY(buf_append_char(&out, '\n', err));
        return output_write(program, buf_str(&out), err);
    }
    RunResult result;
    run_result_init(&result);
    Status status = pipeline_run(pipeline, options, &env, &result, err);
    Err ignored = {0};
    Status printed = result_print(program, &result, status == OK ? err : &ignored);
    run_result_done(&result);
    return status == OK ? printed : status;
}

static Status etl_configured(Program *program, const Args *args, const RunOptions *options,
                             Configuration *c, Err *err)
{
    TRY(configuration_check(c, err));
    const PipelineConfig *found = NULL;
    TRY(configuration_pipeline(c, args->positional[0], &found, err));
    PipelineConfig pipeline = *found;
    TRY(apply_params(c, args, &pipeline, err));
    return run_pipeline(program, args, c, &pipeline, options, err);
}

static Status etl_run(Program *program, const Args *args, int *ret_exit UNUSED, Err *err)
{
    RunOptions options = {.full_refresh = args_has(args, "full-refresh"),
                          .since = args_get(args, "since", STR_NULL),
                          .run_id = args_get(args, "run-id", STR_NULL)};
    TRY(args_int64(args, "limit", &options.rows_max, err));
    Configuration c;
    Status status = configuration_open(program, args, &c, err);
    if (status == OK) status = etl_configured(program, args, &options, &c, err);
    configuration_done(&c);
    return status;
}

static const ArgOption OPTIONS[] = {
    {"param", 0, "NAME=VALUE", "a parameter of the query", true},
    {"full-refresh", 0, NULL, "read everything again; nothing is deleted", false},
    {"since", 0, "VALUE", "read from this cursor on, inclusive; the watermark stays", false},
    {"limit", 0, "N", "at most N rows; the watermark stays", false},
    {"dry-run", 0, NULL, "the plan: SQL, tables, types, first rows; nothing is written", false},
    {"run-id", 0, "ID", "the same run again, after a failure: what it published is not done twice",
     false},
};

const Command COMMAND_ETL = {
    .name = "etl",
    .usage = "PIPELINE [options]",
    .summary = "Runs one pipeline once.",
    .example = "neuron etl sales_data_etl --dry-run",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .positional_min = 1,
    .positional_max = 1,
    .run = etl_run,
};
