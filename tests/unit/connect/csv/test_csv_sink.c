/* Tests of the CSV format as it is written: header, rows, options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/csv/csv_impl.h"
#include "unit/connect/file_world.h"

static void check(SinkMode mode, const char *option, const char *value, const char *want)
{
    FileWorld w;
    file_world_init(&w, mode);
    w.options[0] = (LocationOption){str_from(option), str_from(value)};
    w.location.option_count = option ? 1 : 0;
    Schema *schema = file_world_schema();
    file_world_run(&w, csv_sink_new, file_world_batch(schema, 1, 1, "a;\"b\""));
    file_world_run(&w, csv_sink_new, file_world_batch(schema, 2, 1, NULL));
    assert_string_equal(file_world_text(&w), want);
    schema_unref(schema);
    file_world_done(&w);
}

static void test_bytes(void **state)
{
    (void)state;
    check(SINK_APPEND, NULL, NULL, "id,name\n1,\"a;\"\"b\"\"\"\n2,\n");
    check(SINK_REPLACE, NULL, NULL, "id,name\n2,\n");
    check(SINK_APPEND, "delimiter", ";", "id;name\n1;\"a;\"\"b\"\"\"\n2;\n");
    check(SINK_APPEND, "header", "false", "1,\"a;\"\"b\"\"\"\n2,\n");
}

static void test_mistakes(void **state)
{
    (void)state;
    FileWorld w;
    file_world_init(&w, SINK_REPLACE);
    Schema *open = NULL, *schema = file_world_schema();
    Sink *sink = NULL;
    int32_t port;
    Err err = {0};
    assert_int_equal(schema_new(schema->fields, 1, true, &open, NULL), OK);
    assert_int_equal(csv_sink_new(&w.req, &sink, NULL), OK);
    assert_int_equal(sink_open(sink, STR("run"), 0, NULL), OK);
    assert_int_equal(sink_port(sink, PORT_OUT, STR_NULL, open, &port, &err), FAIL);
    assert_string_equal(err.message, "csv needs known columns; name them in a select");
    w.options[0] = (LocationOption){STR("delimiter"), STR("ab")};
    w.location.option_count = 1;
    assert_int_equal(sink_port(sink, PORT_OUT, STR_NULL, schema, &port, &err), FAIL);
    assert_int_equal(err.kind, ERR_CONFIG);
    sink_close(sink);
    w.location.option_count = 0;
    w.req.mode = SINK_MIRROR;
    assert_int_equal(csv_sink_new(&w.req, &sink, &err), FAIL);
    assert_string_equal(err.message, "a CSV file can't be merged into");
    schema_unref(open);
    schema_unref(schema);
    file_world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
