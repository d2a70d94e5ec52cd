/* What texts are, fast, against the reader of CSV itself; and which columns have variants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/column/builder.h"
#include "engine/format/csv_field.h"
#include "work/quality/text_scan.h"

static void column_of(const char *const *texts, int64_t count, Column *column)
{
    Err err = {0};
    Builder b;
    builder_init(&b, TYPE_TEXT, NULL);
    for (int64_t i = 0; i < count; i++) {
        Status status =
            texts[i] ? builder_text(&b, str_from(texts[i]), &err) : builder_null(&b, &err);
        assert_int_equal(status, OK);
    }
    assert_int_equal(builder_finish(&b, column, &err), OK);
}

static void scan_one(const char *text, TextScan *scan, TypeProfile *type_profile)
{
    Column column;
    column_of(&text, 1, &column);
    *scan = (TextScan){.kinds = CSV_ANY};
    *type_profile = (TypeProfile){0};
    text_scan_add(scan, type_profile, &column, 0);
    column_done(&column);
}

static void check_text(const char *text)
{
    TextScan scan;
    TypeProfile type_profile;
    uint8_t want = csv_narrow(CSV_ANY, str_from(text));
    scan_one(text, &scan, &type_profile);
    if (scan.kinds != want) fail_msg("\"%s\": %d, not %d", text, scan.kinds, want);
    ValueClass value_class = want == 0            ? VALUE_TEXT
                             : want & CSV_DECIMAL ? VALUE_NUMBER
                             : want & CSV_BOOL    ? VALUE_BOOLEAN
                                                  : VALUE_TIME;
    assert_int_equal(type_profile.counts[value_class], 1);
}

static void test_as_the_reader_sees_them(void **state UNUSED)
{
    static const char *const TEXTS[] = {"",
                                        "0",
                                        "1",
                                        "00",
                                        "01",
                                        "-0",
                                        "-1",
                                        "+1",
                                        "1.",
                                        ".5",
                                        "0.5",
                                        "00.5",
                                        "1.50",
                                        "1..5",
                                        "1.5.5",
                                        "123456789012",
                                        "1234567890123",
                                        "123456789012345678901234567890123456789",
                                        "99999999999.9",
                                        "1e5",
                                        "true",
                                        "false",
                                        "True",
                                        "t",
                                        "f",
                                        "tru",
                                        "2024-02-29",
                                        "2023-02-29",
                                        "2024-13-01",
                                        "2024-00-10",
                                        "2024-01-00",
                                        "2024-01-31",
                                        "2024-04-31",
                                        "0999-01-01",
                                        "0000-01-01",
                                        "2024-1-01",
                                        "2024/01/01",
                                        "2024-01-01 10:20:30",
                                        "2024-01-01T10:20:30",
                                        "2024-01-01 24:20:30",
                                        "2024-01-01 10:60:30",
                                        "2024-01-01 10:20:60",
                                        "2024-01-01 10:20",
                                        "2024-01-01T10:20:30Z",
                                        "2024-01-01 10:20:30.5",
                                        "2024-02-30 10:20:30",
                                        "2024-01-01x10:20:30",
                                        "12:30",
                                        " 1",
                                        "1 ",
                                        "1,000",
                                        "x",
                                        "Customer 7",
                                        "123 Main Street",
                                        "-",
                                        "--1",
                                        "-1.50",
                                        "1.000000000",
                                        "0.0",
                                        "-0.0",
                                        "NaN"};
    for (int64_t i = 0; i < COUNT_OF(TEXTS); i++) check_text(TEXTS[i]);
}

static void test_random_texts(void **state UNUSED)
{
    for (int round = 0; round < 300000; round++) {
        static const char LETTERS[] = "0123456789012345678901234567890.-: T";
        char text[24];
        int len = 1 + rand() % 20;
        for (int i = 0; i < len; i++) text[i] = LETTERS[rand() % (int)(sizeof LETTERS - 1)];
        if (round % 3 == 0)
            len = snprintf(text, sizeof text, "%04d-%02d-%02d", rand() % 3000, rand() % 14,
                           rand() % 33);
        if (round % 3 == 1) {
            len = snprintf(text, sizeof text, "%04d-%02d-%02d%c%02d:%02d:%02d", rand() % 3000,
                           rand() % 14, rand() % 33, " Tx"[rand() % 3], rand() % 26, rand() % 62,
                           rand() % 62);
        }
        text[len] = 0;
        check_text(text);
    }
}

static bool has_variants(const char *const *texts, int64_t count, TypeId want)
{
    Column column;
    TextScan scan = {.kinds = CSV_ANY};
    TypeProfile type_profile = {0};
    column_of(texts, count, &column);
    text_scan_add(&scan, &type_profile, &column, 0);
    column_done(&column);
    assert_int_equal(text_scan_type(&scan), want);
    return text_scan_has_variants(&scan);
}
#define VARIANTS(type, ...)                                                                        \
    has_variants((const char *const[]){__VA_ARGS__},                                               \
                 (int64_t)COUNT_OF(((const char *const[]){__VA_ARGS__})), type)

static void test_variants(void **state UNUSED)
{
    assert_false(VARIANTS(TYPE_NUMERIC, "1.50", "2.25", "3.00"));
    assert_false(VARIANTS(TYPE_NUMERIC, "1.0", "1.5", "2.25"));
    assert_true(VARIANTS(TYPE_NUMERIC, "1.0", "1"));
    assert_true(VARIANTS(TYPE_NUMERIC, "1.50", "1.5"));
    assert_true(VARIANTS(TYPE_NUMERIC, "1.0", "1.00"));
    assert_false(VARIANTS(TYPE_INT64, "1", "2", NULL));
    assert_false(VARIANTS(TYPE_TEXT, "1.50", "1.5", "x"));
    assert_false(VARIANTS(TYPE_TIMESTAMP, "2024-01-01 00:00:00", "2024-01-01 00:00:01"));
    assert_true(VARIANTS(TYPE_TIMESTAMP, "2024-01-01 00:00:00", "2024-01-01T00:00:00"));
    assert_true(VARIANTS(TYPE_TIMESTAMP, "2024-01-01 00:00:00.5"));
    assert_true(VARIANTS(TYPE_TIMESTAMPTZ, "2024-01-01 00:00:00+01:00"));
    assert_false(VARIANTS(TYPE_DATE, "2024-01-01"));
    assert_false(VARIANTS(TYPE_TEXT, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_reader_sees_them),
        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
