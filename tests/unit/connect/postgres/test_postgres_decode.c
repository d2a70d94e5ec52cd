/* Tests of connect/postgres/postgres_decode.h: values byte by byte, and streams that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "connect/postgres/postgres_decode.h"
#include "foundation/base/buf.h"

typedef struct Case {
    PostgresForm form;
    TypeId type;
    const char *bytes;
    int32_t len; /* -1: NULL */
    const char *want;
} Case;

#define BYTES(text) text, sizeof(text) - 1
#define ROW(text) text, .len = sizeof(text) - 1
#define WRONG_SIZE "bad: its bytes are not of the column's type"
#define TOO_WIDE "bad: it has more than 38 digits; select it as text: column::text"
#define TOO_LATE "bad: the year is past 294246; select it as text"

static const Case NUMBERS[] = {
    {POSTGRES_INT2, TYPE_INT64, NULL, -1, "NULL"},
    {POSTGRES_INT2, TYPE_INT64, BYTES("\x80\x00"), "-32768"},
    {POSTGRES_INT2, TYPE_INT64, BYTES("\x7f\xff"), "32767"},
    {POSTGRES_INT2, TYPE_INT64, BYTES("\x7f"), WRONG_SIZE},
    {POSTGRES_INT4, TYPE_INT64, BYTES("\x80\x00\x00\x00"), "-2147483648"},
    {POSTGRES_INT4, TYPE_INT64, BYTES("\x01\x02\x03\x04"), "16909060"},
    {POSTGRES_OID, TYPE_INT64, BYTES("\xff\xff\xff\xff"), "4294967295"},
    {POSTGRES_INT8, TYPE_INT64, BYTES("\x80\x00\x00\x00\x00\x00\x00\x00"), "-9223372036854775808"},
    {POSTGRES_INT8, TYPE_INT64, BYTES("\x00\x00\x00\x01"), WRONG_SIZE},
    {POSTGRES_FLOAT4, TYPE_DOUBLE, BYTES("\x3d\xcc\xcc\xcd"), "0.1"},
    {POSTGRES_FLOAT4, TYPE_DOUBLE, BYTES("\x7f\x80\x00\x00"), "inf"},
    {POSTGRES_FLOAT8, TYPE_DOUBLE, BYTES("\x3f\xf8\x00\x00\x00\x00\x00\x00"), "1.5"},
    {POSTGRES_FLOAT8, TYPE_DOUBLE, BYTES("\x80\x00\x00\x00\x00\x00\x00\x00"), "-0"},
    {POSTGRES_FLOAT8, TYPE_DOUBLE, BYTES("\xff\xf0\x00\x00\x00\x00\x00\x00"), "-inf"},
    {POSTGRES_BOOL, TYPE_BOOL, BYTES("\x01"), "true"},
    {POSTGRES_BOOL, TYPE_BOOL, BYTES("\x00"), "false"},
    {POSTGRES_BOOL, TYPE_BOOL, BYTES(""), WRONG_SIZE},
};

/* int16 digits, weight, sign, scale; digits of base 10000. Wanted: number "/" scale. */
static const Case NUMERICS[] = {
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\0\0\0\0\0\0\0"), "0/0"},
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\0\0\0\0\0\0\3"), "0/3"},
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\2\0\0\0\0\0\2\0\1\x13\x88"), "150/2"},
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\1\0\2\0\0\0\0\0\1"), "100000000/0"},
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\1\xff\xfe\x40\0\0\x08\0\1"), "-1/8"},
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\1\0\x09\0\0\0\0\0\x63"),
     "99000000000000000000000000000000000000/0"},
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\1\0\x09\0\0\0\0\0\x64"), TOO_WIDE},
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\1\0\0\0\0\0\0\x27\x10"), TOO_WIDE},
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\1\0\0\0\1\0\0\0\1"), WRONG_SIZE},
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\2\0\0\0\0\0\0\0\1"), WRONG_SIZE},
    {POSTGRES_NUMERIC, TYPE_NUMERIC, BYTES("\0\1"), WRONG_SIZE},
};

