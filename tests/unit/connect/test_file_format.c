/* Tests of connect/file_format.h with a format of their own: `<`, a line a row, `>`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/file_format.h"
#include "unit/connect/file_world.h"

typedef struct State {
    int32_t rows; /* since open */
} State;

static int32_t closed; /* states */

static Status tiny_check(const Schema *schema, Err *err)
{
    return schema->count == 2 ? OK : err_set(err, ERR_CONFIG, "two columns");
}

static Status tiny_open(void *state, const Location *location, const Schema *schema, Err *err)
{
    State *s = state;
    assert_int_equal(s->rows, 0);
    assert_int_equal(schema->count, 2);
    return location->option_count ? err_set(err, ERR_CONFIG, "no options") : OK;
}

static Status tiny_header(void *state, Buf *out, Err *err)
{
    (void)state;
    return buf_append_char(out, '<', err);
}

static Status tiny_rows(void *state, const Batch *batch, Buf *out, Err *err)
{
    ((State *)state)->rows += (int32_t)batch->rows;
    for (int64_t i = 0; i < batch->rows; i++) {
        TRY(buf_printf(out, err, "%lld\n", (long long)column_int64(&batch->columns[0])[i]));
    }
    return OK;
}

static Status tiny_footer(void *state, Buf *out, Err *err)
{
    return buf_printf(out, err, "%d>", (int)((State *)state)->rows);
}

static void tiny_close(void *state)
{
    assert_non_null(state);
    closed++;
}

static const FileFormat WHOLE = {
    .file = "a tiny file",
    .values = "digits",
    .state_bytes = sizeof(State),
    .check = tiny_check,
    .open = tiny_open,
    .header = tiny_header,
    .rows = tiny_rows,
    .footer = tiny_footer,
    .close = tiny_close,
};
static const FileFormat APPENDED = {
    .file = "a tiny file",
    .values = "digits",
    .can_append = true,
    .state_bytes = sizeof(State),
    .header = tiny_header,
    .rows = tiny_rows,
};
static const FileFormat ROWS = {
    .file = "rows", .values = "digits", .state_bytes = sizeof(State), .rows = tiny_rows};

static Status whole_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    return file_format_sink(&WHOLE, req, ret_sink, err);
}

static Status appended_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    return file_format_sink(&APPENDED, req, ret_sink, err);
}

static Status rows_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    return file_format_sink(&ROWS, req, ret_sink, err);
}

/* Header, the rows of all batches, footer; the next run begins anew. */
static void test_replace(void **state)
{
    (void)state;
    FileWorld w;
    file_world_init(&w, SINK_REPLACE);
    Schema *schema = file_world_schema();
    Sink *sink = file_world_sink(&w, whole_new, schema);
    assert_int_equal(sink_begin(sink, 1, NULL), OK);
    for (int64_t from = 1; from < 5; from += 2) {
        Batch *batch = file_world_batch(schema, from, 2, NULL);
        assert_int_equal(sink_write(sink, 0, batch, NULL, NULL), OK);
        batch_unref(batch);
    }
    assert_false(file_exists(str_from(w.path)));
    file_world_commit(sink, 4);
    assert_string_equal(file_world_text(&w), "<1\n2\n3\n4\n4>");
    closed = 0;
    sink_close(sink);
    assert_int_equal(closed, 1);
    file_world_run(&w, whole_new, file_world_batch(schema, 7, 1, NULL));
    assert_string_equal(file_world_text(&w), "<7\n1>");
    schema_unref(schema);
    file_world_done(&w);
}

/* Only an empty file gets the header; what was aborted leaves nothing. */
static void test_append(void **state)
{
    (void)state;
    FileWorld w;
    file_world_init(&w, SINK_APPEND);
    Schema *schema = file_world_schema();
    file_world_run(&w, appended_new, file_world_batch(schema, 1, 2, NULL));
    Sink *sink = file_world_sink(&w, appended_new, schema);
    assert_int_equal(sink_begin(sink, 1, NULL), OK);
    Batch *batch = file_world_batch(schema, 9, 1, NULL);
    assert_int_equal(sink_write(sink, 0, batch, NULL, NULL), OK);
    assert_int_equal(sink_abort(sink, NULL), OK);
    assert_int_equal(sink_begin(sink, 1, NULL), OK);
    file_world_commit(sink, 0);
    sink_close(sink);
    file_world_run(&w, appended_new, file_world_batch(schema, 3, 1, NULL));
    assert_string_equal(file_world_text(&w), "<1\n2\n3\n");
    batch_unref(batch);
    schema_unref(schema);
    file_world_done(&w);
}

