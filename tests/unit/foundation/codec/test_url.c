/* Tests of foundation/codec/url.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "foundation/base/redact.h"
#include "foundation/codec/url.h"

static void check_str(Str got, const char *want)
{
    if (!str_eq(got, str_from(want))) fail_msg("got '%.*s', want '%s'", STR_ARG(got), want);
}

static void test_good(void **state)
{
    (void)state;
    static const char *const cases[][5] = {
        {"postgresql://u:p%2Fw@h:5432/d?x=y", "u", "p%2Fw", "h:5432", "/d?x=y"},
        {"postgresql://u:a:b@h/d", "u", "a:b", "h", "/d"},
        {"postgresql://u:p w{}@h", "u", "p w{}", "h", ""},
        {"postgresql:///d?host=/tmp&user=me@corp", "", "", "", "/d?host=/tmp&user=me@corp"},
        {"postgresql://%2Frun%2Fpg/d", "", "", "%2Frun%2Fpg", "/d"},
        {"postgresql://u@[::1]:1,h2:65535,h3/", "u", "", "[::1]:1,h2:65535,h3", "/"},
        {"kafka://a:9092, b:9093/t#rdkafka.x=1", "", "", "a:9092, b:9093", "/t#rdkafka.x=1"},
        {"http://h:/x", "", "", "h:", "/x"},
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Url url;
        Err err = {0};
        if (url_parse(str_from(cases[i][0]), &url, &err) != OK) {
            fail_msg("%s: %s", cases[i][0], err.message);
        }
        check_str(url.user, cases[i][1]);
        check_str(url.password, cases[i][2]);
        check_str(url.hosts, cases[i][3]);
        check_str(url.rest, cases[i][4]);
    }
}

/* Whatever a password holds that isn't escaped, no piece of it is taken for something else. */
static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "postgresql://etl:pa55/word@127.0.0.1:5432/x",
        "postgresql://etl:pa55?word@127.0.0.1:5432/x",
        "postgresql://etl:pa55#word@127.0.0.1:5432/x",
        "postgresql://etl:pa55@word@127.0.0.1:5432/x",
        "postgresql://etl:pa55%zzword@127.0.0.1:5432/x",
        "postgresql://etl:pa55%2@127.0.0.1:5432/x",
        "postgresql://etl:pa55%00@127.0.0.1:5432/x",
        "postgresql://etl:55/word@127.0.0.1:5432/x",
        "postgresql://etl:55?word@127.0.0.1:5432/x",
        "postgresql://etl:55#pa55=word@127.0.0.1:5432/x",
        "postgresql://u:pa55@b/c@127.0.0.1/x",
        "postgresql:///etl:pa55@127.0.0.1/x",
        "postgresql://h/x?pa%55=%zz",
        "postgresql://h:pa55/x",
        "postgresql://h:0/x",
        "postgresql://h:65536/x",
        "postgresql://h:+5432/x",
        "postgresql://[::1/x",
        "postgresql://[::1]pa55/x",
        "postgresql://::1/x",
        "postgresql://u:pa55\n@h/x",
        "postgresql:pa55",
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Url url;
        Err err = {0};
        if (url_parse(str_from(cases[i]), &url, &err) == OK) fail_msg("%s is taken", cases[i]);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (strstr(err.message, "pa5") || strstr(err.message, "word") || err.where[0]) {
            fail_msg("%s: %s", cases[i], err.message);
        }
        assert_non_null(strstr(err.hint, "percent-encode"));
    }
}

static void test_secrets(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 16);
    Url url;
    Err err = {0};
    Str text =
        STR("postgresql://u:one%2Ftwo1@h/d?sslpassword=three3&user=four4#rdkafka.sasl.password="
            "five%205");
    assert_int_equal(url_parse(text, &url, &err), OK);
    assert_int_equal(url_secrets(&url, &arena, &err), OK);
    (void)err_set(&err, ERR_IO, "%s", "one%2Ftwo1 one/two1 three3 four4 five%205 five 5");
    assert_string_equal(err.message, "*** *** *** four4 *** ***");
    arena_done(&arena);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const secret[] = {"password", "sslpassword",  "rdkafka.sasl.password",
                                         "token",    "API_TOKEN",    "Authorization",
                                         "api_key",  "client.secret"};
    static const char *const plain[] = {"user", "key", "host", "sslmode", "group"};
    for (int64_t i = 0; i < COUNT_OF(secret); i++) {
        assert_true(url_name_is_secret(str_from(secret[i])));
    }
    for (int64_t i = 0; i < COUNT_OF(plain); i++) {
        assert_false(url_name_is_secret(str_from(plain[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
