/* Tests of engine/format/message_codec.h: JSON, and a codec of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "engine/format/message.h"
#include "unit/engine/format/tiny_codec.h"

static const PathSet NO_PATHS;

static void check_text(Str got, const char *want)
{
    if (!str_eq(got, str_from(want))) fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

typedef struct Values {
    const char *taken[2];   /* two values, */
    const char *objects[2]; /* and the rows that they are */
    const char *refused, *reason;
} Values;

/* Two rows, a refusal between them; then the decoder is empty. */
static void check_decoder(const MessageCodec *codec, const Values *v)
{
    MessageDecoder *decoder = NULL;
    Batch *batch = NULL;
    bool taken = false;
    char reason[MESSAGE_REASON_MAX];
    assert_int_equal(codec->decoder_new(&NO_PATHS, false, NULL, &decoder, NULL), OK);
    Status status = message_decoder_add(decoder, str_from(v->taken[0]), &taken, reason, NULL);
    assert_int_equal(status, OK);
    assert_true(taken);
    status = message_decoder_add(decoder, str_from(v->refused), &taken, reason, NULL);
    assert_int_equal(status, OK);
    assert_false(taken);
    assert_string_equal(reason, v->reason);
    assert_int_equal(message_decoder_rows(decoder), 1);
    status = message_decoder_add(decoder, str_from(v->taken[1]), &taken, reason, NULL);
    assert_int_equal(status, OK);
    assert_int_equal(message_decoder_finish(decoder, &batch, NULL), OK);
    assert_int_equal(batch->rows, 2);
    for (int64_t i = 0; i < 2; i++) check_text(column_text(&batch->columns[0], i), v->objects[i]);
    batch_unref(batch);
    assert_int_equal(message_decoder_rows(decoder), 0);
    message_decoder_free(decoder);
}

static void test_decoders(void **state)
{
    (void)state;
    check_decoder(&message_codec_json, &(Values){.taken = {"{\"a\":1}", "{}"},
                                                 .objects = {"{\"a\":1}", "{}"},
                                                 .refused = "[1]",
                                                 .reason = "a JSON object was expected at byte 1"});
    check_decoder(&message_codec_json, &(Values){.taken = {"\xef\xbb\xbf{\"a\":1}", "{}"},
                                                 .objects = {"{\"a\":1}", "{}"},
                                                 .refused = "\xef\xbb\xbf[1]",
                                                 .reason = "a JSON object was expected at byte 4"});
    check_decoder(&tiny_codec, &(Values){.taken = {"va", "v"},
                                         .objects = {"{\"v\":\"a\"}", "{\"v\":\"\"}"},
                                         .refused = "{}",
                                         .reason = "no v"});
    message_decoder_free(NULL);
}

/* The caller's own fields are appended beside each value. */
static void test_metadata(void **state)
{
    (void)state;
    const MessageCodec *const CODECS[] = {&message_codec_json, &tiny_codec};
    for (int64_t i = 0; i < COUNT_OF(CODECS); i++) {
        MessageDecoder *decoder = NULL;
        Batch *batch = NULL;
        bool taken = false;
        char reason[MESSAGE_REASON_MAX];
        assert_int_equal(CODECS[i]->decoder_new(&NO_PATHS, true, NULL, &decoder, NULL), OK);
        Str value = i ? STR("va") : STR("{}");
        assert_int_equal(message_decoder_add(decoder, value, &taken, reason, NULL), OK);
        assert_true(taken);
        Schema *schema = NULL;
        assert_int_equal(pathset_schema(&NO_PATHS, true, &schema, NULL), OK);
        assert_int_equal(builder_text(message_decoder_builder(decoder, 1), STR("t"), NULL), OK);
        for (int32_t field = 2; field < schema->count; field++) {
            assert_int_equal(builder_null(message_decoder_builder(decoder, field), NULL), OK);
        }
        assert_int_equal(message_decoder_finish(decoder, &batch, NULL), OK);
        check_text(column_text(&batch->columns[1], 0), "t");
        batch_unref(batch);
        schema_unref(schema);
        message_decoder_free(decoder);
    }
}

static Batch *text_batch(void)
{
    static const Field FIELD = {.name = {"a", 1}, .type = TYPE_TEXT};
    Schema *schema;
    Batch *batch;
    Builder builder;
    builder_init(&builder, TYPE_TEXT, NULL);
    assert_int_equal(builder_text(&builder, STR("x"), NULL), OK);
    assert_int_equal(builder_text(&builder, STR("y"), NULL), OK);
    assert_int_equal(schema_new(&FIELD, 1, false, &schema, NULL), OK);
    assert_int_equal(batch_new(schema, &batch, NULL), OK);
    assert_int_equal(builder_finish(&builder, &batch->columns[0], NULL), OK);
    batch->rows = 2;
    schema_unref(schema);
    return batch;
}

/* Rows as messages, with either codec: value by the encoder, key as plain text. */
static void check_encoder(const MessageCodec *codec, const char *first, const char *second)
{
    Batch *batch = text_batch(), *messages = NULL;
    MessageEncoder *encoder = NULL;
    MessageWriter writer;
    Buf text = buf_make(1 << 16);
    assert_int_equal(codec->encoder_new(batch->schema, &encoder, NULL), OK);
    assert_int_equal(message_encoder_row(encoder, batch, 0, &text, NULL), OK);
    assert_int_equal(message_encoder_row(encoder, batch, 1, &text, NULL), OK);
    char both[64];
    (void)snprintf(both, sizeof both, "%s%s", first, second);
    check_text(buf_str(&text), both);
    assert_int_equal(message_writer_init(&writer, NULL, NULL), OK);
    const Column *key = &batch->columns[0];
    assert_int_equal(message_writer_row(&writer, encoder, batch, 0, NULL, &text, NULL), OK);
    assert_int_equal(message_writer_row(&writer, encoder, batch, 1, key, &text, NULL), OK);
    assert_int_equal(message_writer_take(&writer, &messages, NULL), OK);
    check_text(message_at(messages, 0).value, first);
    check_text(message_at(messages, 1).value, second);
    assert_null(message_at(messages, 0).key.ptr);
    check_text(message_at(messages, 1).key, "y");
    batch_unref(messages);
    message_writer_done(&writer);
    message_encoder_free(encoder);
    message_encoder_free(NULL);
    batch_unref(batch);
    buf_done(&text);
}

static void test_encoders(void **state)
{
    (void)state;
    check_encoder(&message_codec_json, "{\"a\":\"x\"}", "{\"a\":\"y\"}");
    check_encoder(&tiny_codec, "vx", "vy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoders),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_encoders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