/* A format may be nothing but its rows. */
static void test_rows_alone(void **state)
{
    (void)state;
    FileWorld w;
    file_world_init(&w, SINK_REPLACE);
    Schema *schema = file_world_schema();
    file_world_run(&w, rows_new, file_world_batch(schema, 1, 2, NULL));
    assert_string_equal(file_world_text(&w), "1\n2\n");
    schema_unref(schema);
    file_world_done(&w);
}

static void test_modes(void **state)
{
    (void)state;
    static const struct {
        const FileFormat *format;
        SinkMode mode;
        const char *message, *hint;
    } CASES[] = {
        {&APPENDED, SINK_UPSERT, "a tiny file can't be merged into", "mode replace or append"},
        {&APPENDED, SINK_MIRROR, "a tiny file can't be merged into", "mode replace or append"},
        {&WHOLE, SINK_UPSERT, "a tiny file can't be merged into", "mode replace"},
        {&WHOLE, SINK_APPEND, "a tiny file can't be appended to", "mode replace"},
    };
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        Location location = {.path = STR("x")};
        SinkReq req = {.location = &location, .mode = CASES[i].mode};
        Sink *sink = NULL;
        Err err = {0};
        assert_int_equal(file_format_sink(CASES[i].format, &req, &sink, &err), FAIL);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_string_equal(err.message, CASES[i].message);
        assert_string_equal(err.hint, CASES[i].hint);
    }
}

static void test_plan(void **state)
{
    (void)state;
    FileWorld w;
    file_world_init(&w, SINK_REPLACE);
    Schema *schema = file_world_schema(), *other = NULL;
    Sink *sink = NULL;
    SinkPlan plan;
    Err err = {0};
    assert_int_equal(whole_new(&w.req, &sink, NULL), OK);
    assert_int_equal(sink_describe(sink, schema, &plan, NULL), OK);
    assert_int_equal(plan.type_count, 2);
    assert_true(str_eq(plan.types[0], STR("id: bigint -> digits")));
    assert_true(plan.exactly_once);
    sink_plan_done(&plan);
    assert_int_equal(schema_new(schema->fields, 1, false, &other, NULL), OK);
    assert_int_equal(sink_describe(sink, other, &plan, &err), FAIL);
    assert_string_equal(err.message, "two columns");
    sink_plan_done(&plan);
    sink_close(sink);
    schema_unref(schema);
    schema_unref(other);
    file_world_done(&w);
}

/* One port; what the format refuses is refused there. */
static void test_port(void **state)
{
    (void)state;
    FileWorld w;
    file_world_init(&w, SINK_REPLACE);
    Schema *schema = file_world_schema();
    Sink *sink = file_world_sink(&w, whole_new, schema);
    int32_t port;
    Err err = {0};
    assert_int_equal(sink_port(sink, PORT_OUT, STR_NULL, schema, &port, &err), FAIL);
    assert_string_equal(err.message, "a file takes rows of one kind");
    sink_close(sink);
    w.location.option_count = 1;
    assert_int_equal(whole_new(&w.req, &sink, NULL), OK);
    assert_int_equal(sink_open(sink, STR("run"), 0, NULL), OK);
    assert_int_equal(sink_port(sink, PORT_OUT, STR_NULL, schema, &port, &err), FAIL);
    assert_string_equal(err.message, "no options");
    sink_close(sink);
    schema_unref(schema);
    file_world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace),    cmocka_unit_test(test_append),
        cmocka_unit_test(test_rows_alone), cmocka_unit_test(test_modes),
        cmocka_unit_test(test_plan),       cmocka_unit_test(test_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
