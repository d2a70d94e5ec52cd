/* Writing JSON, reading it back as a tree, base64. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foundation/codec/base64.h"
#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"

static void check_buf(Buf *out, const char *want)
{
    if (!str_eq(buf_str(out), str_from(want))) {
        fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(buf_str(out)), want);
    }
    buf_clear(out);
}

static void test_text(void **state)
{
    (void)state;
    Buf out = buf_make(1 << 20);
    Err err = {0};
    assert_int_equal(json_put_text(&out, STR(""), &err), OK);
    check_buf(&out, "\"\"");
    assert_int_equal(json_put_text(&out, STR("a\"b\\c/\n\r\t\b\f\x01\x1f\x7f\xc3\xa9"), &err), OK);
    check_buf(&out, "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\xc3\xa9\"");
    assert_int_equal(json_put_text(&out, STR("0123456789abcdef\"0123456789abcde\\"), &err), OK);
    check_buf(&out, "\"0123456789abcdef\\\"0123456789abcde\\\\\"");
    assert_int_equal(json_put_text_lossy(&out, STR("a\xff\xc3(b"), &err), OK);
    check_buf(&out, "\"a\xef\xbf\xbd\xef\xbf\xbd(b\"");
    buf_done(&out);
}

static void test_long_text(void **state)
{
    (void)state;
    enum { LEN = 100000 };
    char *text = malloc(LEN);
    for (int32_t i = 0; i < LEN; i++) text[i] = (char)(i % 97 == 0 ? '"' : 'a' + i % 26);
    Buf out = buf_make(1 << 20);
    Err err = {0};
    assert_int_equal(json_put_text(&out, str_make(text, LEN), &err), OK);
    JsonSlot slot;
    assert_true(json_scan(buf_str(&out), &slot, NULL));
    assert_true(json_text_is(&slot, str_make(text, LEN)));
    Buf small = buf_make(50);
    assert_int_equal(json_put_text(&small, str_make(text, LEN), &err), FAIL);
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_done(&small);
    buf_done(&out);
    free(text);
}

static void test_numbers(void **state)
{
    (void)state;
    Buf out = buf_make(1 << 20);
    Err err = {0};
    assert_int_equal(json_put_int64(&out, INT64_MIN, &err), OK);
    check_buf(&out, "-9223372036854775808");
    assert_int_equal(json_put_decimal(&out, (Decimal){150, 2}, &err), OK);
    check_buf(&out, "1.50");
    assert_int_equal(json_put_double(&out, 0.1, &err), OK);
    check_buf(&out, "0.1");
    assert_int_equal(json_put_double(&out, 1e20, &err), OK);
    assert_true(json_validate(buf_str(&out), NULL));
    check_buf(&out, "1e+20");
    assert_int_equal(json_put_double(&out, (double)NAN, &err), OK);
    check_buf(&out, "\"NaN\"");
    assert_int_equal(json_put_double(&out, -(double)INFINITY, &err), OK);
    check_buf(&out, "\"-Infinity\"");
    buf_done(&out);
}

static void test_base64(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xfe\xfd", "//79"},
    };
    for (int64_t i = 0; i < COUNT_OF(pairs); i++) {
        char text[32];
        uint8_t bytes[32];
        int64_t len;
        Str plain = str_from(pairs[i][0]), coded = str_from(pairs[i][1]);
        base64_encode(plain, text);
        assert_true(str_eq(str_make(text, base64_encoded_len(plain.len)), coded));
        assert_true(base64_decode(coded, bytes, &len));
        assert_true(str_eq(str_make((const char *)bytes, len), plain));
    }
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Zg==Zg==", "Zm 9", "Zm9v\n"};
    for (int64_t i = 0; i < COUNT_OF(bad); i++) {
        uint8_t bytes[32];
        int64_t len;
        if (base64_decode(str_from(bad[i]), bytes, &len)) fail_msg("%s was taken", bad[i]);
    }
}

static void write_sample(JsonWriter *writer)
{
    json_object_begin(writer);
    json_key(writer, "a");
    json_write_int64(writer, 1);
    json_key(writer, "b\"");
    json_array_begin(writer);
    json_write_text(writer, STR("x"));
    json_write_bool(writer, true);
    json_write_null(writer);
    json_object_begin(writer);
    json_object_end(writer);
    json_write_raw(writer, STR("[1]"));
    json_array_end(writer);
    json_key(writer, "c");
    json_write_double(writer, 1.5);
    json_key(writer, "d");
    json_write_text_or_null(writer, STR_NULL);
    json_object_end(writer);
}

/* A key and its value at once. */
static void test_members(void **state)
{
    (void)state;
    Buf out = buf_make(1 << 20);
    JsonWriter w = json_writer_make(&out, NULL);
    json_object_begin(&w);
    json_key_text(&w, "a", STR(""));
    json_key_text_or_null(&w, "b", STR(""));
    json_key_text_or_null(&w, "c", STR("x"));
    json_key_int64(&w, "d", -1);
    json_key_double(&w, "e", 1.5);
    json_key_bool(&w, "f", false);
    json_object_end(&w);
    assert_int_equal(json_writer_end(&w), OK);
    const char *want = "{\"a\":\"\",\"b\":null,\"c\":\"x\",\"d\":-1,\"e\":1.5,\"f\":false}";
    assert_true(str_eq(buf_str(&out), str_from(want)));
    buf_done(&out);
}

