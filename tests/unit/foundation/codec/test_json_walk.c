/* JSON look-ups: iteration, single places, paths as text, decoding, positions of mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foundation/codec/json_walk.h"

static Str decoded(const JsonSlot *slot, char *room)
{
    return str_make(room, json_decode(slot->text, room));
}

static void check_text(Str got, const char *want)
{
    if (!str_eq(got, str_from(want))) fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

static JsonSlot look_up(const char *json, const char *path_text)
{
    Arena arena = arena_make(1 << 16);
    JsonPath path;
    Err err = {0};
    if (json_path_parse(str_from(path_text), &arena, &path, &err) != OK)
        fail_msg("%s", err.message);
    JsonSlot slot = json_get_path(str_from(json), &path);
    arena_done(&arena);
    return slot;
}

static void test_get_path(void **state)
{
    (void)state;
    static const struct {
        const char *json, *path;
        JsonKind kind;
        const char *text;
    } cases[] = {
        {"{\"a\":1}", "a", JSON_NUMBER, "1"},
        {" {\"a\" : {\"b\" : [10, 20, {\"c\": \"x\"}] } } ", "a.b[2].c", JSON_STRING, "x"},
        {"{\"a\":[1,2,3]}", "a[-1]", JSON_NUMBER, "3"},
        {"{\"a\":[1,2,3]}", "a[-3]", JSON_NUMBER, "1"},
        {"{\"a\":[1,2,3]}", "a[-4]", JSON_MISSING, ""},
        {"{\"a\":[1,2,3]}", "a[3]", JSON_MISSING, ""},
        {"{\"a\":1,\"a\":2}", "a", JSON_NUMBER, "2"},
        {"{\"a\":{\"b\":1},\"a\":5}", "a.b", JSON_MISSING, ""},
        {"{\"\\u0061\":true}", "a", JSON_BOOL, "true"},
        {"{\"odd \\\"key\\\"\":null}", "\"odd \"\"key\"\"\"", JSON_NULL, "null"},
        {"{\"\":7}", "\"\"", JSON_NUMBER, "7"},
        {"[[],[[1.50]]]", "[1][0][0]", JSON_NUMBER, "1.50"},
        {"{\"a\":\"text\"}", "a.b", JSON_MISSING, ""},
        {"{\"a\":\"text\"}", "a[0]", JSON_MISSING, ""},
        {"{\"a\":{}}", "a", JSON_OBJECT, "{}"},
        {"{\"a\":[ ]}", "a", JSON_ARRAY, "[ ]"},
        {"{\"a\":", "a", JSON_MISSING, ""},
        {"", "a", JSON_MISSING, ""},
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        JsonSlot slot = look_up(cases[i].json, cases[i].path);
        if (slot.kind != cases[i].kind) fail_msg("%s %s", cases[i].json, cases[i].path);
        check_text(slot.text, cases[i].text);
    }
}

static void test_integer_flag(void **state)
{
    (void)state;
    assert_true(look_up("[12]", "[0]").integer);
    assert_true(look_up("[-0]", "[0]").integer);
    assert_false(look_up("[1.0]", "[0]").integer);
    assert_false(look_up("[1e2]", "[0]").integer);
}

static void test_decode(void **state)
{
    (void)state;
    JsonSlot slot =
        look_up("[\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00z\"]", "[0]");
    char room[128];
    assert_true(slot.escaped);
    check_text(decoded(&slot, room), "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
    slot = look_up("[\"a\\u0000b\"]", "[0]");
    Str text = decoded(&slot, room);
    assert_int_equal(text.len, 3);
    assert_memory_equal(text.ptr, "a\0b", 3);
    assert_true(json_text_is(&slot, str_make("a\0b", 3)));
    assert_false(json_text_is(&slot, STR("a")));
    slot = look_up("[\"plain\"]", "[0]");
    assert_false(slot.escaped);
    assert_true(json_text_is(&slot, STR("plain")));
}

static void test_iter(void **state)
{
    (void)state;
    JsonSlot object = look_up("[{\"a\":1,\"b\":[1,{}],\"c\":\"}\"}]", "[0]");
    JsonIter iter = json_iter(&object);
    JsonSlot key, value;
    const char *keys[] = {"a", "b", "c"}, *values[] = {"1", "[1,{}]", "}"};
    for (int32_t i = 0; i < 3; i++) {
        assert_true(json_iter_next(&iter, &key, &value));
        check_text(key.text, keys[i]);
        check_text(value.text, values[i]);
    }
    assert_false(json_iter_next(&iter, &key, &value));
    assert_false(json_iter_next(&iter, &key, &value));
    assert_int_equal(json_count(&object), 3);
    JsonSlot scalar = look_up("[1]", "[0]");
    assert_int_equal(json_count(&scalar), 0);
}

static void check_path(const char *text, const char *want)
{
    Arena arena = arena_make(1 << 20);
    Buf out = buf_make(1 << 16);
    JsonPath path;
    Err err = {0};
    if (json_path_parse(str_from(text), &arena, &path, &err) == OK) {
        assert_int_equal(json_path_format(&path, &out, &err), OK);
        if (!want) fail_msg("%s was accepted", text);
        check_text(buf_str(&out), want);
    } else {
        if (want) fail_msg("%s: %s", text, err.message);
        assert_int_equal(err.kind, ERR_EXPRESSION);
        assert_true(err.column >= 1);
    }
    buf_done(&out);
    arena_done(&arena);
}

static void test_path_text(void **state)
{
    (void)state;
    static const char *const same[] = {"a",        "a.b.c", "a[0]",        "a[-2].b",
                                       "_x.y$1",   "[3]",   "\"odd key\"", "\"a\"\"b\"",
                                       "\"1a\".b", "\"\"",  "\"@topic\""};
    for (int64_t i = 0; i < COUNT_OF(same); i++) check_path(same[i], same[i]);
    check_path("\"plain\".\"b\"", "plain.b");
    check_path("na\xc3\xafve", "na\xc3\xafve");
    static const char *const bad[] = {"",     "a.",     ".a",  "a..b",  "a[",   "a[]",
                                      "a[x]", "a[1.5]", "\"a", "a b",   "@a",   "1a",
                                      "a[0",  "a]",     "$y",  "a.[0]", "a[+1]"};
    for (int64_t i = 0; i < COUNT_OF(bad); i++) check_path(bad[i], NULL);
    char steps[2 * JSON_PATH_STEPS_MAX + 2] = "a";
    for (int32_t i = 1; i < JSON_PATH_STEPS_MAX; i++) memcpy(steps + 2 * i - 1, ".a", 3);
    check_path(steps, steps);
    memcpy(steps + 2 * JSON_PATH_STEPS_MAX - 1, ".a", 3);
    check_path(steps, NULL);
}

static void check_mistake(const char *json, int64_t offset, const char *reason)
{
    JsonError error = {-1, ""};
    assert_false(json_validate(str_from(json), &error));
    assert_int_equal(error.offset, offset);
    assert_string_equal(error.reason, reason);
}

static void test_mistakes(void **state)
{
    (void)state;
    check_mistake("{\"a\":1,}", 7, "a key in double quotes was expected here");
    check_mistake("[1 2]", 3, "a comma or ] was expected here");
    check_mistake("{\"a\" 1}", 5, "a colon was expected here");
    check_mistake("[\"\\x\"]", 2, "escape that JSON does not have");
    check_mistake("[\"\xc3\x28\"]", 2, "text that is not UTF-8");
    check_mistake("[1] x", 4, "something follows the value");
    check_mistake("[1", 2, "text ends too early");
    Err err = {0};
    assert_int_equal(json_check(STR("[01]"), &err), FAIL);
    assert_int_equal(err.kind, ERR_DATA);
    assert_string_equal(err.message, "not valid JSON: number with a leading zero at byte 2");
    assert_int_equal(json_check(STR("[1]"), &err), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_path),  cmocka_unit_test(test_integer_flag),
        cmocka_unit_test(test_decode),    cmocka_unit_test(test_iter),
        cmocka_unit_test(test_path_text), cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
