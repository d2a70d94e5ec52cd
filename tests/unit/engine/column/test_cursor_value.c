/* The highest value of a cursor column: its order, its text, which rows are read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/column/builder.h"
#include "engine/column/cursor_value.h"

#define ASSERT_OK(call) assert_int_equal((call), OK)

static void put(Builder *b, TypeId type, const char *text)
{
    Err err = {0};
    int64_t number = 0;
    int32_t days = 0;
    bool zone = false;
    double real = 0;
    Decimal decimal;
    uint8_t uuid[16] = {0};
    if (!text) {
        ASSERT_OK(builder_null(b, &err));
    } else if (type == TYPE_INT64) {
        ASSERT_OK(builder_int64(b, atoll(text), &err));
    } else if (type == TYPE_TIMESTAMPTZ) {
        assert_true(datetime_cast_timestamp(str_from(text), &number, &zone));
        ASSERT_OK(builder_int64(b, number, &err));
    } else if (type == TYPE_DATE) {
        assert_true(datetime_cast_date(str_from(text), &days));
        ASSERT_OK(builder_date(b, days, &err));
    } else if (type == TYPE_DOUBLE) {
        real = strtod(text, NULL);
        ASSERT_OK(builder_double(b, real, &err));
    } else if (type == TYPE_NUMERIC) {
        assert_int_equal(decimal_parse(str_from(text), &decimal), DECIMAL_OK);
        ASSERT_OK(builder_numeric(b, decimal, &err));
    } else if (type == TYPE_UUID) {
        uuid[15] = (uint8_t)(text[0] - '0');
        ASSERT_OK(builder_uuid(b, uuid, &err));
    } else {
        ASSERT_OK(builder_text(b, str_from(text), &err));
    }
}

static Column column_of(TypeId type, const char *const *texts, int32_t count)
{
    Err err = {0};
    Builder b;
    Column column = {0};
    builder_init(&b, type, NULL);
    for (int32_t i = 0; i < count; i++) put(&b, type, texts[i]);
    ASSERT_OK(builder_finish(&b, &column, &err));
    builder_done(&b);
    return column;
}

typedef struct Sample {
    TypeId type;
    const char *values[5]; /* NULL, then one that is low, the highest twice, one that is low */
    const char *text;
} Sample;

static const Sample SAMPLES[] = {
    {TYPE_INT64, {NULL, "-5", "9", "9", "8"}, "9"},
    {TYPE_DATE, {NULL, "2024-01-01", "2024-06-01", "2024-06-01", "infinity"}, "2024-06-01"},
    {TYPE_TIMESTAMPTZ,
     {NULL, "2024-01-01", "2024-06-01 10:00:00.5Z", "2024-06-01 10:00:00.5Z", "-infinity"},
     "2024-06-01 10:00:00.5Z"},
    {TYPE_DOUBLE, {NULL, "-1", "2.5", "2.5", "nan"}, "2.5"},
    {TYPE_NUMERIC, {NULL, "9", "10.50", "10.5", "10.49"}, "10.50"},
    {TYPE_TEXT, {NULL, "a", "b", "b", "B"}, "b"},
    {TYPE_UUID, {NULL, "1", "3", "3", "2"}, "00000000-0000-0000-0000-000000000003"},
};

static void highest(void **state)
{
    (void)state;
    Err err = {0};
    for (int64_t i = 0; i < COUNT_OF(SAMPLES); i++) {
        const Sample *s = &SAMPLES[i];
        CursorValue cursor = {0}, again = {0};
        CLEANUP(buf_done) Buf text = buf_make(1000);
        bool higher = false;
        Column column = column_of(s->type, s->values, 5);
        ASSERT_OK(cursor_value_note(&cursor, &column, &higher, &err));
        assert_true(higher);
        ASSERT_OK(cursor_value_note(&cursor, &column, &higher, &err));
        assert_false(higher);
        ASSERT_OK(cursor_value_format(&cursor, &text, &err));
        assert_true(str_eq(buf_str(&text), str_from(s->text)));
        ASSERT_OK(cursor_value_parse(&again, s->type, buf_str(&text), &err));
        uint8_t bits[8] = {0};
        assert_true(cursor_value_again(&again, &column, bits) >= 3);
        for (int64_t row = 0; row < 5; row++) {
            CursorPlace place = cursor_value_place(&again, &column, row);
            assert_int_equal(bit_get(bits, row), place != CURSOR_OTHER);
            assert_int_equal(place, cursor_value_place(&cursor, &column, row));
            if (row == 0) assert_int_equal(place, CURSOR_OUTSIDE);
            if (row == 1) assert_int_equal(place, CURSOR_OTHER);
            if (row == 2 || row == 3) assert_int_equal(place, CURSOR_SAME);
        }
        cursor_value_done(&cursor);
        cursor_value_done(&again);
        column_done(&column);
    }
}

