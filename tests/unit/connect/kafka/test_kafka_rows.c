/* Tests of connect/kafka/kafka_rows.h: messages into rows and rejects, whatever the codec. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "connect/kafka/kafka_rows.h"
#include "unit/engine/format/tiny_codec.h"

/* The two functions that look into a message of the library's: ours have no headers, and the time
 * 5 ms. */
rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *message UNUSED,
                                             rd_kafka_headers_t **ret_headers UNUSED)
{
    return RD_KAFKA_RESP_ERR__NOENT;
}

int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *message UNUSED,
                                   rd_kafka_timestamp_type_t *ret_type)
{
    *ret_type = RD_KAFKA_TIMESTAMP_CREATE_TIME;
    return 5;
}

static Status add(KafkaRows *rows, int64_t offset, const char *value, Err *err)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s", value ? value : "");
    rd_kafka_message_t message = {.payload = value ? text : NULL,
                                  .len = strlen(text),
                                  .key = text,
                                  .key_len = 1,
                                  .partition = 3,
                                  .offset = offset};
    return kafka_rows_add(rows, &message, err);
}

static void check_text(const Batch *batch, int32_t column, int64_t row, const char *want)
{
    Str got = column_text(&batch->columns[column], row);
    if (!str_eq(got, str_from(want))) fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

/* Two values that are rows, and one between them that is none. */
static void check_codec(const MessageCodec *codec, const char *const values[3],
                        const char *const objects[2], const char *reason)
{
    static const PathSet NO_PATHS;
    KafkaRows rows;
    SourceEvent event;
    const SourceReq req = {.open = true, .paths = &NO_PATHS, .rejects = true};
    assert_int_equal(kafka_rows_init(&rows, &req, codec, STR("t"), NULL, NULL), OK);
    for (int64_t i = 0; i < 3; i++) {
        assert_int_equal(add(&rows, 10 + 2 * i, values[i], NULL), OK);
    }
    assert_int_equal(add(&rows, 20, NULL, NULL), OK);
    assert_int_equal(kafka_rows_take(&rows, 3, 7, &event, NULL), OK);
    assert_int_equal(event.kind, SOURCE_BATCH);
    assert_int_equal(event.batch->rows, 2);
    assert_int_equal(event.batch->span.first, 10);
    assert_int_equal(event.batch->span.next, 21);
    assert_int_equal(event.batch->epoch, 7);
    assert_int_equal(batch_ordinal(event.batch, 1), 14);
    for (int64_t i = 0; i < 2; i++) check_text(event.batch, 0, i, objects[i]);
    check_text(event.batch, 1, 0, "t");
    assert_int_equal(column_int64(&event.batch->columns[3])[1], 14);
    assert_int_equal(event.rejects->rows, 2);
    int32_t at = schema_find(event.rejects->schema, STR("reason"));
    assert_true(at >= 0);
    check_text(event.rejects, at, 0, reason);
    check_text(event.rejects, at, 1, "a tombstone: no value");
    batch_unref(event.batch);
    batch_unref(event.rejects);
    assert_int_equal(kafka_rows_take(&rows, 3, 7, &event, NULL), OK);
    assert_null(event.batch);
    assert_null(event.rejects);
    kafka_rows_done(&rows);
}

static void test_codecs(void **state)
{
    (void)state;
    check_codec(&message_codec_json, (const char *const[]){"{\"a\":1}", "7", "{}"},
                (const char *const[]){"{\"a\":1}", "{}"}, "a JSON object was expected at byte 1");
    check_codec(&tiny_codec, (const char *const[]){"va", "{}", "vb"},
                (const char *const[]){"{\"v\":\"a\"}", "{\"v\":\"b\"}"}, "no v");
}

/* Where rejects are not asked for the first of them ends the run. */
static void test_no_rejects(void **state)
{
    (void)state;
    KafkaRows rows;
    Err err = {0};
    const SourceReq req = {0};
    assert_int_equal(kafka_rows_init(&rows, &req, &tiny_codec, STR("t"), NULL, NULL), OK);
    assert_int_equal(add(&rows, 4, "x", &err), FAIL);
    assert_string_equal(err.message, "topic t, partition 3, offset 4: no v");
    assert_int_equal(kafka_rows_clear(&rows, NULL), OK);
    kafka_rows_done(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codecs),
        cmocka_unit_test(test_no_rejects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
