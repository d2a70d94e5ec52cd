/* Random rows of every type, written as JSON and read again, are the same rows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/format/json_read.h"
#include "engine/format/json_write.h"

enum { ROWS = 200, ROUNDS = 60 };

typedef struct Random {
    uint64_t state;
} Random;

static uint64_t random_next(Random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state;
}

static int64_t random_below(Random *r, int64_t limit)
{
    return (int64_t)(random_next(r) % (uint64_t)limit);
}

static Int128 random_int128(Random *r)
{
    Int128 value = 0;
    for (int64_t digits = random_below(r, DECIMAL_DIGITS_MAX + 1); digits > 0; digits--) {
        value = value * 10 + random_below(r, 10);
    }
    return random_below(r, 2) ? -value : value;
}

static int64_t random_text(Random *r, char *text, int64_t most)
{
    static const char *const pieces[] = {"a",    "\"",       "\\", "\n",
                                         "\r\n", "\t",       "é",  "€",
                                         "😀",    "\x01\x1f", "/",  "longer piece of text",
                                         "{}",   ",",        "0",  "\x7f"};
    int64_t len = 0;
    for (int64_t count = random_below(r, 12); count > 0; count--) {
        Str piece = str_from(pieces[random_below(r, COUNT_OF(pieces))]);
        if (len + piece.len > most) break;
        memcpy(text + len, piece.ptr, (size_t)piece.len);
        len += piece.len;
    }
    return len;
}

static double random_double(Random *r)
{
    double value;
    uint64_t bits = random_next(r);
    if (random_below(r, 2)) return (double)random_below(r, 100000) / 100;
    memcpy(&value, &bits, sizeof value);
    return value == value ? value : (double)NAN;
}

static Status append_random(Random *r, Builder *b, Err *err)
{
    static const char *const json[] = {
        "{\"a\":[1,2.50]}", "[]", "\"x\"", "12", "true", "{\"deep\":{\"er\":[null,\"\\u00e9\"]}}"};
    char text[256];
    uint8_t uuid[16];
    Builder *child;
    static const TypeId children[] = {TYPE_BOOL, TYPE_INT64, TYPE_TEXT};
    if (random_below(r, 5) == 0) return builder_null(b, err);
    switch (b->type) {
    case TYPE_BOOL:
        return builder_bool(b, random_below(r, 2) == 1, err);
    case TYPE_INT64:
        return builder_int64(b, (int64_t)random_next(r) >> random_below(r, 64), err);
    case TYPE_DOUBLE:
        return builder_double(b, random_double(r), err);
    case TYPE_NUMERIC:
        return builder_numeric(b, (Decimal){random_int128(r), (int32_t)random_below(r, 39)}, err);
    case TYPE_TEXT:
    case TYPE_BYTES:
        return builder_text(b, str_make(text, random_text(r, text, 200)), err);
    case TYPE_JSON:
        return builder_text(b, str_from(json[random_below(r, COUNT_OF(json))]), err);
    case TYPE_DATE:
        return builder_date(b, (int32_t)random_below(r, 200000) - 100000, err);
    case TYPE_TIME:
        return builder_int64(b, random_below(r, DATETIME_DAY_US + 1), err);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return builder_int64(b, random_below(r, 200000 * DATETIME_DAY_US / 1000) * 1000, err);
    case TYPE_INTERVAL:
        return builder_interval(b,
                                (Interval){(int32_t)random_below(r, 100) - 50,
                                           (int32_t)random_below(r, 100) - 50,
                                           random_below(r, INT64_C(10000000000)) - 5000000000},
                                err);
    case TYPE_UUID:
        for (int32_t i = 0; i < 16; i++) uuid[i] = (uint8_t)random_next(r);
        return builder_uuid(b, uuid, err);
    case TYPE_DYNAMIC:
        TRY(builder_dynamic(b, children[random_below(r, COUNT_OF(children))], &child, err));
        if (child->type == TYPE_BOOL) return builder_bool(child, true, err);
        if (child->type == TYPE_INT64) return builder_int64(child, (int64_t)random_next(r), err);
        return builder_text(child, str_make(text, random_text(r, text, 200)), err);
    case TYPE_COUNT:
        break;
    }
    return FAIL;
}

static Batch *random_batch(Random *r)
{
    Err err = {0};
    Field fields[TYPE_COUNT];
    Schema *schema;
    Batch *batch;
    char names[TYPE_COUNT][24];
    for (int32_t i = 0; i < TYPE_COUNT; i++) {
        int len = snprintf(names[i], sizeof names[i], "c\"%d é", i);
        fields[i] = (Field){.name = {names[i], len}, .type = (TypeId)i};
    }
    assert_int_equal(schema_new(fields, TYPE_COUNT, false, &schema, &err), OK);
    assert_int_equal(batch_new(schema, &batch, &err), OK);
    for (int32_t i = 0; i < TYPE_COUNT; i++) {
        Builder builder;
        builder_init(&builder, (TypeId)i, NULL);
        for (int32_t row = 0; row < ROWS; row++) {
            if (append_random(r, &builder, &err) != OK) fail_msg("%s", err.message);
        }
        assert_int_equal(builder_finish(&builder, &batch->columns[i], &err), OK);
        builder_done(&builder);
    }
    batch->rows = ROWS;
    schema_unref(schema);
    return batch;
}

static void write_rows(const Batch *batch, Buf *out)
{
    JsonEncoder *encoder;
    Err err = {0};
    assert_int_equal(json_encoder_new(batch->schema, &encoder, &err), OK);
    assert_int_equal(json_encoder_rows(encoder, batch, 0, batch->rows, out, &err), OK);
    json_encoder_free(encoder);
}

/* Half of the rows as views into the block, half as copies. */
static Batch *read_rows(const Schema *schema, Str text)
{
    Err err = {0};
    JsonReader *reader;
    Buffer *heap;
    Batch *batch;
    assert_int_equal(json_reader_columns(schema, NULL, &reader, &err), OK);
    assert_int_equal(buffer_new(text.len, NULL, &heap, &err), OK);
    memcpy(heap->data, text.ptr, (size_t)text.len);
    Str rest = str_make((const char *)heap->data, text.len), line;
    for (int64_t row = 0; row < ROWS; row++) {
        bool taken;
        JsonRefusal refusal;
        if (row % (ROWS / 4) == 0) json_reader_heap(reader, row % (ROWS / 2) == 0 ? heap : NULL);
        assert_true(str_next_part(&rest, '\n', &line));
        assert_int_equal(json_reader_add(reader, line, &taken, &refusal, &err), OK);
        if (!taken) fail_msg("%s", refusal.reason);
    }
    buffer_unref(heap);
    assert_int_equal(json_reader_finish(reader, &batch, &err), OK);
    json_reader_free(reader);
    return batch;
}

