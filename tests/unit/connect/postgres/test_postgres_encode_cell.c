/* Tests of postgres_encode (connect/postgres/postgres_encode.h): which way a cell takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "connect/postgres/postgres_encode.h"
#include "engine/column/builder.h"

/* 7 and NULL as a column of INT64. */
static Column numbers(void)
{
    Builder builder;
    Column column;
    builder_init(&builder, TYPE_INT64, NULL);
    assert_int_equal(builder_int64(&builder, 7, NULL), OK);
    assert_int_equal(builder_null(&builder, NULL), OK);
    assert_int_equal(builder_finish(&builder, &column, NULL), OK);
    return column;
}

static void check(const PostgresColumn *to, int64_t row, const char *bytes, int64_t count,
                  const char *sqlstate)
{
    const char *note = "";
    Buf out = buf_make(64);
    PostgresColumn column = *to;
    PostgresEncoder encoder = {.out = &out, .scratch = buf_make(64)};
    Column from = numbers();
    column.route = postgres_route(TYPE_INT64, &column, &note);
    assert_int_equal(postgres_encode(&encoder, &column, &from, row, NULL), OK);
    assert_int_equal(encoder.reason != NULL, sqlstate != NULL);
    if (sqlstate) assert_string_equal(encoder.sqlstate, sqlstate);
    assert_int_equal(out.len, count);
    if (count) assert_memory_equal(out.data, bytes, (size_t)count);
    column_done(&from);
    buf_done(&encoder.scratch);
    buf_done(&out);
}

static void test_null_is_a_length_of_minus_one_or_refused(void **state)
{
    (void)state;
    check(&(PostgresColumn){.kind = POSTGRES_KIND_INT8}, 1, "\377\377\377\377", 4, NULL);
    check(&(PostgresColumn){.kind = POSTGRES_KIND_TEXT}, 1, "\377\377\377\377", 4, NULL);
    check(&(PostgresColumn){.kind = POSTGRES_KIND_INT8, .no_null = true}, 1, "", 0, "23502");
}

static void test_the_same_type_is_copied_and_others_are_converted(void **state)
{
    (void)state;
    check(&(PostgresColumn){.kind = POSTGRES_KIND_INT8}, 0, "\0\0\0\10\0\0\0\0\0\0\0\7", 12, NULL);
    check(&(PostgresColumn){.kind = POSTGRES_KIND_INT2}, 0, "\0\0\0\2\0\7", 6, NULL);
    check(&(PostgresColumn){.kind = POSTGRES_KIND_TEXT}, 0,
          "\0\0\0\1"
          "7",
          5, NULL);
    check(&(PostgresColumn){.kind = POSTGRES_KIND_JSONB}, 0,
          "\0\0\0\2\1"
          "7",
          6, NULL);
    check(&(PostgresColumn){.kind = POSTGRES_KIND_NUMERIC}, 0, "\0\0\0\12\0\1\0\0\0\0\0\0\0\7", 14,
          NULL);
}

static void test_what_would_change_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    check(&(PostgresColumn){.kind = POSTGRES_KIND_BOOL}, 0, "", 0, "22P02");
    check(
        &(PostgresColumn){.kind = POSTGRES_KIND_NUMERIC, .precision = 2, .scale = 2, .below = 100},
        0, "", 0, "22003");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_is_a_length_of_minus_one_or_refused),
        cmocka_unit_test(test_the_same_type_is_copied_and_others_are_converted),
        cmocka_unit_test(test_what_would_change_is_refused_and_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
