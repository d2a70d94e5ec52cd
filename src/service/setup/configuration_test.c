/* The `tests:` of a configuration: a pipeline's steps over given rows, a stream's processors over
 * given messages. */
#include "service/setup/configuration_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/expr/canonical.h"
#include "foundation/base/file.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"
#include "service/setup/mistake_place.h"
#include "service/setup/sections.h"

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

/* The files of one test. */
typedef struct TestFiles {
    const Registry *registry;
    Str from, to;
    Arena *arena;
} TestFiles;

/* What is tested: a pipeline's steps, or a stream's processors. */
typedef struct Subject {
    const PipelineConfig *pipeline;
    const StreamConfig *stream;
    int32_t processor; /* -1: whichever a message's type names */
    int64_t refused_wanted;
    const char *refused_name;
} Subject;

static Status run_steps(const PipelineConfig *pipeline, const TestFiles *files,
                        int64_t *ret_refused, Err *err)
{
    PipelineConfig config = {
        .steps = pipeline->steps,
        .step_count = pipeline->step_count,
        .mode = SINK_REPLACE,
        .reject.on = true,
        .reject.elsewhere = true,
        .parallel = 1,
    };
    TRY(location_parse(files->registry, files->from, files->arena, &config.from, err));
    TRY(location_parse(files->registry, files->to, files->arena, &config.to, err));
    TRY(location_parse(files->registry, STR("/dev/null#ndjson"), files->arena, &config.reject.to,
                       err));
    Budget budget;
    budget_init(&budget, "memory", NULL, INT64_C(1) << 30);
    PipelineEnv env = {.budget = &budget};
    RunOptions options = {0};
    RunResult result;
    run_result_init(&result);
    Status status = pipeline_run(&config, &options, &env, &result, err);
    *ret_refused = result.rows.rejected;
    run_result_done(&result);
    return status;
}

/* The stream with files in the place of its systems. */
static Status run_processors(const Subject *subject, const TestFiles *files, int64_t *ret_refused,
                             Err *err)
{
    StreamConfig config = *subject->stream;
    config.topic = config.to_name = config.letters.name = STR_NULL;
    config.to_messages = true;
    config.from_messages = false;
    config.routing.only = subject->processor;
    config.mode = SINK_APPEND;
    config.key_columns = NULL;
    config.key_column_count = 0;
    if (!subject->stream->to_messages) config.key = (StreamText){0};
    config.letters.kept = config.letters.elsewhere = config.letters.messages = true;
    config.letters.format = DEAD_LETTER_ENVELOPE;
    TRY(location_parse(files->registry, files->from, files->arena, &config.from, err));
    TRY(location_parse(files->registry, files->to, files->arena, &config.to, err));
    TRY(location_parse(files->registry, STR("/dev/null#ndjson"), files->arena, &config.letters.to,
                       err));
    Budget budget;
    budget_init(&budget, "memory", NULL, INT64_C(1) << 30);
    StreamEnv env = {.budget = &budget, .drain = true};
    StreamStats stats;
    Status status = stream_stats_init(&stats, &config, err);
    if (status == OK) status = stream_run(&config, &env, &stats, err);
    *ret_refused = atomic_load(&stats.ledger.dead_lettered);
    stream_stats_done(&stats);
    return status;
}

static Status run_subject(const Subject *subject, const TestFiles *files, int64_t *ret_refused,
                          Err *err)
{
    if (subject->stream) return run_processors(subject, files, ret_refused, err);
    return run_steps(subject->pipeline, files, ret_refused, err);
}

static Status test_files(const Subject *subject, const Registry *registry, Comparison *k,
                         char from[64], char to[64], Err *err)
{
    Arena arena = arena_make(INT64_C(256) << 20);
    CLEANUP(buf_done) Buf output = buf_make(INT64_C(1) << 28);
    Err why = {0};
    int64_t refused = 0;
    Status status = write_rows(k->test->input, from, err);
    TestFiles files = {registry, str_from(from), str_from(to), &arena};
    if (status == OK && run_subject(subject, &files, &refused, &why) != OK) {
        k->passed = false;
        status = buf_printf(k->report, err, "  failed: %s\n", why.message);
    } else if (status == OK) {
        status = file_load(str_from(to), &output, err);
        if (status == OK) status = compare_rows(k, buf_str(&output), &arena, err);
        if (status == OK && refused != subject->refused_wanted) {
            k->passed = false;
            status = buf_printf(k->report, err, "  %lld %s, wanted %lld\n", (long long)refused,
                                subject->refused_name, (long long)subject->refused_wanted);
        }
    }
    arena_done(&arena);
    return status;
}