static const Case TIMES[] = {
    {POSTGRES_DATE, TYPE_DATE, BYTES("\0\0\0\0"), "10957"},
    {POSTGRES_DATE, TYPE_DATE, BYTES("\x7f\xff\xff\xff"), "2147483647"},
    {POSTGRES_DATE, TYPE_DATE, BYTES("\x80\0\0\0"), "-2147483648"},
    {POSTGRES_DATE, TYPE_DATE, BYTES("\x7f\xff\xff\xfe"), "bad: the date is too far away"},
    {POSTGRES_DATE, TYPE_DATE, BYTES("\0"), WRONG_SIZE},
    {POSTGRES_TIMESTAMP, TYPE_TIMESTAMP, BYTES("\0\0\0\0\0\0\0\0"), "946684800000000"},
    {POSTGRES_TIMESTAMP, TYPE_TIMESTAMPTZ, BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff"),
     "9223372036854775807"},
    {POSTGRES_TIMESTAMP, TYPE_TIMESTAMP, BYTES("\x80\0\0\0\0\0\0\0"), "-9223372036854775808"},
    /* 294247-01-10 04:00:54.775806 is the last one; the next would read as infinity. */
    {POSTGRES_TIMESTAMP, TYPE_TIMESTAMP, BYTES("\x7f\xfc\xa2\xfe\xc4\xc8\x1f\xfe"),
     "9223372036854775806"},
    {POSTGRES_TIMESTAMP, TYPE_TIMESTAMP, BYTES("\x7f\xfc\xa2\xfe\xc4\xc8\x1f\xff"), TOO_LATE},
    {POSTGRES_TIMESTAMP, TYPE_TIMESTAMP, BYTES("\x7f\xfc\xa2\xfe\xc4\xc8\x20\x00"), TOO_LATE},
    {POSTGRES_TIME, TYPE_TIME, BYTES("\0\0\0\x14\x1d\xd7\x60\0"), "86400000000"},
    {POSTGRES_TIME, TYPE_TIME, BYTES("\0\0\0\x14\x1d\xd7\x60\1"), WRONG_SIZE},
    {POSTGRES_TIME, TYPE_TIME, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), WRONG_SIZE},
};

static const Case TEXTS[] = {
    {POSTGRES_TEXT, TYPE_TEXT, BYTES(""), ""},
    {POSTGRES_TEXT, TYPE_TEXT, BYTES("caf\xc3\xa9 longer than a view"),
     "caf\xc3\xa9 longer than a view"},
    {POSTGRES_TEXT, TYPE_TEXT, BYTES("caf\xc3"), "bad: the text is not UTF-8"},
    {POSTGRES_TEXT, TYPE_JSON, BYTES("{\"a\": 1.50}"), "{\"a\": 1.50}"},
    {POSTGRES_TEXT, TYPE_JSON, BYTES("[1,null,\"x\"]"), "[1,null,\"x\"]"},
    {POSTGRES_BYTES, TYPE_BYTES, BYTES("\xff\xfe"), "\xff\xfe"},
    {POSTGRES_JSONB, TYPE_JSON, BYTES("\1{\"a\": 1}"), "{\"a\": 1}"},
    {POSTGRES_JSONB, TYPE_JSON, BYTES("\2{}"), WRONG_SIZE},
    {POSTGRES_JSONB, TYPE_JSON, BYTES(""), WRONG_SIZE},
    {POSTGRES_UUID, TYPE_UUID, BYTES("0123456789abcdef"), "0123456789abcdef"},
    {POSTGRES_UUID, TYPE_UUID, BYTES("0123456789abcde"), WRONG_SIZE},
    {POSTGRES_INTERVAL, TYPE_INTERVAL, BYTES("\0\0\0\0\0\0\0\1\xff\xff\xff\xff\0\0\0\x0e"),
     "14 months -1 days 1 us"},
    {POSTGRES_INTERVAL, TYPE_INTERVAL, BYTES("\0\0\0\0"), WRONG_SIZE},
};

static void put_int128(Int128 value, int32_t scale, char out[256])
{
    char digits[48];
    int at = sizeof digits;
    Uint128 rest = value < 0 ? -(Uint128)value : (Uint128)value;
    do digits[--at] = (char)('0' + (int)(rest % 10));
    while (rest /= 10);
    (void)snprintf(out, 256, "%s%.*s/%d", value < 0 ? "-" : "", (int)sizeof digits - at,
                   digits + at, scale);
}

