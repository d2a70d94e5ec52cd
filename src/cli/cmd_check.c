/* neuron check: a quality report on a dataset of the configuration, or on any location. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "foundation/base/file.h"
#include "foundation/config/option.h"
#include "service/setup/configuration.h"
#include "service/watch/dataset_check.h"
#include "work/quality/quality_run.h"

typedef struct Check {
    Arena arena;
    QualitySet set;
    ReportFormat format;
    int64_t memory_bytes;
    Str key[16];
    Configuration config, rules; /* of the dataset; of --rules */
    bool config_open, rules_open;
    bool named; /* a dataset of the configuration */
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
    Str memory = args_get(args, "memory", STR_NULL);
    check->memory_bytes = INT64_C(512) << 20;
    if (!memory.len || option_parse_size(memory, &check->memory_bytes)) return OK;
    return err_set(err, ERR_USAGE, "--memory must be a size like 512MB");
}

/* What the command line says of the dataset goes before what was configured. */
static Status apply_args(const Args *args, Check *check, Err *err)
{
    QualitySet *set = &check->set;
    if (args_has(args, "table")) {
        set->table = args_get(args, "table", STR_NULL);
        set->query = STR_NULL;
    }
    if (args_has(args, "query")) {
        set->query = args_get(args, "query", STR_NULL);
        set->table = STR_NULL;
    }
    Str rest = args_get(args, "key", STR_NULL), part;
    int32_t count = 0;
    while (rest.len && str_next_part(&rest, ',', &part)) {
        if (count == COUNT_OF(check->key)) {
            return err_set(err, ERR_USAGE, "more than 16 key columns");
        }
        check->key[count++] = str_trim(part);
    }
    if (!count) return OK;
    set->key = check->key;
    set->key_count = count;
    return OK;
}

static const char *from_environment(void *arg UNUSED, const char *name)
{
    return getenv(name);
}

/* The rules of --rules, for the dataset that is there already. */
static Status rules_apply(const Program *program, const Args *args, Check *check, Err *err)
{
    static const SubstituteFrom FROM = {.environment = from_environment};
    QualitySet rules = {0};
    Str path = args_get(args, "rules", STR_NULL);
    if (!path.len) return OK;
    check->rules_open = true;
    TRY(configuration_rules_load(program->registry, path, &FROM, &check->rules, &rules, err));
    TRY(configuration_check(&check->rules, err));
    check->set.rules = rules.rules;
    check->set.rule_count = rules.rule_count;
    check->set.evidence = rules.evidence;
    check->set.mask = rules.mask;
    check->set.min_score = rules.min_score;
    if (!rules.key_count) return OK;
    check->set.key = rules.key;
    check->set.key_count = rules.key_count;
    return OK;
}

/* A dataset of the configuration. */
static Status configured_set_make(const Program *program, const Args *args, Check *check, Err *err)
{
    const QualitySet *found = NULL;
    check->config_open = true;
    TRY(configuration_open(program, args, &check->config, err));
    TRY(configuration_check(&check->config, err));
    if (configuration_quality(&check->config, args->positional[0], &found, err) != OK) {
        if (err->hint[0]) return FAIL;
        return err_hint(err, "a dataset under `quality:`, a file, or a database's URL");
    }
    if (!found->from.connector) {
        (void)err_set(err, ERR_CONFIG, "\"%.*s\" names no dataset: it is for `check` steps",
                      STR_ARG(found->name));
        return err_hint(err, "give it `from:` and `table:`");
    }
    check->set = *found;
    check->named = true;
    if (!args_has(args, "memory")) check->memory_bytes = check->config.options.memory_bytes;
    return OK;
}

