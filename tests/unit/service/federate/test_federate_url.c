/* Addresses of cores: one spelling for all that mean the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "service/federate/federate_url.h"

static void check(const char *url, const char *bare, const char *called)
{
    Buf out = buf_make(4096);
    const char *const wanted[] = {called, bare};
    for (int i = 0; i < 2; i++) {
        buf_clear(&out);
        assert_int_equal(federate_url(str_from(url), i == 1, &out, NULL), OK);
        assert_int_equal(buf_terminate(&out, NULL), OK);
        assert_string_equal(out.data, wanted[i]);
    }
    buf_done(&out);
}

static void test_spellings(void **state)
{
    (void)state;
    static const char *const SAME[] = {"http://host:5000",     "http://host:5000/",
                                       "http://HOST:05000//",  " HTTP://Host.:5000 ",
                                       "http://host:5000?x=1", "http://host:5000/#top"};
    for (int i = 0; i < COUNT_OF(SAME); i++) check(SAME[i], SAME[0], SAME[0]);
    check("http://host:80", "http://host", "http://host");
    check("https://host:443/", "https://host", "https://host");
    check("https://host:80", "https://host:80", "https://host:80");
    check("http://[2001:DB8::1]:80/A/b/", "http://[2001:db8::1]/A/b", "http://[2001:db8::1]/A/b");
    check("http://u:p%40w@Host", "http://host", "http://u:p%40w@host");
}

static void test_what_is_none(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",          "host:5000",     "ftp://host",   "http://",        "http:///path",
        "/",         "http://a/b c",  "http://a /",   "http://a[b:  /", "http://a,b",
        "http://[]", "http://a\xff/", "http://a/\x7f"};
    Buf out = buf_make(4096);
    assert_int_equal(federate_url(STR("http://a/b\0c"), true, &out, NULL), FAIL);
    for (int i = 0; i < COUNT_OF(BAD); i++) {
        Err err = {0};
        assert_int_equal(federate_url(str_from(BAD[i]), true, &out, &err), FAIL);
        assert_int_equal(err.kind, ERR_CONFIG);
    }
    buf_done(&out);
}

static void test_same(void **state)
{
    (void)state;
    assert_true(federate_url_same(STR("http://a"), STR("HTTP://a:80/")));
    assert_false(federate_url_same(STR("http://a"), STR("https://a")));
    assert_false(federate_url_same(STR("http://a"), STR("http://a/path")));
    assert_false(federate_url_same(STR(""), STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_spellings),
                                       cmocka_unit_test(test_what_is_none),
                                       cmocka_unit_test(test_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
