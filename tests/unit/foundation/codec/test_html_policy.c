/* Policies of documents: hashes of their own elements, nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "foundation/codec/html_policy.h"

static void check(const char *document, const char *more, const char *wanted)
{
    CLEANUP(buf_done) Buf out = buf_make(4096);
    Err err = {0};
    assert_int_equal(html_policy(str_from(document), str_from(more), &out, &err), OK);
    if (!str_eq(buf_str(&out), str_from(wanted))) fail_msg("%.*s", STR_ARG(buf_str(&out)));
}

static void test_policy(void **state)
{
    (void)state;
    check("", "", "default-src 'none'; style-src 'none'; script-src 'none'; base-uri 'none'");
    /* printf '' | openssl dgst -sha256 -binary | base64; the same of "a". */
    check("<style></style><p><script>a</script><script></script>", "connect-src 'self'",
          "default-src 'none'; style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; "
          "script-src 'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=' "
          "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; connect-src 'self'; "
          "base-uri 'none'");
    check("<script>open", "",
          "default-src 'none'; style-src 'none'; script-src 'none'; "
          "base-uri 'none'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_policy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
