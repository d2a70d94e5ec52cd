/* Rows as JSON objects: every type, open rows, rejects. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/format/json_write.h"
#include "engine/format/reject.h"
#include "foundation/codec/uuid.h"

static void check_text(Str got, const char *want)
{
    if (!str_eq(got, str_from(want))) fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

enum { COLUMNS = 14 };

static const Field FIELDS[COLUMNS] = {
    {.name = {"bool", 4}, .type = TYPE_BOOL},      {.name = {"int", 3}, .type = TYPE_INT64},
    {.name = {"real", 4}, .type = TYPE_DOUBLE},    {.name = {"num", 3}, .type = TYPE_NUMERIC},
    {.name = {"text", 4}, .type = TYPE_TEXT},      {.name = {"bytes", 5}, .type = TYPE_BYTES},
    {.name = {"json", 4}, .type = TYPE_JSON},      {.name = {"date", 4}, .type = TYPE_DATE},
    {.name = {"time", 4}, .type = TYPE_TIME},      {.name = {"ts", 2}, .type = TYPE_TIMESTAMP},
    {.name = {"tz", 2}, .type = TYPE_TIMESTAMPTZ}, {.name = {"iv", 2}, .type = TYPE_INTERVAL},
    {.name = {"uuid", 4}, .type = TYPE_UUID},      {.name = {"dy\"n", 4}, .type = TYPE_DYNAMIC},
};

static void append_sample(Builder *b)
{
    Err err = {0};
    uint8_t uuid[16];
    assert_true(uuid_parse(STR("00112233445566778899AABBCCDDEEFF"), uuid));
    Builder *child;
    assert_int_equal(builder_bool(&b[0], true, &err), OK);
    assert_int_equal(builder_int64(&b[1], INT64_MIN, &err), OK);
    assert_int_equal(builder_double(&b[2], 0.1, &err), OK);
    assert_int_equal(builder_numeric(&b[3], (Decimal){-1500, 3}, &err), OK);
    assert_int_equal(builder_text(&b[4], STR("a\"\n"), &err), OK);
    assert_int_equal(builder_text(&b[5], STR("\xff\x01"), &err), OK);
    assert_int_equal(builder_text(&b[6], STR("{\"x\":\r\n[1]}"), &err), OK);
    assert_int_equal(builder_date(&b[7], 19782, &err), OK);
    assert_int_equal(builder_int64(&b[8], 3600500000, &err), OK);
    assert_int_equal(builder_int64(&b[9], 1709210096500000, &err), OK);
    assert_int_equal(builder_int64(&b[10], 1709210096000000, &err), OK);
    assert_int_equal(builder_interval(&b[11], (Interval){1, 2, 3000000}, &err), OK);
    assert_int_equal(builder_uuid(&b[12], uuid, &err), OK);
    assert_int_equal(builder_dynamic(&b[13], TYPE_INT64, &child, &err), OK);
    assert_int_equal(builder_int64(child, 7, &err), OK);
}

static Batch *sample_batch(void)
{
    Err err = {0};
    Schema *schema;
    Batch *batch;
    Builder builders[COLUMNS];
    assert_int_equal(schema_new(FIELDS, COLUMNS, false, &schema, &err), OK);
    assert_int_equal(batch_new(schema, &batch, &err), OK);
    schema_unref(schema);
    for (int32_t i = 0; i < COLUMNS; i++) builder_init(&builders[i], FIELDS[i].type, NULL);
    append_sample(builders);
    for (int32_t i = 0; i < COLUMNS; i++) {
        assert_int_equal(builder_null(&builders[i], &err), OK);
        assert_int_equal(builder_finish(&builders[i], &batch->columns[i], &err), OK);
    }
    batch->rows = 2;
    batch->span.first = 10;
    batch->span.part = 3;
    return batch;
}

static void test_every_type(void **state)
{
    (void)state;
    Batch *batch = sample_batch();
    JsonEncoder *encoder;
    Buf out = buf_make(1 << 16);
    Err err = {0};
    assert_int_equal(json_encoder_new(batch->schema, &encoder, &err), OK);
    assert_int_equal(json_encoder_rows(encoder, batch, 0, 2, &out, &err), OK);
    check_text(
        buf_str(&out),
        "{\"bool\":true,\"int\":-9223372036854775808,\"real\":0.1,\"num\":-1.500,"
        "\"text\":\"a\\\"\\n\",\"bytes\":\"/wE=\",\"json\":{\"x\":  [1]},\"date\":\"2024-02-29\","
        "\"time\":\"01:00:00.5\",\"ts\":\"2024-02-29T12:34:56.5\",\"tz\":\"2024-02-29T12:34:56Z\","
        "\"iv\":\"1 mon 2 days 00:00:03\",\"uuid\":\"00112233-4455-6677-8899-aabbccddeeff\","
        "\"dy\\\"n\":7}\n"
        "{\"bool\":null,\"int\":null,\"real\":null,\"num\":null,\"text\":null,\"bytes\":null,"
        "\"json\":null,\"date\":null,\"time\":null,\"ts\":null,\"tz\":null,\"iv\":null,"
        "\"uuid\":null,\"dy\\\"n\":null}\n");
    json_encoder_free(encoder);
    buf_done(&out);
    batch_unref(batch);
}

static void test_special_numbers(void **state)
{
    (void)state;
    Builder builder;
    Column column;
    Err err = {0};
    Buf out = buf_make(1 << 16);
    builder_init(&builder, TYPE_NUMERIC, NULL);
    assert_int_equal(builder_numeric(&builder, (Decimal){5, 0}, &err), OK);
    assert_int_equal(builder_numeric_double(&builder, (double)NAN, &err), OK);
    assert_int_equal(builder_numeric_double(&builder, -(double)INFINITY, &err), OK);
    assert_int_equal(builder_numeric_double(&builder, 1e100, &err), OK);
    assert_int_equal(builder_finish(&builder, &column, &err), OK);
    for (int64_t row = 0; row < 4; row++) {
        assert_int_equal(json_write_value(&column, row, &out, &err), OK);
        assert_int_equal(buf_append_char(&out, ' ', &err), OK);
    }
    check_text(buf_str(&out), "5 \"NaN\" \"-Infinity\" 1e+100 ");
    column_done(&column);
    builder_done(&builder);
    buf_done(&out);
}

/* One open row: the object, a hidden extract, a computed column that replaces `b`. */
static void check_open(const char *object, const char *want)
{
    static const Str except[] = {{"gone", 4}};
    const Field fields[] = {
        {.name = STR("*"),
         .type = TYPE_JSON,
         .spread = true,
         .spread_except = except,
         .spread_except_count = 1},
        {.name = STR("x.y"), .type = TYPE_INT64, .native = STR(JSON_EXTRACT_NATIVE)},
        {.name = STR("b"), .type = TYPE_INT64},
    };
    Err err = {0};
    Schema *schema;
    Batch *batch;
    Builder builder;
    assert_int_equal(schema_new(fields, 3, true, &schema, &err), OK);
    assert_int_equal(batch_new(schema, &batch, &err), OK);
    builder_init(&builder, TYPE_JSON, NULL);
    assert_int_equal(builder_text(&builder, str_from(object), &err), OK);
    assert_int_equal(builder_finish(&builder, &batch->columns[0], &err), OK);
    for (int32_t i = 1; i < 3; i++) {
        builder_init(&builder, TYPE_INT64, NULL);
        assert_int_equal(builder_int64(&builder, 40 + i, &err), OK);
        assert_int_equal(builder_finish(&builder, &batch->columns[i], &err), OK);
    }
    batch->rows = 1;
    Buf out = buf_make(1 << 20);
    assert_int_equal(json_write_row(batch, 0, &out, &err), OK);
    check_text(buf_str(&out), want);
    buf_done(&out);
    batch_unref(batch);
    schema_unref(schema);
}

