/* Tests of connect/postgres/postgres_encode.h: rows made together are the rows made one by one, and
 * come back as they were by postgres_decode.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "connect/postgres/postgres_decode.h"
#include "connect/postgres/postgres_encode.h"
#include "engine/column/builder.h"

enum { ROWS = 300, FIELDS = 12 };

typedef struct Shape {
    const char *name;
    TypeId type;
    PostgresKind kind;
    PostgresForm form;
} Shape;

static const Shape SHAPES[FIELDS] = {
    {"b", TYPE_BOOL, POSTGRES_KIND_BOOL, POSTGRES_BOOL},
    {"i2", TYPE_INT64, POSTGRES_KIND_INT2, POSTGRES_INT2},
    {"i4", TYPE_INT64, POSTGRES_KIND_INT4, POSTGRES_INT4},
    {"i8", TYPE_INT64, POSTGRES_KIND_INT8, POSTGRES_INT8},
    {"f8", TYPE_DOUBLE, POSTGRES_KIND_FLOAT8, POSTGRES_FLOAT8},
    {"n", TYPE_NUMERIC, POSTGRES_KIND_NUMERIC, POSTGRES_NUMERIC},
    {"n2", TYPE_NUMERIC, POSTGRES_KIND_NUMERIC, POSTGRES_NUMERIC},
    {"t", TYPE_TEXT, POSTGRES_KIND_TEXT, POSTGRES_TEXT},
    {"j", TYPE_JSON, POSTGRES_KIND_JSONB, POSTGRES_JSONB},
    {"d", TYPE_DATE, POSTGRES_KIND_DATE, POSTGRES_DATE},
    {"ts", TYPE_TIMESTAMPTZ, POSTGRES_KIND_TIMESTAMPTZ, POSTGRES_TIMESTAMP},
    {"u", TYPE_UUID, POSTGRES_KIND_UUID, POSTGRES_UUID},
};

/* Numbers around what 64 bits and groups of four digits hold. */
static Decimal number_at(int64_t row)
{
    static const int32_t SCALES[] = {0, 1, 2, 3, 4, 5, 8, 18, 30, 38};
    Int128 value = decimal_power10((int32_t)(row % 38)) + (row % 7 - 3) * (row % 5);
    if (row % 11 == 0) value = row % 2;
    if (row % 13 == 0) value = ((Int128)INT64_MAX + row % 3) * (row % 17 == 0 ? 2 : 1);
    return (Decimal){row % 3 ? value : -value, SCALES[row % COUNT_OF(SCALES)]};
}

static Status value_add(Builder *b, int32_t field, int64_t row, Err *err)
{
    char text[64];
    int len =
        snprintf(text, sizeof text, row % 5 ? "v%lld" : "a longer value than a view holds: %lld é",
                 (long long)row);
    uint8_t uuid[16] = {(uint8_t)row, 1, 2, 3};
    int64_t us = INT64_C(1700000000000000) + row * 1000001;
    switch (field) {
    case 0:
        return builder_bool(b, row % 3 == 0, err);
    case 1:
        return builder_int64(b, row % 2 ? INT16_MIN + row : INT16_MAX - row, err);
    case 2:
        return builder_int64(b, row % 2 ? INT32_MIN + row : INT32_MAX - row, err);
    case 3:
        return builder_int64(b, row % 2 ? INT64_MIN + row : INT64_MAX - row, err);
    case 4:
        return builder_double(b, (double)row / 7, err);
    case 5:
        return builder_numeric(b, number_at(row), err);
    case 6:
        return builder_numeric(b, (Decimal){row % 4 ? row * 7919 - 99999 : 0, 2}, err);
    case 7:
        return builder_text(b, str_make(text, row % 9 ? len : 0), err);
    case 8:
        return builder_text(b, STR("{\"a\": [1, 2.50, null]}"), err);
    case 9:
        return builder_date(b, row % 10 ? (int32_t)row * 37 - 5000 : DATE_INFINITY, err);
    case 10:
        return builder_int64(b, row % 10 ? us : DATETIME_NEG_INFINITY, err);
    default:
        return builder_uuid(b, uuid, err);
    }
}