static void outside(void **state)
{
    (void)state;
    Err err = {0};
    const char *dates[] = {"infinity", "-infinity", NULL};
    Column column = column_of(TYPE_DATE, dates, 3);
    CursorValue cursor = {0};
    ASSERT_OK(cursor_value_note(&cursor, &column, NULL, &err));
    assert_false(cursor.some);
    for (int64_t row = 0; row < 3; row++) {
        assert_int_equal(cursor_value_place(&cursor, &column, row), CURSOR_OUTSIDE);
    }
    CLEANUP(buf_done) Buf text = buf_make(10);
    ASSERT_OK(cursor_value_format(&cursor, &text, &err));
    assert_int_equal(text.len, 0);
    column_done(&column);
}

/* Columns without NULLs have a way of their own. */
static void plain(void **state)
{
    (void)state;
    Err err = {0};
    const char *times[] = {"2024-01-01Z", "infinity", "2024-01-02Z", "2024-01-02Z", "-infinity"};
    const char *endless[] = {"infinity", "-infinity"};
    uint8_t bits[8] = {0}, none[8] = {0};
    Column column = column_of(TYPE_TIMESTAMPTZ, times, 5);
    Column other = column_of(TYPE_TIMESTAMPTZ, endless, 2);
    CursorValue cursor = {0};
    bool higher = true;
    ASSERT_OK(cursor_value_note(&cursor, &other, &higher, &err));
    assert_false(higher || cursor.some);
    assert_int_equal(cursor_value_again(&cursor, &other, none), 2);
    ASSERT_OK(cursor_value_note(&cursor, &column, &higher, &err));
    assert_true(higher && cursor.number == column_int64(&column)[2]);
    assert_int_equal(cursor_value_again(&cursor, &column, bits), 4);
    assert_int_equal(bits[0], 0x1e);
    column_done(&column);
    column_done(&other);
}

/* ---- values of a type each ---- */

static Status note_dynamic(CursorValue *cursor, const char *const *texts, int32_t count, Err *err)
{
    Builder b;
    Column column = {0};
    builder_init(&b, TYPE_DYNAMIC, NULL);
    for (int32_t i = 0; i < count; i++) {
        Builder *child = NULL;
        char *end = NULL;
        long long number = strtoll(texts[i], &end, 10);
        bool integer = *end == 0;
        bool text = texts[i][0] == '\'';
        TypeId type = text ? TYPE_TEXT : integer ? TYPE_INT64 : TYPE_DOUBLE;
        ASSERT_OK(builder_dynamic(&b, type, &child, err));
        if (text) ASSERT_OK(builder_text(child, str_from(texts[i] + 1), err));
        else if (integer) ASSERT_OK(builder_int64(child, number, err));
        else ASSERT_OK(builder_double(child, strtod(texts[i], NULL), err));
    }
    ASSERT_OK(builder_finish(&b, &column, err));
    builder_done(&b);
    Status status = cursor_value_note(cursor, &column, NULL, err);
    column_done(&column);
    return status;
}

static void dynamic(void **state)
{
    (void)state;
    static const struct {
        const char *values[2];
        const char *highest; /* NULL: refused */
    } CASES[] = {
        {{"8", "9.5"}, "9.5"},
        {{"9.5", "10"}, "10"},
        {{"'a", "'b"}, "b"},
        {{"'2024-01-01", "'2024-01-01 10:00"}, "2024-01-01 10:00"},
        {{"'2024-01-01 10:00:00", "'2024-01-01 10:00:00.25"}, "2024-01-01 10:00:00.25"},
        {{"'2024-01-01 10:00", "'2024-01-01T10:00"}, NULL},
        {{"'2024-01-01", "'01.02.2024"}, NULL},
        {{"'2024-01-01", "'24-01-02"}, NULL},
        {{"'9", "'10"}, NULL},
        {{"'09", "'10"}, "10"},
        {{"'01ARZ3", "'01BRZ"}, "01BRZ"},
        {{"5", "'5"}, NULL},
        {{"'5", "5.5"}, NULL},
    };
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        Err err = {0};
        CursorValue cursor = {0};
        CLEANUP(buf_done) Buf text = buf_make(100);
        Status status = note_dynamic(&cursor, CASES[i].values, 2, &err);
        assert_int_equal(status == OK, CASES[i].highest != NULL);
        if (status == OK) {
            ASSERT_OK(cursor_value_format(&cursor, &text, &err));
            assert_true(str_eq(buf_str(&text), str_from(CASES[i].highest)));
        } else {
            assert_int_equal(err.kind, ERR_DATA);
        }
        cursor_value_done(&cursor);
    }
}

static void types(void **state)
{
    (void)state;
    assert_true(cursor_type_orders(TYPE_NUMERIC) && cursor_type_orders(TYPE_DYNAMIC));
    assert_false(cursor_type_orders(TYPE_BOOL) || cursor_type_orders(TYPE_JSON));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(highest), cmocka_unit_test(outside), cmocka_unit_test(plain),
        cmocka_unit_test(dynamic), cmocka_unit_test(types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
