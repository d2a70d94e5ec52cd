/* Heads of requests: when they are whole, and what they bear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "service/api/request_head.h"

static HeadState parse(const char *text, RequestHead *ret_head)
{
    return request_head_parse(str_from(text), ret_head);
}

static void assert_text(Str got, const char *wanted)
{
    if (!str_eq(got, str_from(wanted))) fail_msg("%.*s, wanted %s", STR_ARG(got), wanted);
}

static void test_whole(void **state)
{
    (void)state;
    RequestHead head;
    const char *text = "GET /livez?a=1 HTTP/1.1\r\nHost: x\r\n\r\nbody";
    assert_int_equal(parse(text, &head), HEAD_WHOLE);
    assert_text(head.method, "GET");
    assert_text(head.path, "/livez");
    assert_int_equal(head.len, (int64_t)strlen(text) - 4);
    assert_int_equal(parse("\r\n\nHEAD / HTTP/1.0\n\n", &head), HEAD_WHOLE);
    assert_text(head.method, "HEAD");
    assert_int_equal(parse("GET\r\n\r\n", &head), HEAD_WHOLE);
    assert_text(head.path, "");
}

static void test_parts(void **state)
{
    (void)state;
    RequestHead head;
    Str text = STR("POST /login HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n");
    for (int64_t i = 0; i < text.len; i++) {
        assert_int_equal(request_head_parse(str_slice(text, 0, i), &head), HEAD_PART);
    }
    assert_int_equal(request_head_parse(text, &head), HEAD_WHOLE);
}

static void test_who(void **state)
{
    (void)state;
    RequestHead head;
    assert_int_equal(
        parse("GET / HTTP/1.1\r\nauthorization:  bearer  a b \r\nAuthorization: Bearer "
              "c\r\nCookie: a=b; neuron_session=12; neuron_session=3\r\n\r\n",
              &head),
        HEAD_WHOLE);
    assert_text(head.bearer, "a b");
    assert_text(head.session, "12");
    assert_int_equal(
        parse("GET / HTTP/1.1\r\nAuthorization: Basic x\r\nNo colon\r\n: \r\n\r\n", &head),
        HEAD_WHOLE);
    assert_text(head.bearer, "");
    assert_text(head.session, "");
}

static void test_limits(void **state)
{
    (void)state;
    RequestHead head;
    char *text = malloc(REQUEST_HEAD_MAX + 8);
    assert_non_null(text);
    memset(text, 'A', REQUEST_HEAD_MAX + 8);
    Str all = str_make(text, REQUEST_HEAD_MAX + 8);
    assert_int_equal(request_head_parse(str_slice(all, 0, REQUEST_HEAD_MAX - 1), &head), HEAD_PART);
    assert_int_equal(request_head_parse(str_slice(all, 0, REQUEST_HEAD_MAX), &head), HEAD_LARGE);
    memcpy(text + REQUEST_HEAD_MAX, "\n\n", 2);
    assert_int_equal(request_head_parse(all, &head), HEAD_LARGE);
    memcpy(text + REQUEST_HEAD_MAX - 2, "\n\n", 2);
    assert_int_equal(request_head_parse(all, &head), HEAD_WHOLE);
    free(text);
    assert_int_equal(parse("\x16\x03\x01", &head), HEAD_ALIEN);
    assert_int_equal(parse("get / HTTP/1.1\r\n\r\n", &head), HEAD_ALIEN);
    assert_int_equal(parse("", &head), HEAD_PART);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_parts),
                                       cmocka_unit_test(test_who), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