static Batch *batch_make(void)
{
    Err err = {0};
    Field fields[FIELDS];
    for (int32_t i = 0; i < FIELDS; i++) {
        fields[i] = (Field){.name = str_from(SHAPES[i].name), .type = SHAPES[i].type};
    }
    Schema *schema = NULL;
    Batch *batch = NULL;
    assert_int_equal(schema_new(fields, FIELDS, false, &schema, &err), OK);
    assert_int_equal(batch_new(schema, &batch, &err), OK);
    for (int32_t i = 0; i < FIELDS; i++) {
        Builder b;
        builder_init(&b, SHAPES[i].type, NULL);
        for (int64_t row = 0; row < ROWS; row++) {
            bool null = i % 2 == 1 && (row + i) % 6 == 0;
            assert_int_equal(null ? builder_null(&b, &err) : value_add(&b, i, row, &err), OK);
        }
        assert_int_equal(builder_finish(&b, &batch->columns[i], &err), OK);
    }
    batch->rows = ROWS;
    schema_unref(schema);
    return batch;
}

static void columns_make(PostgresColumn columns[FIELDS])
{
    for (int32_t i = 0; i < FIELDS; i++) {
        columns[i] = (PostgresColumn){.kind = SHAPES[i].kind, .fraction = 6};
        const char *note;
        columns[i].route = postgres_route(SHAPES[i].type, &columns[i], &note);
        assert_int_not_equal(columns[i].route, POSTGRES_ROUTE_NONE);
    }
    columns[6].precision = 12;
    columns[6].scale = 2;
    columns[6].below = (Uint128)decimal_power10(12);
}

typedef struct Encoded {
    PostgresEncoder encoder;
    Buf out;
    int64_t ends[ROWS];
    bool done;
} Encoded;

static void together(Encoded *e, const PostgresColumn *columns, const Batch *batch, bool staged)
{
    Err err = {0};
    PostgresRowHead head = {staged, 41};
    *e = (Encoded){.out = buf_make(1 << 24)};
    e->encoder =
        (PostgresEncoder){.out = &e->out, .scratch = buf_make(1 << 20), .cells = buf_make(1 << 20)};
    assert_int_equal(
        postgres_encode_rows(&e->encoder, columns, batch, &head, e->ends, &e->done, &err), OK);
}

static void encoded_done(Encoded *e)
{
    buf_done(&e->out);
    buf_done(&e->encoder.scratch);
    buf_done(&e->encoder.cells);
}

static void one_by_one(PostgresEncoder *e, const PostgresColumn *columns, const Batch *batch,
                       bool staged)
{
    Err err = {0};
    for (int64_t row = 0; row < batch->rows; row++) {
        assert_int_equal(buf_reserve(e->out, 2, &err), OK);
        (void)postgres_put16(e->out->data + e->out->len, FIELDS + (staged ? 2 : 0));
        e->out->len += 2;
        if (staged) assert_int_equal(postgres_put_int64(e->out, 41 + row, &err), OK);
        if (staged)
            assert_int_equal(postgres_put_int64(e->out, batch_ordinal(batch, row), &err), OK);
        for (int32_t i = 0; i < FIELDS; i++) {
            assert_int_equal(postgres_encode(e, &columns[i], &batch->columns[i], row, &err), OK);
            assert_null(e->reason);
        }
    }
}

static void test_rows_together_are_the_rows_one_by_one(void **state)
{
    (void)state;
    PostgresColumn columns[FIELDS];
    columns_make(columns);
    Batch *batch = batch_make();
    for (int staged = 0; staged < 2; staged++) {
        Encoded got;
        together(&got, columns, batch, staged);
        assert_true(got.done);
        assert_int_equal(got.ends[ROWS - 1], got.out.len);
        Buf want = buf_make(1 << 24);
        PostgresEncoder e = {.out = &want, .scratch = buf_make(1 << 20)};
        one_by_one(&e, columns, batch, staged);
        assert_int_equal(got.out.len, want.len);
        assert_memory_equal(got.out.data, want.data, (size_t)want.len);
        buf_done(&want);
        buf_done(&e.scratch);
        encoded_done(&got);
    }
    batch_unref(batch);
}

