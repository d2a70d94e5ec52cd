/* neuron copy: a pipeline without a configuration, any location to any location. */
#include "cli/command.h"
#include "foundation/config/option.h"
#include "work/pipeline/pipeline.h"

enum { COPY_KEYS_MAX = 16 };

typedef struct Copy {
    Arena arena;
    PipelineConfig config;
    StepConfig steps[2];
    Str key[COPY_KEYS_MAX];
    int64_t memory_bytes;
} Copy;

static Status copy_mode(const Args *args, PipelineConfig *c, Err *err)
{
    static const char *const MODES[] = {"append", "upsert", "replace", "mirror"};
    Str mode = args_get(args, "mode", STR_NULL);
    c->mode = c->to.kind == LOCATION_FILE ? SINK_REPLACE : SINK_APPEND;
    if (mode.len == 0) return OK;
    for (int32_t i = 0; i < COUNT_OF(MODES); i++) {
        if (!str_eq(mode, str_from(MODES[i]))) continue;
        c->mode = (SinkMode)i;
        return OK;
    }
    (void)err_set(err, ERR_USAGE, "--mode can't be \"%.*s\"", STR_ARG(mode));
    return err_hint(err, "append, upsert, replace or mirror");
}

static Status copy_key(Copy *copy, const Args *args, Err *err)
{
    Str rest = args_get(args, "key", STR_NULL), part;
    while (rest.len && str_next_part(&rest, ',', &part)) {
        if (copy->config.target.key_count == COPY_KEYS_MAX) {
            return err_set(err, ERR_USAGE, "more than %d key columns", COPY_KEYS_MAX);
        }
        copy->key[copy->config.target.key_count++] = str_trim(part);
    }
    copy->config.target.key = copy->key;
    return OK;
}

/* --rejects: a location, or a table beside the data. */
static Status copy_rejects(const Program *program, Copy *copy, const Args *args, Err *err)
{
    PipelineConfig *c = &copy->config;
    Str rejects = args_get(args, "rejects", STR_NULL);
    if (rejects.len == 0) return OK;
    Err ignored = {0};
    c->reject.on = true;
    c->reject.elsewhere =
        location_parse(program->registry, rejects, &copy->arena, &c->reject.to, &ignored) == OK;
    c->reject.table = c->reject.elsewhere ? STR("neuron_rejects") : rejects;
    if (!c->reject.elsewhere || !location_same_file(&c->to, &c->reject.to)) return OK;
    (void)err_set(err, ERR_USAGE, "--rejects: the rows themselves go to %.*s", STR_ARG(rejects));
    return err_hint(err, "name another file");
}

/* The source's table, else the file's name without folder and endings. */
static Str default_table(const PipelineConfig *c)
{
    if (c->from_table.len) return c->from_table;
    Str name = c->from.path;
    for (int64_t i = 0; i < name.len; i++) {
        if (name.ptr[i] != '/') continue;
        name = str_slice(name, i + 1, name.len);
        i = -1;
    }
    int64_t dot = str_find_char(name, '.');
    return dot > 0 ? str_slice(name, 0, dot) : name;
}

static Status copy_config(const Program *program, Copy *copy, const Args *args, Err *err)
{
    PipelineConfig *c = &copy->config;
    *c = (PipelineConfig){
        .target.create = true, .target.evolve = true, .target.max_delete = 0.1, .parallel = 1};
    TRY(location_parse(program->registry, args->positional[0], &copy->arena, &c->from, err));
    TRY(location_parse(program->registry, args->positional[1], &copy->arena, &c->to, err));
    c->from_table = args_get(args, "from-table", STR_NULL);
    c->query = args_get(args, "query", STR_NULL);
    if (c->from_table.len && c->query.len) {
        return err_set(err, ERR_USAGE, "--from-table and --query exclude each other");
    }
    c->table = args_get(args, "table", STR_NULL);
    if (c->table.len == 0 && c->to.kind != LOCATION_FILE) c->table = default_table(c);
    TRY(copy_key(copy, args, err));
    TRY(copy_mode(args, c, err));
    TRY(copy_rejects(program, copy, args, err));
    Str where = args_get(args, "where", STR_NULL), select = args_get(args, "select", STR_NULL);
    if (where.len) copy->steps[c->step_count++] = (StepConfig){.kind = STEP_WHERE, .text = where};
    if (select.len) {
        copy->steps[c->step_count++] = (StepConfig){.kind = STEP_SELECT, .text = select};
    }
    c->steps = copy->steps;
    Str memory = args_get(args, "memory", STR("512MB"));
    if (option_parse_size(memory, &copy->memory_bytes)) return OK;
    return err_set(err, ERR_USAGE, "--memory must be a size like 512MB");
}

static Status copy_now(Program *program, const Args *args, const Copy *copy, Err *err)
{
    Budget budget;
    budget_init(&budget, "memory", NULL, copy->memory_bytes);
    PipelineEnv env = {.budget = &budget,
                       .progress = program->json ? NULL : progress_show,
                       .cancelled = &program->cancelled};
    RunOptions options = {0};
    TRY(args_int64(args, "limit", &options.rows_max, err));
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 30);
    if (args_has(args, "dry-run")) {
        TRY(pipeline_plan(&copy->config, &options, &env, program->json, &out, err));
        if (program->json) TRY(buf_append_char(&out, '\n', err));
        return output_write(program, buf_str(&out), err);
    }
    RunResult result;
    run_result_init(&result);
    Status status = pipeline_run(&copy->config, &options, &env, &result, err);
    /* Data on standard output leaves no room for the result there. */
    bool data_out = str_eq(copy->config.to.path, STR("-"));
    Err ignored = {0};
    Status printed = data_out ? OK : result_print(program, &result, status == OK ? err : &ignored);
    run_result_done(&result);
    return status == OK ? printed : status;
}

static Status copy_run(Program *program, const Args *args, int *ret_exit UNUSED, Err *err)
{
    Copy copy = {.arena = arena_make(16 << 20)};
    Status status = copy_config(program, &copy, args, err);
    if (status == OK) status = copy_now(program, args, &copy, err);
    arena_done(&copy.arena);
    return status;
}

static const ArgOption OPTIONS[] = {
    {"from-table", 0, "TABLE", "the table to read", false},
    {"query", 0, "SQL", "the query to read", false},
    {"table", 0, "TABLE", "the target table (default: the source's name)", false},
    {"key", 0, "COLUMNS", "the columns that name a row, with commas", false},
    {"mode", 0, "MODE", "append (default for tables), upsert, replace (for files), mirror", false},
    {"where", 0, "EXPR", "only rows for which this is true", false},
    {"select", 0, "LIST", "the columns to write", false},
    {"rejects", 0, "TABLE|LOCATION", "where refused rows go (default: the first one stops)", false},
    {"limit", 0, "N", "at most N rows", false},
    {"memory", 0, "SIZE", "budget for what grows with the data (default 512MB)", false},
    {"dry-run", 0, NULL, "the plan; nothing is written", false},
};

const Command COMMAND_COPY = {
    .name = "copy",
    .usage = "FROM TO [options]",
    .summary = "Copies any location to any location.",
    .example = "neuron copy people.csv sqlite:///people.db --table people --key id --mode upsert",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .positional_min = 2,
    .positional_max = 2,
    .run = copy_run,
};