static void test_open_rows(void **state)
{
    (void)state;
    check_open("{}", "{\"b\":42}");
    check_open("{\"a\":1.50,\"gone\":2,\"c\":\"x\"}", "{\"a\":1.50,\"c\":\"x\",\"b\":42}");
    check_open("{\"b\":1,\"a\": [1, 2] , \"g\\u006fne\":3}", "{\"a\": [1, 2],\"b\":42}");
    check_open("{\"a\":1,\"c\":2,\"a\":3}", "{\"c\":2,\"a\":3,\"b\":42}");
    check_open("{\"a\":1,\"\\u0061\":3}", "{\"\\u0061\":3,\"b\":42}");
}

/* Many keys, so that the quick test for repeated ones says "perhaps". */
static void test_wide_open_row(void **state)
{
    (void)state;
    Buf in = buf_make(1 << 20), want = buf_make(1 << 20);
    Err err = {0};
    assert_int_equal(buf_append(&in, STR("{\"k7\":0"), &err), OK);
    assert_int_equal(buf_append(&want, STR("{"), &err), OK);
    for (int32_t i = 0; i < 500; i++) {
        assert_int_equal(buf_printf(&in, &err, ",\"k%d\":%d", i, i), OK);
        assert_int_equal(buf_printf(&want, &err, "\"k%d\":%d,", i, i), OK);
    }
    assert_int_equal(buf_append(&in, STR("}"), &err), OK);
    assert_int_equal(buf_append(&want, STR("\"b\":42}"), &err), OK);
    assert_int_equal(buf_terminate(&in, &err), OK);
    assert_int_equal(buf_terminate(&want, &err), OK);
    check_open(in.data, want.data);
    buf_done(&in);
    buf_done(&want);
}

