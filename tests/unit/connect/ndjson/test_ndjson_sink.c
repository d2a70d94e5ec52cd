/* Tests of JSON lines as they are written: rows, and the values of messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/ndjson/ndjson_impl.h"
#include "engine/format/message.h"
#include "unit/connect/file_world.h"

static void test_rows(void **state)
{
    (void)state;
    FileWorld w;
    file_world_init(&w, SINK_APPEND);
    Schema *schema = file_world_schema();
    file_world_run(&w, ndjson_sink_new, file_world_batch(schema, 1, 2, "a\"\n"));
    file_world_run(&w, ndjson_sink_new, file_world_batch(schema, 3, 1, NULL));
    assert_string_equal(file_world_text(&w), "{\"id\":1,\"name\":\"a\\\"\\n\"}\n"
                                             "{\"id\":2,\"name\":\"a\\\"\\n\"}\n"
                                             "{\"id\":3,\"name\":null}\n");
    w.req.mode = SINK_REPLACE;
    file_world_run(&w, ndjson_sink_new, file_world_batch(schema, 4, 1, NULL));
    assert_string_equal(file_world_text(&w), "{\"id\":4,\"name\":null}\n");
    schema_unref(schema);
    file_world_done(&w);
}

/* Only the value: on one line, null for a tombstone. */
static void test_messages(void **state)
{
    (void)state;
    FileWorld w;
    file_world_init(&w, SINK_REPLACE);
    MessageWriter writer;
    Batch *batch = NULL;
    assert_int_equal(message_writer_init(&writer, NULL, NULL), OK);
    const Message messages[] = {
        {.key = STR("k"), .value = STR("{\"a\":\r\n1}")}, {.key = STR("k")}, {.value = STR("")}};
    for (int64_t i = 0; i < COUNT_OF(messages); i++) {
        assert_int_equal(message_writer_add(&writer, &messages[i], NULL), OK);
    }
    assert_int_equal(message_writer_take(&writer, &batch, NULL), OK);
    file_world_run(&w, ndjson_sink_new, batch);
    assert_string_equal(file_world_text(&w), "{\"a\":  1}\nnull\n\n");
    message_writer_done(&writer);
    file_world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
