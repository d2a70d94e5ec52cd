/* Named formats: tables of good and bad texts; e-mails against a walk through the pattern. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "work/quality/value_format.h"

typedef struct Sample {
    const char *format, *good, *bad; /* texts with blanks between */
} Sample;

static const Sample SAMPLES[] = {
    {"email", "a@b.co first.last+tag@sub.example.org A_%-1@x-y.museum a@..co",
     "a@b.c a@b a.b.co @b.co a@.co a@b.co1 a@b@c.co ä@b.co a@b_c.co a@b.c0m"},
    {"uuid", "123e4567-e89b-12d3-a456-426614174000 123E4567-E89B-12D3-A456-426614174000",
     "123e4567e89b12d3a456426614174000 123e4567-e89b-12d3-a456-42661417400g 1"},
    {"url", "http://x.org https://a.b/c?d=e#f ftp://1", "x.org http:// http:///x ://x 1http://x"},
    {"ipv4", "0.0.0.0 255.255.255.255 1.2.3.4",
     "256.1.1.1 1.2.3 1.2.3.4.5 01.2.3.4 1..2.3 a.b.c.d"},
    {"ipv6", ":: ::1 2001:db8::1 1:2:3:4:5:6:7:8 ::ffff:1.2.3.4",
     "1:2:3 ::1:: 12345::1 1:2:3:4:5:6:7:8:9 g::1"},
    {"hostname", "localhost a.b-c.d X1", "-a.b a..b a_b a-"},
    {"date", "2024-02-29 1999-12-31",
     "2023-02-29 2024-13-01 2024-1-1 20240101 2024-01-01T00:00:00"},
    {"timestamp", "2024-01-01T00:00:00 2024-01-01T23:59:59.5Z", "2024-01-01 2024-01-01T25:00:00 x"},
    {"integer", "0 -1 +12 007", "1.0 - 1e3 x"},
    {"decimal", "0 -1.5 1e3 .5", "x 1. - nan inf"},
    {"e164", "+4930123456 +12025550123", "4930123456 +0123456789 +123 +12345678901234567"},
    {"credit_card", "4111111111111111 4111-1111-1111-1111 378282246310005", "4111111111111112 1 x"},
    {"iban", "DE89370400440532013000 GB82WEST12345698765432",
     "DE88370400440532013000 DE89 de89370400440532013000"},
    {"base64", "YQ== YWI= YWJj", "YQ= YQ YQ==x"},
    {"ulid", "01ARZ3NDEKTSV4RRFFQ69G5FAV",
     "81ARZ3NDEKTSV4RRFFQ69G5FAV 01ARZ3NDEKTSV4RRFFQ69G5FAI x"},
    {"country_code", "DE US", "de DEU D1"},
    {"currency_code", "EUR", "eur EU"},
    {"json", "{} [1] 1 null", "{ x [1,]"},
    {"boolean", "true FALSE", "yes 1"},
};

static void check_all(const ValueFormat *format, const char *texts, bool want)
{
    Str rest = str_from(texts), text;
    while (rest.len && str_next_part(&rest, ' ', &text)) {
        if (format->matches(text) != want) fail_msg("%s: %.*s", format->name, STR_ARG(text));
    }
}

static void test_tables(void **state UNUSED)
{
    for (int64_t i = 0; i < COUNT_OF(SAMPLES); i++) {
        const ValueFormat *format = value_format_find(str_from(SAMPLES[i].format));
        assert_non_null(format);
        check_all(format, SAMPLES[i].good, true);
        check_all(format, SAMPLES[i].bad, false);
        assert_false(format->matches(STR("")));
    }
    assert_null(value_format_find(STR("emial")));
    assert_ptr_equal(value_format_find(STR("Credit-Card")), value_format_find(STR("credit_card")));
}

static bool in(char c, const char *others)
{
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return plain || (c && strchr(others, c));
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The pattern, tried at every split. */
static bool email_by_hand(const char *text, int len)
{
    for (int at = 1; at < len; at++) {
        bool local = text[at] == '@';
        for (int i = 0; i < at && local; i++) local = in(text[i], "._%+-");
        for (int dot = at + 2; dot < len - 2 && local; dot++) {
            bool good = text[dot] == '.';
            for (int i = at + 1; i < dot && good; i++) good = in(text[i], ".-");
            for (int i = dot + 1; i < len && good; i++) good = is_letter(text[i]);
            if (good) return true;
        }
    }
    return false;
}

static void test_emails_of_any_shape(void **state UNUSED)
{
    static const char LETTERS[] = "abzAZ019._%+-@@..xyzco/\x7f {`[";
    int good = 0;
    for (int round = 0; round < 400000; round++) {
        char text[80];
        int len = rand() % 70;
        for (int i = 0; i < len; i++) text[i] = LETTERS[rand() % (int)(sizeof LETTERS - 1)];
        /* Half of them begin as good ones. */
        if (round % 2 && len > 12) {
            for (int i = 0; i < len; i++) text[i] = "abcxyz.-09"[rand() % 10];
            text[1 + rand() % (len - 8)] = '@';
            text[len - 4] = '.';
            for (int i = len - 3; i < len; i++) text[i] = 'c';
            if (rand() % 4 == 0) text[rand() % len] = LETTERS[rand() % (int)(sizeof LETTERS - 1)];
        }
        bool want = email_by_hand(text, len);
        good += want;
        if (format_email(str_make(text, len)) != want) fail_msg("%.*s", len, text);
    }
    assert_true(good > 1000);
}

static void test_layouts(void **state UNUSED)
{
    assert_true(format_layout(STR("31.12.2024"), STR("%d.%m.%Y")));
    assert_true(format_layout(STR("12/31/99 23:59"), STR("%m/%d/%y %H:%M")));
    assert_true(format_layout(STR("5 Mar 2024"), STR("%d %b %Y")));
    assert_true(format_layout(STR("100% 2024-060"), STR("100%% %Y-%j")));
    assert_false(format_layout(STR("31.11.2024"), STR("%d.%m.%Y")));
    assert_false(format_layout(STR("29.02.2023"), STR("%d.%m.%Y")));
    assert_false(format_layout(STR("31.12.2024x"), STR("%d.%m.%Y")));
    assert_false(format_layout(STR("2023-366"), STR("%Y-%j")));
    assert_false(format_layout(STR(""), STR("%Y")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_emails_of_any_shape),
        cmocka_unit_test(test_layouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