/* The nearest one, or all of them. */
static Status name_processors(const StreamConfig *stream, Str type, Err *err)
{
    char text[ERR_HINT_MAX] = "";
    int len = 0;
    for (int32_t i = 0; i < stream->routing.processor_count; i++) {
        Str known = stream->routing.processors[i].type;
        if (str_nearest(type, &known, 1).ptr) {
            return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(known));
        }
        size_t left = sizeof text - (size_t)len;
        int more = snprintf(text + len, left, "%s\"%.*s\"", len ? ", " : "", STR_ARG(known));
        if (more > 0 && (size_t)more < left) len += more;
        else text[len] = 0;
    }
    return err_hint(err, "its processors are %s", text);
}

/* stream, or stream/type. */
static Status find_processor(const Configuration *c, const TestOptions *test, Subject *subject,
                             Err *err)
{
    Str name = test->processor;
    int64_t slash = str_find_char(name, '/');
    Str stream = slash < 0 ? name : str_slice(name, 0, slash);
    Str type = slash < 0 ? STR_NULL : str_slice(name, slash + 1, name.len);
    TRY(configuration_stream(c, stream, &subject->stream, err));
    subject->processor = -1;
    subject->refused_wanted = test->dead_letters;
    subject->refused_name = "dead letters";
    const StreamRouting *routing = &subject->stream->routing;
    for (int32_t i = 0; i < routing->processor_count && type.len; i++) {
        if (str_eq(routing->processors[i].type, type)) subject->processor = i;
    }
    if (!type.len || subject->processor >= 0) return OK;
    (void)err_set(err, ERR_CONFIG, "the stream \"%.*s\" has no processor \"%.*s\"", STR_ARG(stream),
                  STR_ARG(type));
    return name_processors(subject->stream, type, err);
}

static Status find_subject(const Configuration *c, const TestOptions *test, Subject *subject,
                           Err *err)
{
    *subject = (Subject){.refused_wanted = test->rejects, .refused_name = "rejects"};
    if (test->processor.len) return find_processor(c, test, subject, err);
    if (test->pipeline.len)
        return configuration_pipeline(c, test->pipeline, &subject->pipeline, err);
    (void)err_set(err, ERR_CONFIG, "a test must name its `pipeline` or `processor`");
    return err_hint(err, "pipeline: NAME, or processor: STREAM/TYPE");
}

void tests_check(Configuration *c)
{
    for (int32_t i = 0; i < c->options.tests.count; i++) {
        const TestOptions *test = c->options.tests.items[i];
        const char *option = test->processor.len ? "processor" : "pipeline";
        const YamlNode *node = option_node(&test->head, option);
        Subject subject;
        Err why = {0};
        if (find_subject(c, test, &subject, &why) == OK) continue;
        mistake_from(c, node ? node : test->head.node, &why);
    }
}

static void remove_file(const char path[64])
{
    char journal[80];
    (void)snprintf(journal, sizeof journal, "%s.neuron", path);
    (void)unlink(path);
    (void)unlink(journal);
}

Status configuration_test(const Configuration *c, const TestOptions *test, bool *ret_passed,
                          Buf *report, Err *err)
{
    Subject subject;
    TRY(find_subject(c, test, &subject, err));
    Comparison k = {.test = test, .report = report, .passed = true};
    char from[64] = "/tmp/neuron-test-XXXXXX.ndjson";
    char to[64] = "/tmp/neuron-test-XXXXXX.ndjson";
    int fd = mkstemps(to, 7);
    if (fd < 0) return err_set(err, ERR_IO, "can't make a temporary file");
    file_close(fd);
    int64_t start = report->len;
    Status status = test_files(&subject, c->registry, &k, from, to, err);
    remove_file(from);
    remove_file(to);
    TRY(status);
    *ret_passed = k.passed;
    CLEANUP(buf_done) Buf details = buf_make(INT64_C(1) << 28);
    TRY(buf_append(&details, str_slice(buf_str(report), start, report->len), err));
    report->len = start;
    Str name = test->name.len ? test->name : test->processor.len ? test->processor : test->pipeline;
    TRY(buf_printf(report, err, "%s %.*s\n", k.passed ? "ok  " : "FAIL", STR_ARG(name)));
    return buf_append(report, buf_str(&details), err);
}