static Str cell(const Batch *batch, RejectColumn column, int64_t row)
{
    if (column_is_null(&batch->columns[column], row)) return STR("NULL");
    return column_text(&batch->columns[column], row);
}

static void test_rejects(void **state)
{
    (void)state;
    Batch *batch = sample_batch(), *taken;
    RejectWriter writer;
    RejectList list;
    Err err = {0};
    Str key[] = {STR("int"), STR("absent")};
    assert_int_equal(reject_writer_init(&writer, key, 2, &err), OK);
    reject_list_init(&list);
    Reject reject = {.row = 0,
                     .kind = ERR_DATA,
                     .sqlstate = "22012",
                     .position = 4,
                     .column = STR("text"),
                     .reason = STR("division by zero")};
    assert_int_equal(reject_list_add(&list, &reject, &err), OK);
    assert_int_equal(reject_writer_add(&writer, STR("select"), batch, &list, &err), OK);
    assert_int_equal(reject_writer_raw(&writer, STR("read"), 0, 5, 6, STR_NULL,
                                       STR("not valid JSON"), STR("{\"a\xff"), &err),
                     OK);
    assert_int_equal(writer.rows, 2);
    assert_int_equal(reject_writer_take(&writer, &taken, &err), OK);
    assert_int_equal(taken->rows, 2);
    check_text(cell(taken, REJECT_STAGE, 0), "select");
    check_text(cell(taken, REJECT_KEY, 0), "{\"int\":-9223372036854775808,\"absent\":null}");
    check_text(cell(taken, REJECT_VALUE, 0), "a\"\n");
    check_text(cell(taken, REJECT_SQLSTATE, 0), "22012");
    assert_int_equal(column_int64(&taken->columns[REJECT_ROW])[0], 10);
    assert_int_equal(column_int64(&taken->columns[REJECT_PART])[0], 3);
    assert_int_equal(column_int64(&taken->columns[REJECT_POSITION])[0], 4);
    assert_true(column_is_null(&taken->columns[REJECT_LINE], 0));
    assert_true(str_starts(cell(taken, REJECT_DATA, 0), STR("{\"bool\":true,\"int\":")));
    check_text(cell(taken, REJECT_KEY, 1), "NULL");
    check_text(cell(taken, REJECT_COLUMN, 1), "NULL");
    assert_int_equal(column_int64(&taken->columns[REJECT_LINE])[1], 6);
    check_text(cell(taken, REJECT_DATA, 1), "{\"@base64\":\"eyJh/w==\"}");
    batch_unref(taken);
    assert_int_equal(reject_writer_take(&writer, &taken, &err), OK);
    assert_null(taken);
    assert_int_equal(writer.total, 2);
    reject_list_done(&list);
    reject_writer_done(&writer);
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type), cmocka_unit_test(test_special_numbers),
        cmocka_unit_test(test_open_rows),  cmocka_unit_test(test_wide_open_row),
        cmocka_unit_test(test_rejects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