static void test_document(void **state)
{
    (void)state;
    Buf out = buf_make(1 << 20);
    Err err = {0};
    JsonWriter writer = json_writer_make(&out, &err);
    write_sample(&writer);
    assert_int_equal(json_writer_end(&writer), OK);
    check_buf(&out, "{\"a\":1,\"b\\\"\":[\"x\",true,null,{},[1]],\"c\":1.5,\"d\":null}");
    buf_done(&out);
    Buf small = buf_make(10);
    writer = json_writer_make(&small, &err);
    write_sample(&writer);
    assert_int_equal(json_writer_end(&writer), FAIL);
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_done(&small);
}

static void test_tree(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 20);
    Err err = {0};
    JsonValue *root;
    Str text = STR("{\"n\":12,\"s\":\"a\\u0062\",\"l\":[1,2.5,null],\"n\":13,\"o\":{\"t\":true}}");
    assert_int_equal(json_parse(text, &arena, &root, &err), OK);
    int64_t number = 0;
    double real = 0;
    assert_true(json_int64(json_member(root, STR("n")), &number));
    assert_int_equal(number, 13);
    assert_true(str_eq(json_member_text(root, STR("s"), STR("no")), STR("ab")));
    assert_true(str_eq(json_member_text(root, STR("n"), STR("no")), STR("no")));
    const JsonValue *list = json_member(root, STR("l"));
    assert_int_equal(list->count, 3);
    assert_false(json_int64(json_element(list, 1), &number));
    assert_true(json_double(json_element(list, 1), &real));
    assert_true(real == 2.5);
    assert_int_equal(json_element(list, 2)->kind, JSON_NULL);
    assert_null(json_element(list, 3));
    assert_true(json_member(json_member(root, STR("o")), STR("t"))->boolean);
    assert_null(json_member(root, STR("absent")));
    assert_null(json_member(NULL, STR("absent")));
    assert_int_equal(json_parse(STR("{\n \"a\": x}"), &arena, &root, &err), FAIL);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 7);
    arena_done(&arena);
}

static void test_tree_memory(void **state)
{
    (void)state;
    Arena arena = arena_make(2000);
    Err err = {0};
    JsonValue *root;
    Str text = STR("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28]");
    assert_int_equal(json_parse(text, &arena, &root, &err), FAIL);
    assert_int_equal(err.kind, ERR_MEMORY);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),     cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_numbers),  cmocka_unit_test(test_base64),
        cmocka_unit_test(test_document), cmocka_unit_test(test_members),
        cmocka_unit_test(test_tree),     cmocka_unit_test(test_tree_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