static Status set_make(const Program *program, const Args *args, Check *check, Err *err)
{
    Err not_a_location = {0};
    Str place = args->positional[0];
    check->set = (QualitySet){.rules = QUALITY_DEFAULT_RULES,
                              .rule_count = COUNT_OF(QUALITY_DEFAULT_RULES),
                              .min_score = 90,
                              .evidence = 20};
    if (location_parse(program->registry, place, &check->arena, &check->set.from,
                       &not_a_location) != OK) {
        TRY(configured_set_make(program, args, check, err));
    }
    TRY(apply_args(args, check, err));
    if (!check->named) check->set.name = name_of(&check->set);
    return rules_apply(program, args, check, err);
}

static Status put_out(const Program *program, const Args *args, Str text, Err *err)
{
    Str path = args_get(args, "output", STR_NULL);
    if (path.len == 0) return output_write(program, text, err);
    CLEANUP(file_close_p) int fd = -1;
    const FileStop stop = {&program->cancelled, NULL};
    if (file_is_stream(path)) TRY(file_open_wait(path, O_WRONLY, stop, &fd, err));
    else TRY(file_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd, err));
    return file_write_wait(fd, text, stop, err);
}

/* Reports of a dataset are kept, those of its own rules and all of its rows. */
static StateStore *store_open(const Args *args, const Check *check)
{
    StateStore *store = NULL;
    Err err = {0};
    bool other = args_has(args, "rules") || args_has(args, "where") || args_has(args, "table") ||
                 args_has(args, "query");
    if (!check->named || other || args_has(args, "no-history")) return NULL;
    if (state_store_open(check->config.options.state, &store, &err) == OK) return store;
    (void)fprintf(stderr, "neuron: the report is not kept: %s\n", err.message);
    return NULL;
}

static Status write_report(const Program *program, const Args *args, const Check *check,
                           const QualityReport *report, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 30);
    bool color = program->color && isatty(STDOUT_FILENO) && !args_has(args, "output");
    TRY(quality_report_write(report, check->format, color, &out, err));
    if (check->format == REPORT_JSON) TRY(buf_append_char(&out, '\n', err));
    return put_out(program, args, buf_str(&out), err);
}

static Status check_now(Program *program, const Args *args, Check *check, int *ret_exit, Err *err)
{
    Budget budget;
    budget_init(&budget, "memory", NULL, check->memory_bytes);
    DatasetCheck dataset = {.set = &check->set,
                            .store = store_open(args, check),
                            .env = {.budget = &budget,
                                    .cancelled = &program->cancelled,
                                    .where = args_get(args, "where", STR_NULL)}};
    CLEANUP(quality_report_free_p) QualityReport *report = NULL;
    Status status = dataset_check(&dataset, &report, err);
    if (dataset.store) state_store_close(dataset.store);
    if (status != OK) return FAIL;
    bool bad = report->verdict == VERDICT_FAIL || report->verdict == VERDICT_ERROR;
    *ret_exit = bad ? 1 : 0;
    return write_report(program, args, check, report, err);
}

static Status check_run(Program *program, const Args *args, int *ret_exit, Err *err)
{
    Check check = {.arena = arena_make(64 << 20)};
    Status status = check_format(program, args, &check, err);
    if (status == OK) status = set_make(program, args, &check, err);
    if (status == OK) status = check_now(program, args, &check, ret_exit, err);
    if (check.config_open) configuration_done(&check.config);
    if (check.rules_open) configuration_done(&check.rules);
    arena_done(&check.arena);
    return status;
}

static const ArgOption OPTIONS[] = {
    {"format", 0, "FORMAT", "table (default), json, html, markdown or junit", false},
    {"output", 'o', "FILE", "write the report there", false},
    {"rules", 0, "FILE", "the rules: a YAML list, or a map as under `quality:`", false},
    {"where", 0, "EXPR", "only rows for which this is true", false},
    {"table", 0, "TABLE", "the table to read, where the location is a database", false},
    {"query", 0, "SQL", "the query to read", false},
    {"key", 0, "COLUMNS", "the columns that name a row, with commas", false},
    {"no-history", 0, NULL, "don't keep the report of a configured dataset", false},
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
