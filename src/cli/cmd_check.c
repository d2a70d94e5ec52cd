/* neuron check: a quality report on a dataset of the configuration, or on any location. */
#include <fcntl.h>
#include <unistd.h>

#include "cli/command.h"
#include "foundation/base/file.h"
#include "foundation/config/option.h"
#include "work/quality/quality_run.h"

typedef struct Check {
    Arena arena;
    QualitySet set;
    ReportFormat format;
    int64_t memory_bytes;
    Str key[16];
} Check;

/* The file's name without its folder and endings, else the table. */
static Str name_of(const QualitySet *set)
{
    if (set->table.len) return set->table;
    Str name = set->from.path;
    for (int64_t i = name.len - 1; i >= 0; i--) {
        if (name.ptr[i] != '/') continue;
        name = str_slice(name, i + 1, name.len);
        break;
    }
    int64_t dot = str_find_char(name, '.');
    return dot > 0 ? str_slice(name, 0, dot) : name;
}

static Status check_format(const Program *program, const Args *args, Check *check, Err *err)
{
    Str name = args_get(args, "format", program->json ? STR("json") : STR("table"));
    TRY(report_format_find(name, &check->format, err));
    if (program->json && check->format != REPORT_JSON) {
        return err_set(err, ERR_USAGE, "--json and --format %.*s exclude each other",
                       STR_ARG(name));
    }
    Str memory = args_get(args, "memory", STR("512MB"));
    if (option_parse_size(memory, &check->memory_bytes)) return OK;
    return err_set(err, ERR_USAGE, "--memory must be a size like 512MB");
}

static Status location_set_make(const Args *args, Check *check, Err *err)
{
    QualitySet *set = &check->set;
    *set = (QualitySet){.rules = QUALITY_DEFAULT_RULES,
                        .rule_count = COUNT_OF(QUALITY_DEFAULT_RULES),
                        .min_score = 90,
                        .evidence = 20};
    TRY(location_parse(args->positional[0], &check->arena, &set->from, err));
    set->table = args_get(args, "table", STR_NULL);
    set->query = args_get(args, "query", STR_NULL);
    Str rest = args_get(args, "key", STR_NULL), part;
    while (rest.len && str_next_part(&rest, ',', &part)) {
        if (set->key_count == COUNT_OF(check->key)) {
            return err_set(err, ERR_USAGE, "more than 16 key columns");
        }
        check->key[set->key_count++] = str_trim(part);
    }
    set->key = check->key;
    set->name = name_of(set);
    return OK;
}

static Status put_out(const Args *args, Str text, Err *err)
{
    Str path = args_get(args, "output", STR_NULL);
    if (path.len == 0) return output_write(text, err);
    CLEANUP(file_close_p) int fd = -1;
    TRY(file_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd, err));
    return file_write(fd, text, err);
}

static Status check_now(Program *program, const Args *args, Check *check, int *ret_exit, Err *err)
{
    Budget budget;
    budget_init(&budget, "memory", NULL, check->memory_bytes);
    QualityEnv env = {.registry = program->registry,
                      .budget = &budget,
                      .cancelled = &program->cancelled,
                      .where = args_get(args, "where", STR_NULL)};
    CLEANUP(quality_report_free_p) QualityReport *report = NULL;
    TRY(quality_run(&check->set, &env, &report, err));
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 30);
    bool color = program->color && isatty(STDOUT_FILENO) && !args_has(args, "output");
    TRY(quality_report_write(report, check->format, color, &out, err));
    if (check->format == REPORT_JSON) TRY(buf_append_char(&out, '\n', err));
    bool bad = report->verdict == VERDICT_FAIL || report->verdict == VERDICT_ERROR;
    *ret_exit = bad ? 1 : 0;
    return put_out(args, buf_str(&out), err);
}

static Status check_run(Program *program, const Args *args, int *ret_exit, Err *err)
{
    Check check = {.arena = arena_make(64 << 20)};
    Status status = check_format(program, args, &check, err);
    if (status == OK) status = location_set_make(args, &check, err);
    if (status == OK) status = check_now(program, args, &check, ret_exit, err);
    arena_done(&check.arena);
    return status;
}

static const ArgOption OPTIONS[] = {
    {"format", 0, "FORMAT", "table (default), json, html, markdown or junit", false},
    {"output", 'o', "FILE", "write the report there", false},
    {"where", 0, "EXPR", "only rows for which this is true", false},
    {"table", 0, "TABLE", "the table to read, where the location is a database", false},
    {"query", 0, "SQL", "the query to read", false},
    {"key", 0, "COLUMNS", "the columns that name a row, with commas", false},
    {"memory", 0, "SIZE", "budget for what grows with the data (default 512MB)", false},
};

const Command COMMAND_CHECK = {
    .name = "check",
    .usage = "DATASET|LOCATION [options]",
    .summary = "Judges the quality of a dataset: nulls, repeats, types, rules, a score.",
    .example = "neuron check people.csv --key id --format html -o report.html",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .positional_min = 1,
    .positional_max = 1,
    .run = check_run,
};