static void column_same(const Column *got, const Column *want)
{
    for (int64_t row = 0; row < ROWS; row++) {
        assert_int_equal(column_is_null(got, row), column_is_null(want, row));
        if (column_is_null(want, row)) continue;
        if (want->type == TYPE_NUMERIC) {
            assert_true(column_numeric(got)[row] == column_numeric(want)[row]);
            assert_int_equal(column_scale(got, row), column_scale(want, row));
        } else if (want->type == TYPE_TEXT || want->type == TYPE_JSON) {
            assert_true(str_eq(column_text(got, row), column_text(want, row)));
        } else if (want->type == TYPE_BOOL) {
            assert_int_equal(column_bool(got, row), column_bool(want, row));
        } else if (want->type == TYPE_DATE) {
            assert_int_equal(column_date(got)[row], column_date(want)[row]);
        } else if (want->type == TYPE_UUID) {
            assert_memory_equal(column_uuid(got) + row * 16, column_uuid(want) + row * 16, 16);
        } else {
            assert_int_equal(column_int64(got)[row], column_int64(want)[row]);
        }
    }
}

static void test_rows_come_back_as_they_were(void **state)
{
    (void)state;
    Err err = {0};
    PostgresColumn columns[FIELDS];
    columns_make(columns);
    Batch *batch = batch_make();
    Encoded sent;
    together(&sent, columns, batch, false);
    PostgresRows rows;
    assert_int_equal(postgres_rows_init(&rows, FIELDS, ROWS, 1 << 20, false, &err), OK);
    for (int64_t row = 0; row < ROWS; row++) {
        bool full = true;
        int64_t from = row ? sent.ends[row - 1] : 0;
        Str bytes = str_make(sent.out.data + from, sent.ends[row] - from);
        assert_int_equal(postgres_rows_add(&rows, bytes, &full, &err), OK);
        assert_false(full);
    }
    for (int32_t i = 0; i < FIELDS; i++) {
        Builder b;
        Column column;
        PostgresBads bads = {0};
        builder_init(&b, SHAPES[i].type, NULL);
        assert_int_equal(postgres_rows_column(&rows, i, SHAPES[i].form, &b, &bads, &err), OK);
        assert_int_equal(bads.count, 0);
        assert_int_equal(builder_finish(&b, &column, &err), OK);
        column_same(&column, &batch->columns[i]);
        column_done(&column);
        postgres_bads_done(&bads);
    }
    postgres_rows_done(&rows);
    encoded_done(&sent);
    batch_unref(batch);
}

/* One value that the column refuses: nothing is appended, one by one will say which. */
static void test_a_refused_value_leaves_nothing(void **state)
{
    (void)state;
    Batch *batch = batch_make();
    for (int what = 0; what < 5; what++) {
        PostgresColumn columns[FIELDS];
        columns_make(columns);
        if (what == 0) columns[3].no_null = true;
        if (what == 1) columns[3].kind = POSTGRES_KIND_INT4;
        if (what == 1) columns[3].route = POSTGRES_ROUTE_CHECKED;
        if (what == 2) columns[6].precision = 4, columns[6].below = 10000;
        if (what == 3) columns[7].limit = 20;
        if (what == 4) columns[10].fraction = 3;
        Encoded got;
        together(&got, columns, batch, false);
        assert_false(got.done);
        assert_int_equal(got.out.len, 0);
        encoded_done(&got);
    }
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_together_are_the_rows_one_by_one),
        cmocka_unit_test(test_rows_come_back_as_they_were),
        cmocka_unit_test(test_a_refused_value_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
