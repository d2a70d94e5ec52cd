/* Extraction of many paths in one walk, and members of objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foundation/codec/json_extract.h"

enum { PATHS_MOST = 12 };

/* Extracts `paths` (NULL-terminated) from `json` into texts like "a=number:1 b=missing:". */
static void extract_texts(const char *const *paths, const char *json, char *out, size_t room)
{
    Arena arena = arena_make(1 << 16);
    Err err = {0};
    JsonPath parsed[PATHS_MOST] = {{NULL, 0}};
    int32_t count = 0;
    for (; paths[count]; count++) {
        assert_int_equal(json_path_parse(str_from(paths[count]), &arena, &parsed[count], &err), OK);
    }
    JsonExtractor *extractor;
    assert_int_equal(json_extractor_new(parsed, count, &extractor, &err), OK);
    assert_int_equal(json_extractor_count(extractor), count);
    arena_done(&arena); /* the extractor keeps copies */
    JsonSlot slots[PATHS_MOST], value;
    JsonError error;
    size_t len = 0;
    out[0] = 0;
    if (json_extract(extractor, str_from(json), 0, slots, &value, &error)) {
        for (int32_t i = 0; i < count; i++) {
            len += (size_t)snprintf(out + len, room - len, "%s%d:%.*s", i ? " " : "",
                                    (int)slots[i].kind, STR_ARG(slots[i].text));
        }
    } else {
        snprintf(out, room, "invalid at %lld", (long long)error.offset);
    }
    json_extractor_free(extractor);
}

static void check(const char *const *paths, const char *json, const char *want)
{
    char got[512];
    extract_texts(paths, json, got, sizeof got);
    if (strcmp(got, want) != 0) fail_msg("%s: got \"%s\", want \"%s\"", json, got, want);
}

static void test_paths(void **state)
{
    (void)state;
    const char *const paths[] = {"b", "a.x", "a", "c[1]", "c[-1]", "c[0].y", "b", NULL};
    check(paths, "{\"a\":{\"x\":1},\"b\":true,\"c\":[{\"y\":\"q\"},2,3]}",
          "2:true 3:1 5:{\"x\":1} 3:2 3:3 4:q 2:true");
    check(paths, "{}", "0: 0: 0: 0: 0: 0: 0:");
    check(paths, "[1]", "0: 0: 0: 0: 0: 0: 0:");
    check(paths, "{\"c\":[]}", "0: 0: 0: 0: 0: 0: 0:");
    check(paths, "{\"c\":[{\"y\":null}]}", "0: 0: 0: 0: 5:{\"y\":null} 1:null 0:");
}

static void test_last_key_wins(void **state)
{
    (void)state;
    const char *const paths[] = {"a.x", "a", "a.y[0]", NULL};
    check(paths, "{\"a\":{\"x\":1,\"y\":[5]},\"a\":{\"x\":2}}", "3:2 5:{\"x\":2} 0:");
    check(paths, "{\"a\":{\"x\":1},\"a\":null}", "0: 1:null 0:");
    check(paths, "{\"a\":{\"x\":1},\"\\u0061\":{\"\\u0078\":3}}", "3:3 5:{\"\\u0078\":3} 0:");
}

static void test_same_len_keys(void **state)
{
    (void)state;
    const char *const paths[] = {"aa", "ab", "ba", "bb", NULL};
    check(paths, "{\"bb\":1,\"ba\":2,\"ab\":3,\"aa\":4,\"ac\":5}", "3:4 3:3 3:2 3:1");
    check(paths, "{\"aa\":1,\"ab\":2,\"ba\":3,\"bb\":4}", "3:1 3:2 3:3 3:4");
}

static void test_invalid_anywhere(void **state)
{
    (void)state;
    const char *const paths[] = {"a", NULL};
    check(paths, "{\"a\":1,\"b\":[1,2,{\"c\":01}]}", "invalid at 21");
    check(paths, "{\"a\":1,\"b\":\"\xff\"}", "invalid at 12");
    check(paths, "{\"a\":1}}", "invalid at 7");
    check(paths, "{\"b\":{\"a\":tru}}", "invalid at 10");
}

static void test_no_paths(void **state)
{
    (void)state;
    const char *const none[] = {NULL};
    check(none, "{\"a\":1}", "");
    check(none, "{\"a\":1", "invalid at 6");
}

static void test_whole_value(void **state)
{
    (void)state;
    JsonExtractor *extractor;
    JsonPath root = {NULL, 0};
    Err err = {0};
    assert_int_equal(json_extractor_new(&root, 1, &extractor, &err), OK);
    JsonSlot slot, value;
    assert_true(json_extract(extractor, STR(" \"x\" "), 0, &slot, &value, NULL));
    assert_int_equal(slot.kind, JSON_STRING);
    assert_int_equal(value.kind, JSON_STRING);
    assert_true(json_extract(extractor, STR(" {\"a\":1}\n"), 0, &slot, &value, NULL));
    assert_true(str_eq(value.text, STR("{\"a\":1}")));
    json_extractor_free(extractor);
}

static void test_members(void **state)
{
    (void)state;
    JsonMembers members = {NULL, 0, 0};
    JsonDocument document;
    JsonError error;
    Err err = {0};
    Str text = STR("{\"a\":1,\"b\":{\"c\":[]},\"a\":\"x\"}");
    assert_int_equal(json_members_read(&members, text, 0, &document, &error, &err), OK);
    assert_int_equal(document, JSON_DOCUMENT_OBJECT);
    assert_int_equal(members.count, 3);
    assert_true(str_eq(members.items[1].value.text, STR("{\"c\":[]}")));
    assert_true(str_eq(members.items[2].key.text, STR("a")));
    assert_int_equal(json_members_read(&members, STR("[1]"), 0, &document, &error, &err), OK);
    assert_int_equal(document, JSON_DOCUMENT_OTHER);
    assert_int_equal(json_members_read(&members, STR("{\"a\":}"), 0, &document, &error, &err), OK);
    assert_int_equal(document, JSON_DOCUMENT_INVALID);
    assert_int_equal(error.offset, 5);
    assert_int_equal(json_members_read(&members, STR(" {} "), 0, &document, &error, &err), OK);
    assert_int_equal(document, JSON_DOCUMENT_OBJECT);
    assert_int_equal(members.count, 0);
    json_members_done(&members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),         cmocka_unit_test(test_last_key_wins),
        cmocka_unit_test(test_same_len_keys), cmocka_unit_test(test_invalid_anywhere),
        cmocka_unit_test(test_no_paths),      cmocka_unit_test(test_whole_value),
        cmocka_unit_test(test_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
