/* Tests of foundation/codec/datetime_text.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "foundation/codec/datetime_text.h"

static void reads(const char *text, const char *wanted)
{
    int64_t us = 0;
    bool zone = false;
    char shown[DATETIME_TEXT_MAX];
    if (!datetime_read_timestamp(str_from(text), &us, &zone)) fail_msg("%s isn't read", text);
    Str got = str_make(shown, datetime_format_timestamp(us, ' ', zone, shown));
    if (!str_eq(got, str_from(wanted))) fail_msg("%s: %.*s", text, (int)got.len, got.ptr);
}

static void test_one_meaning(void **state)
{
    (void)state;
    reads("2024-2-3", "2024-02-03 00:00:00");
    reads("20240203T101112", "2024-02-03 10:11:12");
    reads("Feb 3, 2024 1:02 PM", "2024-02-03 13:02:00");
    reads("3-Feb-2024", "2024-02-03 00:00:00");
    reads("Sat Feb  3 10:11:12.5 2024", "2024-02-03 10:11:12.5");
    reads("02/13/2024", "2024-02-13 00:00:00");
    reads("13.02.2024", "2024-02-13 00:00:00");
    reads("2024.034", "2024-02-03 00:00:00");
    reads("J2451187", "1999-01-08 00:00:00");
    reads("Feb 3 44 BC", "0044-02-03 00:00:00 BC");
    reads("2024-02-03 12:00 AM", "2024-02-03 00:00:00");
    reads("2024-07-01 12:00 EST", "2024-07-01 17:00:00Z");
    reads("2024-07-01 12:00 Europe/Berlin", "2024-07-01 10:00:00Z");
    reads("20240203 101112+01", "2024-02-03 09:11:12Z");
}

static void test_two_readings(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"03/02/2024", "it is \"2024-03-02\" or \"2024-02-03\"; to_date(…, 'MM/DD/YYYY') or "
                       "to_date(…, 'DD/MM/YYYY') decides"},
        {"3-Feb-24", "it is \"2024-02-03\" or \"2003-02-24\"; to_date(…, 'DD-Mon-YY') or "
                     "to_date(…, 'YY-Mon-DD') decides"},
    };
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        char text[DATETIME_READINGS_MAX];
        int32_t days = 0;
        assert_false(datetime_read_date(str_from(CASES[i][0]), &days));
        assert_true(datetime_two_readings(str_from(CASES[i][0]), text));
        assert_string_equal(text, CASES[i][1]);
    }
    char text[DATETIME_READINGS_MAX];
    assert_true(datetime_two_readings(STR("13/10/69"), text));
    assert_string_equal(
        text, "its year has two digits; to_date(…, 'DD/MM/YY') reads it as \"2069-10-13\"");
    assert_false(datetime_two_readings(STR("2024-02-30"), text));
    assert_false(datetime_two_readings(STR("12/12/2024"), text));
}

static void test_no_dates(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "2024",
                                      "2024-02",
                                      "2024-02-30",
                                      "Feb 30, 2024",
                                      "32/13/2024",
                                      "2024-2-3-4",
                                      "Feb Mar 3 2024",
                                      "2024-02-03 25:00",
                                      "2024-02-03 13:00 PM",
                                      "2024-02-03 10:11 Nowhere",
                                      "20241301",
                                      "hello",
                                      "1",
                                      "2024-02-03 10:11 10:12",
                                      "2023-366",
                                      "2024/2-3"};
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) {
        int64_t us = 0;
        bool zone = false;
        bool ok = datetime_read_timestamp(str_from(BAD[i]), &us, &zone);
        if (ok) fail_msg("%s", BAD[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_meaning),
                                       cmocka_unit_test(test_two_readings),
                                       cmocka_unit_test(test_no_dates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