static void put_value(const Column *column, char out[256])
{
    const void *data = column->data ? column->data->data : NULL;
    if (column_is_null(column, 0)) {
        (void)snprintf(out, 256, "NULL");
    } else if (column->type == TYPE_BOOL) {
        (void)snprintf(out, 256, "%s", column_bool(column, 0) ? "true" : "false");
    } else if (column->type == TYPE_DOUBLE) {
        (void)snprintf(out, 256, "%.15g", *(const double *)data);
    } else if (column->type == TYPE_NUMERIC) {
        put_int128(*(const Int128 *)data, column_scale(column, 0), out);
    } else if (column->type == TYPE_DATE) {
        (void)snprintf(out, 256, "%d", *(const int32_t *)data);
    } else if (column->type == TYPE_UUID) {
        (void)snprintf(out, 256, "%.16s", (const char *)data);
    } else if (column->type == TYPE_INTERVAL) {
        Interval value = *(const Interval *)data;
        (void)snprintf(out, 256, "%d months %d days %lld us", value.months, value.days,
                       (long long)value.us);
    } else if (type_is_view(column->type)) {
        Str text = column_text(column, 0);
        (void)snprintf(out, 256, "%.*s", (int)text.len, text.ptr);
    } else {
        (void)snprintf(out, 256, "%lld", (long long)*(const int64_t *)data);
    }
}

static void row_put(Buf *row, const Case *c)
{
    Err err = {0};
    int32_t len = c->len;
    char head[6] = {0, 1, (char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len};
    assert_int_equal(buf_append(row, str_make(head, 6), &err), OK);
    if (len > 0) assert_int_equal(buf_append(row, str_make(c->bytes, len), &err), OK);
}

static void check_case(const Case *c)
{
    Err err = {0};
    CLEANUP(buf_done) Buf row = buf_make(1024);
    PostgresRows rows;
    PostgresBads bads = {0};
    Builder b;
    Column column = {0};
    bool full = true;
    char got[256];
    row_put(&row, c);
    assert_int_equal(postgres_rows_init(&rows, 1, 4, 1024, false, &err), OK);
    assert_int_equal(postgres_rows_add(&rows, buf_str(&row), &full, &err), OK);
    assert_false(full);
    builder_init(&b, c->type, NULL);
    assert_int_equal(postgres_rows_column(&rows, 0, c->form, &b, &bads, &err), OK);
    assert_int_equal(builder_finish(&b, &column, &err), OK);
    if (bads.count) {
        assert_true(column_is_null(&column, 0));
        (void)snprintf(got, sizeof got, "bad: %s", bads.items[0].reason);
    } else {
        put_value(&column, got);
    }
    assert_string_equal(got, c->want);
    column_done(&column);
    builder_done(&b);
    postgres_bads_done(&bads);
    postgres_rows_done(&rows);
}

static void test_numbers(void **state)
{
    (void)state;
    for (int64_t i = 0; i < COUNT_OF(NUMBERS); i++) check_case(&NUMBERS[i]);
}

static void test_numerics(void **state)
{
    (void)state;
    for (int64_t i = 0; i < COUNT_OF(NUMERICS); i++) check_case(&NUMERICS[i]);
}

static void test_dates_and_times(void **state)
{
    (void)state;
    for (int64_t i = 0; i < COUNT_OF(TIMES); i++) check_case(&TIMES[i]);
}

static void test_texts_and_the_rest(void **state)
{
    (void)state;
    for (int64_t i = 0; i < COUNT_OF(TEXTS); i++) check_case(&TEXTS[i]);
}

static void test_rows_that_are_none_are_refused(void **state)
{
    (void)state;
    static const Case ROWS[] = {
        {.bytes = "", .len = 0},
        {.bytes = ROW("\0\2\0\0\0\0\0\0\0\0")}, /* two columns */
        {.bytes = ROW("\0\1\0\0\0\2x")},        /* a value past the end */
        {.bytes = ROW("\0\1\0\0\0\1xy")},       /* bytes after the last value */
        {.bytes = ROW("\0\1\xff\xff\xff\xfe")}, /* a length of -2 */
        {.bytes = ROW("\0\1\0\0")},             /* half a length */
    };
    for (int64_t i = 0; i < COUNT_OF(ROWS); i++) {
        Err err = {0};
        PostgresRows rows;
        bool full;
        assert_int_equal(postgres_rows_init(&rows, 1, 4, 1024, false, &err), OK);
        Str row = str_make(ROWS[i].bytes, ROWS[i].len);
        assert_int_not_equal(postgres_rows_add(&rows, row, &full, &err), OK);
        assert_int_equal(err.kind, ERR_DATA);
        postgres_rows_done(&rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numerics),
        cmocka_unit_test(test_dates_and_times),
        cmocka_unit_test(test_texts_and_the_rest),
        cmocka_unit_test(test_rows_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
