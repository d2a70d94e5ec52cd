/* The `tests:` of a configuration: a pipeline's steps over given rows. */
#include "service/setup/configuration_test.h"

#include <stdlib.h>
#include <unistd.h>

#include "engine/expr/canonical.h"
#include "foundation/base/file.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"

/* A YAML value as JSON: unquoted scalars by YAML's core schema. */
static Status put_json(const YamlNode *node, Buf *out, Err *err)
{
    if (node->kind != YAML_SCALAR) {
        bool map = node->kind == YAML_MAP;
        TRY(buf_append_char(out, map ? '{' : '[', err));
        for (const YamlNode *at = node->first; at; at = at->next) {
            if (at != node->first) TRY(buf_append_char(out, ',', err));
            if (map) {
                TRY(json_put_text(out, at->key, err));
                TRY(buf_append_char(out, ':', err));
            }
            TRY(put_json(at, out, err));
        }
        return buf_append_char(out, map ? '}' : ']', err);
    }
    if (yaml_is_null(node)) return buf_append(out, STR("null"), err);
    bool word = str_eq(node->text, STR("true")) || str_eq(node->text, STR("false"));
    bool plain = node->plain && (word || json_validate(node->text, NULL));
    return plain ? buf_append(out, node->text, err) : json_put_text(out, node->text, err);
}

/* A file of JSON lines with a name, so that the pipeline's own reader reads it. */
static Status write_rows(const YamlNode *rows, char path[64], Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(INT64_C(1) << 28);
    for (const YamlNode *at = rows->kind == YAML_LIST ? rows->first : NULL; at; at = at->next) {
        TRY(put_json(at, &text, err));
        TRY(buf_append_char(&text, '\n', err));
    }
    int fd = mkstemps(path, 7);
    if (fd < 0) return err_set(err, ERR_IO, "can't make a temporary file");
    Status status = file_write(fd, buf_str(&text), err);
    file_close(fd);
    return status;
}

/* Every member of `want` is in `row` with the same value. */
static bool row_matches(const JsonValue *want, const JsonValue *row, Arena *arena)
{
    for (const JsonValue *member = want->first; member; member = member->next) {
        const JsonValue *has = json_member(row, member->key);
        if (!has || has->kind != member->kind) return false;
        bool same = member->kind == JSON_STRING
                        ? str_eq(member->text, has->text)
                        : canonical_compare(member->text, has->text, arena) == 0;
        if (!same) return false;
    }
    return true;
}

typedef struct Comparison {
    const TestOptions *test;
    Buf *report;
    bool passed;
} Comparison;

static Status compare_rows(Comparison *k, Str output, Arena *arena, Err *err)
{
    int64_t number = 0;
    Str line = STR_NULL;
    const YamlNode *want = k->test->output->kind == YAML_LIST ? k->test->output->first : NULL;
    while (output.len && str_next_part(&output, '\n', &line)) {
        if (line.len == 0) continue;
        number++;
        CLEANUP(buf_done) Buf text = buf_make(1 << 26);
        JsonValue *row = NULL, *wanted = NULL;
        if (want) TRY(put_json(want, &text, err));
        Str copy;
        TRY(arena_copy(arena, want ? buf_str(&text) : STR("null"), &copy, err));
        TRY(json_parse(copy, arena, &wanted, err));
        TRY(json_parse(line, arena, &row, err));
        if (!want || !row_matches(wanted, row, arena)) {
            k->passed = false;
            TRY(buf_printf(k->report, err, "  row %lld: got %.*s\n    wanted %.*s\n",
                           (long long)number, STR_ARG(line), STR_ARG(copy)));
        }
        if (want) want = want->next;
    }
    for (; want; want = want->next) {
        CLEANUP(buf_done) Buf text = buf_make(1 << 26);
        TRY(put_json(want, &text, err));
        k->passed = false;
        TRY(buf_printf(k->report, err, "  missing: %.*s\n", STR_ARG(buf_str(&text))));
    }
    return OK;
}

static Status run_steps(const PipelineConfig *pipeline, const Registry *registry, Str from, Str to,
                        RunResult *result, Arena *arena, Err *err)
{
    PipelineConfig config = {
        .steps = pipeline->steps,
        .step_count = pipeline->step_count,
        .mode = SINK_REPLACE,
        .rejects = true,
        .rejects_elsewhere = true,
        .parallel = 1,
    };
    TRY(location_parse(from, arena, &config.from, err));
    TRY(location_parse(to, arena, &config.to, err));
    TRY(location_parse(STR("/dev/null#ndjson"), arena, &config.reject_to, err));
    Budget budget;
    budget_init(&budget, "memory", NULL, INT64_C(1) << 30);
    PipelineEnv env = {.registry = registry, .budget = &budget};
    RunOptions options = {0};
    return pipeline_run(&config, &options, &env, result, err);
}

static Status test_files(const PipelineConfig *pipeline, const Registry *registry, Comparison *k,
                         char from[64], char to[64], Err *err)
{
    Arena arena = arena_make(INT64_C(256) << 20);
    CLEANUP(buf_done) Buf output = buf_make(INT64_C(1) << 28);
    RunResult result;
    run_result_init(&result);
    Err why = {0};
    Status status = write_rows(k->test->input, from, err);
    if (status == OK &&
        run_steps(pipeline, registry, str_from(from), str_from(to), &result, &arena, &why) != OK) {
        k->passed = false;
        status = buf_printf(k->report, err, "  failed: %s\n", why.message);
    } else if (status == OK) {
        status = file_load(str_from(to), &output, err);
        if (status == OK) status = compare_rows(k, buf_str(&output), &arena, err);
        if (status == OK && result.rejected != k->test->rejects) {
            k->passed = false;
            status = buf_printf(k->report, err, "  %lld rejects, wanted %lld\n",
                                (long long)result.rejected, (long long)k->test->rejects);
        }
    }
    run_result_done(&result);
    arena_done(&arena);
    return status;
}

Status configuration_test(const Configuration *c, const Registry *registry, const TestOptions *test,
                          bool *ret_passed, Buf *report, Err *err)
{
    const PipelineConfig *pipeline = NULL;
    if (test->pipeline.len == 0) {
        return err_set(err, ERR_CONFIG,
                       "a test must name its `pipeline`; processors of streams "
                       "can't be tested yet");
    }
    TRY(configuration_pipeline(c, test->pipeline, &pipeline, err));
    Comparison k = {.test = test, .report = report, .passed = true};
    char from[64] = "/tmp/neuron-test-XXXXXX.ndjson";
    char to[64] = "/tmp/neuron-test-XXXXXX.ndjson";
    int fd = mkstemps(to, 7);
    if (fd < 0) return err_set(err, ERR_IO, "can't make a temporary file");
    file_close(fd);
    int64_t start = report->len;
    Status status = test_files(pipeline, registry, &k, from, to, err);
    (void)unlink(from);
    (void)unlink(to);
    TRY(status);
    *ret_passed = k.passed;
    CLEANUP(buf_done) Buf details = buf_make(INT64_C(1) << 28);
    TRY(buf_append(&details, str_slice(buf_str(report), start, report->len), err));
    report->len = start;
    Str name = test->name.len ? test->name : test->pipeline;
    TRY(buf_printf(report, err, "%s %.*s\n", k.passed ? "ok  " : "FAIL", STR_ARG(name)));
    return buf_append(report, buf_str(&details), err);
}