static void check_equal(const Batch *a, const Batch *b)
{
    for (int32_t i = 0; i < a->schema->count; i++) {
        for (int64_t row = 0; row < a->rows; row++) {
            const Column *x = &a->columns[i], *y = &b->columns[i];
            assert_int_equal(column_is_null(x, row), column_is_null(y, row));
            if (column_is_null(x, row)) continue;
            if (x->type == TYPE_INT64 || x->type == TYPE_TIMESTAMP) {
                assert_true(column_int64(x)[row] == column_int64(y)[row]);
            }
            if (x->type == TYPE_NUMERIC) {
                assert_true(column_numeric(x)[row] == column_numeric(y)[row]);
                assert_int_equal(column_scale(x, row), column_scale(y, row));
            }
            if (x->type == TYPE_TEXT || x->type == TYPE_BYTES) {
                assert_true(str_eq(column_text(x, row), column_text(y, row)));
            }
            if (x->type == TYPE_DOUBLE && column_double(x)[row] == column_double(x)[row]) {
                assert_memory_equal(&column_double(x)[row], &column_double(y)[row], 8);
            }
        }
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    Random r = {0x9e3779b97f4a7c15u};
    for (int32_t round = 0; round < ROUNDS; round++) {
        Buf once = buf_make(1 << 26), twice = buf_make(1 << 26);
        Batch *batch = random_batch(&r);
        write_rows(batch, &once);
        Batch *again = read_rows(batch->schema, buf_str(&once));
        check_equal(batch, again);
        write_rows(again, &twice);
        assert_true(str_eq(buf_str(&once), buf_str(&twice)));
        batch_unref(batch);
        batch_unref(again);
        buf_done(&once);
        buf_done(&twice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
