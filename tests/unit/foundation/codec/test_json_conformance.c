/* JSON conformance: what RFC 8259 accepts and refuses, by every reader that we have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foundation/codec/json_extract.h"
#include "foundation/codec/json_tree.h"

typedef struct Case {
    const char *name;
    Str text;
    bool accept;
} Case;

static const Case cases[] = {
#define ACCEPT(name, text) {name, {text, sizeof(text) - 1}, true},
#define REFUSE(name, text) {name, {text, sizeof(text) - 1}, false},
#define DECIDE(name, text, accept) {name, {text, sizeof(text) - 1}, accept},
#include "json_conformance.def"
#undef ACCEPT
#undef REFUSE
#undef DECIDE
};

static bool tree_accepts(Str text)
{
    Arena arena = arena_make(INT64_C(1) << 24);
    Err err = {0};
    JsonValue *value;
    bool good = json_parse(text, &arena, &value, &err) == OK;
    if (!good) {
        assert_int_equal(err.kind, ERR_DATA);
        assert_true(err.line >= 1 && err.column >= 1);
    }
    arena_done(&arena);
    return good;
}

static bool extract_accepts(Str text, int64_t padding)
{
    JsonStep steps[] = {{STR("a"), 0, false}, {STR_NULL, 0, true}, {STR_NULL, -1, true}};
    JsonPath paths[] = {{steps, 1}, {steps + 1, 1}, {steps + 2, 1}};
    JsonExtractor *extractor;
    Err err = {0};
    assert_int_equal(json_extractor_new(paths, 3, &extractor, &err), OK);
    JsonSlot slots[3], value;
    JsonError error = {-1, NULL};
    bool good = json_extract(extractor, text, padding, slots, &value, &error);
    if (!good) {
        assert_non_null(error.reason);
        assert_true(error.offset >= 0 && error.offset <= text.len);
    }
    json_extractor_free(extractor);
    return good;
}

/* Every reader on a copy of exactly that size (so that sanitizers see a read after it), and the
 * padded one with quotes after the text. */
static void check_readers(const char *name, Str text, bool accept)
{
    char *exact = malloc((size_t)text.len + 1);
    char *padded = malloc((size_t)text.len + 64);
    memcpy(exact + 1, text.ptr, (size_t)text.len);
    memcpy(padded, text.ptr, (size_t)text.len);
    memset(padded + text.len, '"', 64);
    Str copy = str_make(exact + 1, text.len);
    JsonError error = {-1, NULL};
    if (json_validate(copy, &error) != accept) {
        fail_msg("%s: expected %s, at %lld: %s", name, accept ? "accept" : "refuse",
                 (long long)error.offset, error.reason ? error.reason : "accepted");
    }
    bool tree = tree_accepts(copy), extract = extract_accepts(copy, 0);
    bool extract_padded = extract_accepts(str_make(padded, text.len), 64);
    if (tree != accept || extract != accept || extract_padded != accept) {
        fail_msg("%s: tree %d, extract %d, padded %d", name, tree, extract, extract_padded);
    }
    free(exact);
    free(padded);
}

static void test_cases(void **state)
{
    (void)state;
    assert_true(COUNT_OF(cases) >= 200);
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        check_readers(cases[i].name, cases[i].text, cases[i].accept);
    }
}

static char *nested(const char *open, const char *middle, const char *close, int32_t levels)
{
    size_t a = strlen(open), b = strlen(middle), c = strlen(close);
    char *text = malloc((a + c) * (size_t)levels + b + 1), *p = text;
    for (int32_t i = 0; i < levels; i++, p += a) memcpy(p, open, a);
    memcpy(p, middle, b);
    p += b;
    for (int32_t i = 0; i < levels; i++, p += c) memcpy(p, close, c);
    *p = 0;
    return text;
}

/* `middle` is itself `own` levels deep. */
static void check_depth(const char *open, const char *middle, const char *close, int32_t own)
{
    char *most = nested(open, middle, close, JSON_DEPTH_MAX - own);
    char *past = nested(open, middle, close, JSON_DEPTH_MAX - own + 1);
    char *unclosed = nested(open, "", "", 100000);
    check_readers("deepest", str_from(most), true);
    check_readers("too deep", str_from(past), false);
    check_readers("100000 open", str_from(unclosed), false);
    free(most);
    free(past);
    free(unclosed);
}

static void test_depth(void **state)
{
    (void)state;
    check_depth("[", "1", "]", 0);
    check_depth("{\"a\":", "1", "}", 0);
    check_depth("{\"b\":", "{}", "}", 1);
    check_depth("[", "[]", "]", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
