/* Tests of foundation/base/redact.h, and of the errors that go through it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "foundation/base/redact.h"

static void check_text(const char *got, const char *want)
{
    if (strcmp(got, want) != 0) fail_msg("got '%s', want '%s'", got, want);
}

static void check_redacted(const char *given, bool cut, const char *want)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s", given);
    text[redact_text(text, (int64_t)strlen(text), cut)] = 0;
    check_text(text, want);
}

static void test_secrets(void **state)
{
    (void)state;
    check_redacted("nothing is known: pa55/word", false, "nothing is known: pa55/word");
    Err err = {0};
    static const char *const secrets[] = {"pa55/word", "pa55/word-longer", "post", "x7", "", "q"};
    for (int64_t i = 0; i < COUNT_OF(secrets); i++) {
        assert_int_equal(redact_secret(str_from(secrets[i]), &err), OK);
        assert_int_equal(redact_secret(str_from(secrets[i]), &err), OK);
    }
    check_redacted("u:pa55/word@h and pa55/word", false, "u:***@h and ***");
    check_redacted("the longest counts: pa55/word-longer", false, "the longest counts: ***");
    check_redacted("xpa55/wordx", false, "x***x");
    check_redacted("postgresql: role \"post\"", false, "postgresql: role \"***\"");
    check_redacted("x7 x77 ax7", false, "** x77 ax7");
    check_redacted("q quick", false, "* quick");
    check_redacted("whole at the end pa55", false, "whole at the end pa55");
    check_redacted("cut at the end pa55", true, "cut at the end ***");
}

static void test_errors_pass_it(void **state)
{
    (void)state;
    Err err = {0};
    assert_int_equal(redact_secret(STR("s3cr3t-t0ken"), &err), OK);
    (void)err_set(&err, ERR_CONNECT, "connect: %s", "s3cr3t-t0ken");
    (void)err_prefix(&err, "of %s: ", "s3cr3t-t0ken");
    (void)err_where(&err, "at s3cr3t-t0ken");
    (void)err_hint(&err, "not s3cr3t-t0ken");
    check_text(err.message, "of ***: connect: ***");
    check_text(err.where, "at ***");
    check_text(err.hint, "not ***");
    (void)err_errno(&err, 2, "open s3cr3t-t0ken");
    check_text(err.message, "open ***: No such file or directory");
    char filler[ERR_MESSAGE_MAX];
    memset(filler, 'x', sizeof filler);
    filler[ERR_MESSAGE_MAX - 8] = 0;
    (void)err_set(&err, ERR_DATA, "%s s3cr3t-t0ken", filler);
    assert_null(strstr(err.message, "s3"));
}

static void test_values(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"invalid input syntax for type integer: \"078-05-1120\"",
         "invalid input syntax for type integer: \"***\""},
        {"value \"a\"b\" is out of range", "value \"***\" is out of range"},
        {"short \"a\" one", "short \"*\" one"},
        {"empty \"\" one", "empty \"\" one"},
        {"cut in it: \"078-05", "cut in it"},
        {"date field value out of range: 2024-02-30", "date field value out of range"},
        {"bigint out of range", "bigint out of range"},
    };
    check_text(redact_value(STR("078")).ptr, "078");
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "%s", cases[i][0]);
        redact_values_set(false);
        redact_quoted(text);
        check_text(text, cases[i][0]);
        redact_values_set(true);
        redact_quoted(text);
        check_text(text, cases[i][1]);
    }
    check_text(redact_value(STR("078")).ptr, "***");
    assert_int_equal(redact_value(STR_NULL).len, 0);
    redact_values_set(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_errors_pass_it),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
