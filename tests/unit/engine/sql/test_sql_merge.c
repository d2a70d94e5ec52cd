/* Tests of engine/sql/sql_merge.h and sql_dialect.h: the text of each statement for each dialect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "engine/sql/sql_merge.h"

/* id and "na""me" are the key, at is the cursor, doc has no equality, tags are cast, seen is no
 * change. */
static const SqlColumn COLUMNS[] = {
    {.name = STR("id"), .key = true, .identity = true, .stage = STR("bigint")},
    {.name = STR("na\"me"), .key = true, .stage = STR("text")},
    {.name = STR("at"), .stage = STR("timestamp")},
    {.name = STR("doc"), .by_text = true, .stage = STR("json")},
    {.name = STR("it's"), .by_text = true, .cast = STR("integer[]"), .stage = STR("text")},
    {.name = STR("seen"), .ignored = true, .stage = STR("date")},
};
static const SqlColumn LITE_COLUMNS[] = {
    {.name = STR("id"), .key = true},
    {.name = STR("na\"me"), .key = true},
    {.name = STR("at")},
    {.name = STR("doc")},
    {.name = STR("it's")},
    {.name = STR("seen"), .ignored = true},
};
static const SqlColumn KEY_ONLY[] = {{.name = STR("a"), .key = true},
                                     {.name = STR("b"), .key = true}};
static const SqlColumn NO_KEY[] = {{.name = STR("a")}, {.name = STR("b")}};

static const SqlMerge POSTGRES = {.dialect = &SQL_POSTGRES,
                                  .table = STR("my.t\"x"),
                                  .columns = COLUMNS,
                                  .count = COUNT_OF(COLUMNS),
                                  .keyed = true,
                                  .cursor = 2,
                                  .unique = true,
                                  .conflict = ""};
static const SqlMerge SQLITE = {.dialect = &SQL_SQLITE,
                                .table = STR("t\"x"),
                                .columns = LITE_COLUMNS,
                                .count = COUNT_OF(LITE_COLUMNS),
                                .keyed = true,
                                .cursor = 2,
                                .conflict = " OR ABORT"};

static void check(const SqlMerge *merge, SqlMergePart part, bool range, const char *want)
{
    Err err = {0};
    Buf sql = buf_make(1 << 20);
    assert_int_equal(sql_merge_put(merge, part, range, &sql, &err), OK);
    assert_int_equal(buf_terminate(&sql, &err), OK);
    assert_string_equal(sql.data, want);
    buf_done(&sql);
}

static void test_postgresql_stage(void **state)
{
    (void)state;
    check(&POSTGRES, SQL_MERGE_STAGE, false,
          "CREATE TEMP TABLE neuron_stage (neuron_ord bigint, neuron_row bigint, \"id\" "
          "bigint, \"na\"\"me\" text, \"at\" timestamp, \"doc\" json, \"it's\" text, \"seen\" "
          "date) ON COMMIT DROP");
    check(&POSTGRES, SQL_MERGE_READY, false,
          "ANALYZE pg_temp.neuron_stage (neuron_ord, \"id\", \"na\"\"me\")");
    check(&POSTGRES, SQL_MERGE_SUPERSEDE, false,
          "DELETE FROM pg_temp.neuron_stage WHERE neuron_ord IN (SELECT neuron_ord FROM "
          "(SELECT neuron_ord, row_number() OVER (PARTITION BY s.\"id\", s.\"na\"\"me\" ORDER "
          "BY s.\"at\" DESC NULLS LAST, neuron_ord DESC) AS n FROM pg_temp.neuron_stage AS s "
          "WHERE (s.\"id\", s.\"na\"\"me\") IN (SELECT \"id\", \"na\"\"me\" FROM "
          "pg_temp.neuron_stage GROUP BY \"id\", \"na\"\"me\" HAVING count(*) > 1)) AS d WHERE "
          "n > 1)");
    check(&POSTGRES, SQL_MERGE_EXPECT, true,
          "SELECT count(*) FILTER (WHERE neuron_new), count(*) FILTER (WHERE NOT neuron_new), "
          "count(*) FILTER (WHERE NOT neuron_new) FROM (SELECT s.neuron_ord, t.\"id\" IS NULL "
          "AS neuron_new FROM pg_temp.neuron_stage AS s LEFT JOIN \"my\".\"t\"\"x\" AS t ON "
          "t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = s.\"na\"\"me\" WHERE (t.\"id\" IS NULL OR "
          "(t.\"at\" IS DISTINCT FROM s.\"at\" OR t.\"doc\"::text IS DISTINCT FROM "
          "s.\"doc\"::text OR t.\"it's\"::text IS DISTINCT FROM s.\"it's\"::integer[]::text)) "
          "AND s.neuron_ord BETWEEN $1 AND $2) AS changes");
}

static void test_postgresql_writes(void **state)
{
    (void)state;
    check(&POSTGRES, SQL_MERGE_WRITE, false,
          "WITH changes AS (SELECT s.*, t.\"id\" IS NULL AS neuron_new FROM "
          "pg_temp.neuron_stage AS s LEFT JOIN \"my\".\"t\"\"x\" AS t ON t.\"id\" = s.\"id\" "
          "AND t.\"na\"\"me\" = s.\"na\"\"me\" WHERE (t.\"id\" IS NULL OR (t.\"at\" IS "
          "DISTINCT FROM s.\"at\" OR t.\"doc\"::text IS DISTINCT FROM s.\"doc\"::text OR "
          "t.\"it's\"::text IS DISTINCT FROM s.\"it's\"::integer[]::text))), updated AS "
          "(UPDATE \"my\".\"t\"\"x\" AS t SET \"at\" = s.\"at\", \"doc\" = s.\"doc\", \"it's\" "
          "= s.\"it's\"::integer[], \"seen\" = s.\"seen\" FROM changes AS s WHERE NOT "
          "s.neuron_new AND t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = s.\"na\"\"me\" AND "
          "(t.\"at\" IS DISTINCT FROM s.\"at\" OR t.\"doc\"::text IS DISTINCT FROM "
          "s.\"doc\"::text OR t.\"it's\"::text IS DISTINCT FROM s.\"it's\"::integer[]::text) "
          "RETURNING 1), inserted AS (INSERT INTO \"my\".\"t\"\"x\" (\"id\", \"na\"\"me\", "
          "\"at\", \"doc\", \"it's\", \"seen\") OVERRIDING SYSTEM VALUE SELECT s.\"id\", "
          "s.\"na\"\"me\", s.\"at\", s.\"doc\", s.\"it's\"::integer[], s.\"seen\" FROM changes "
          "AS s WHERE s.neuron_new RETURNING 1) SELECT (SELECT count(*) FROM updated), (SELECT "
          "count(*) FROM inserted), count(*) FILTER (WHERE neuron_new), count(*) FILTER (WHERE "
          "NOT neuron_new), count(*) FILTER (WHERE NOT neuron_new) FROM changes");
    check(&POSTGRES, SQL_MERGE_UPDATE, true,
          "UPDATE \"my\".\"t\"\"x\" AS t SET \"at\" = s.\"at\", \"doc\" = s.\"doc\", \"it's\" "
          "= s.\"it's\"::integer[], \"seen\" = s.\"seen\" FROM pg_temp.neuron_stage AS s WHERE "
          "t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = s.\"na\"\"me\" AND (t.\"at\" IS DISTINCT "
          "FROM s.\"at\" OR t.\"doc\"::text IS DISTINCT FROM s.\"doc\"::text OR "
          "t.\"it's\"::text IS DISTINCT FROM s.\"it's\"::integer[]::text) AND s.neuron_ord "
          "BETWEEN $1 AND $2");
    check(&POSTGRES, SQL_MERGE_INSERT, true,
          "INSERT INTO \"my\".\"t\"\"x\" (\"id\", \"na\"\"me\", \"at\", \"doc\", \"it's\", "
          "\"seen\") OVERRIDING SYSTEM VALUE SELECT s.\"id\", s.\"na\"\"me\", s.\"at\", "
          "s.\"doc\", s.\"it's\"::integer[], s.\"seen\" FROM pg_temp.neuron_stage AS s WHERE "
          "true AND s.neuron_ord BETWEEN $1 AND $2 AND NOT EXISTS (SELECT 1 FROM "
          "\"my\".\"t\"\"x\" AS t WHERE t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = "
          "s.\"na\"\"me\")");
}

static void test_postgresql_replace_and_mirror(void **state)
{
    (void)state;
    check(&POSTGRES, SQL_MERGE_ANY, false,
          "SELECT count(*) FROM (SELECT 1 FROM \"my\".\"t\"\"x\" LIMIT 1) AS any_row");
    check(&POSTGRES, SQL_MERGE_CLEAR, false, "DELETE FROM \"my\".\"t\"\"x\"");
    check(&POSTGRES, SQL_MERGE_COUNT, false, "SELECT count(*) FROM \"my\".\"t\"\"x\"");
    check(&POSTGRES, SQL_MERGE_MISSING, false,
          "SELECT count(*) FROM \"my\".\"t\"\"x\" AS t WHERE NOT EXISTS (SELECT 1 FROM "
          "pg_temp.neuron_stage AS s WHERE t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = "
          "s.\"na\"\"me\")");
    check(&POSTGRES, SQL_MERGE_DELETE, false,
          "DELETE FROM \"my\".\"t\"\"x\" AS t WHERE NOT EXISTS (SELECT 1 FROM "
          "pg_temp.neuron_stage AS s WHERE t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = "
          "s.\"na\"\"me\")");
    check(&POSTGRES, SQL_MERGE_ROW, false,
          "SELECT neuron_row, (SELECT row_to_json(d) FROM (SELECT s.\"id\", s.\"na\"\"me\", "
          "s.\"at\", s.\"doc\", s.\"it's\", s.\"seen\") AS d), (SELECT row_to_json(d) FROM "
          "(SELECT s.\"id\", s.\"na\"\"me\") AS d) FROM pg_temp.neuron_stage AS s WHERE "
          "neuron_ord = $1");
}

static void test_sqlite_stage(void **state)
{
    (void)state;
    check(&SQLITE, SQL_MERGE_STAGE, false,
          "CREATE TABLE temp.neuron_stage (neuron_ord INTEGER PRIMARY KEY, neuron_row INTEGER, "
          "\"id\", \"na\"\"me\", \"at\", \"doc\", \"it's\", \"seen\")");
    check(&SQLITE, SQL_MERGE_READY, false,
          "CREATE INDEX temp.neuron_stage_key ON neuron_stage (\"id\", \"na\"\"me\")");
    check(&SQLITE, SQL_MERGE_SUPERSEDE, false,
          "DELETE FROM temp.neuron_stage WHERE neuron_ord IN (SELECT neuron_ord FROM (SELECT "
          "neuron_ord, row_number() OVER (PARTITION BY s.\"id\", s.\"na\"\"me\" ORDER BY "
          "s.\"at\" DESC NULLS LAST, neuron_ord DESC) AS n FROM temp.neuron_stage AS s WHERE "
          "(s.\"id\", s.\"na\"\"me\") IN (SELECT \"id\", \"na\"\"me\" FROM temp.neuron_stage "
          "GROUP BY \"id\", \"na\"\"me\" HAVING count(*) > 1)) AS d WHERE n > 1)");
    check(&SQLITE, SQL_MERGE_EXPECT, true,
          "SELECT count(*) FILTER (WHERE neuron_new), count(*) FILTER (WHERE NOT neuron_new), "
          "count(DISTINCT neuron_ord) FILTER (WHERE NOT neuron_new) FROM (SELECT s.neuron_ord, "
          "t.\"id\" IS NULL AS neuron_new FROM temp.neuron_stage AS s LEFT JOIN \"t\"\"x\" AS "
          "t ON t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = s.\"na\"\"me\" WHERE (t.\"id\" IS "
          "NULL OR (t.\"at\" IS NOT s.\"at\" OR t.\"doc\" IS NOT s.\"doc\" OR t.\"it's\" IS "
          "NOT s.\"it's\")) AND s.neuron_ord BETWEEN ?1 AND ?2) AS changes");
}

static void test_sqlite_writes(void **state)
{
    (void)state;
    check(&SQLITE, SQL_MERGE_UPDATE, false,
          "UPDATE OR ABORT \"t\"\"x\" AS t SET \"at\" = s.\"at\", \"doc\" = s.\"doc\", "
          "\"it's\" = s.\"it's\", \"seen\" = s.\"seen\" FROM temp.neuron_stage AS s WHERE "
          "t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = s.\"na\"\"me\" AND (t.\"at\" IS NOT "
          "s.\"at\" OR t.\"doc\" IS NOT s.\"doc\" OR t.\"it's\" IS NOT s.\"it's\")");
    check(&SQLITE, SQL_MERGE_UPDATE, true,
          "UPDATE OR ABORT \"t\"\"x\" AS t SET \"at\" = s.\"at\", \"doc\" = s.\"doc\", "
          "\"it's\" = s.\"it's\", \"seen\" = s.\"seen\" FROM temp.neuron_stage AS s WHERE "
          "t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = s.\"na\"\"me\" AND (t.\"at\" IS NOT "
          "s.\"at\" OR t.\"doc\" IS NOT s.\"doc\" OR t.\"it's\" IS NOT s.\"it's\") AND "
          "s.neuron_ord BETWEEN ?1 AND ?2");
    check(&SQLITE, SQL_MERGE_INSERT, true,
          "INSERT OR ABORT INTO \"t\"\"x\" (\"id\", \"na\"\"me\", \"at\", \"doc\", \"it's\", "
          "\"seen\") SELECT s.\"id\", s.\"na\"\"me\", s.\"at\", s.\"doc\", s.\"it's\", "
          "s.\"seen\" FROM temp.neuron_stage AS s WHERE true AND s.neuron_ord BETWEEN ?1 AND "
          "?2 AND NOT EXISTS (SELECT 1 FROM \"t\"\"x\" AS t WHERE t.\"id\" = s.\"id\" AND "
          "t.\"na\"\"me\" = s.\"na\"\"me\")");
}

static void test_sqlite_replace_and_mirror(void **state)
{
    (void)state;
    check(&SQLITE, SQL_MERGE_ANY, false,
          "SELECT count(*) FROM (SELECT 1 FROM \"t\"\"x\" LIMIT 1) AS any_row");
    check(&SQLITE, SQL_MERGE_CLEAR, false, "DELETE FROM \"t\"\"x\"");
    check(&SQLITE, SQL_MERGE_COUNT, false, "SELECT count(*) FROM \"t\"\"x\"");
    check(&SQLITE, SQL_MERGE_MISSING, false,
          "SELECT count(*) FROM \"t\"\"x\" AS t WHERE NOT EXISTS (SELECT 1 FROM "
          "temp.neuron_stage AS s WHERE t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = "
          "s.\"na\"\"me\")");
    check(&SQLITE, SQL_MERGE_DELETE, false,
          "DELETE FROM \"t\"\"x\" AS t WHERE NOT EXISTS (SELECT 1 FROM temp.neuron_stage AS s "
          "WHERE t.\"id\" = s.\"id\" AND t.\"na\"\"me\" = s.\"na\"\"me\")");
    check(&SQLITE, SQL_MERGE_ROW, false,
          "SELECT neuron_row, json_object('id', CASE typeof(s.\"id\") WHEN 'blob' THEN "
          "hex(s.\"id\") ELSE s.\"id\" END, 'na\"me', CASE typeof(s.\"na\"\"me\") WHEN 'blob' "
          "THEN hex(s.\"na\"\"me\") ELSE s.\"na\"\"me\" END, 'at', CASE typeof(s.\"at\") WHEN "
          "'blob' THEN hex(s.\"at\") ELSE s.\"at\" END, 'doc', CASE typeof(s.\"doc\") WHEN "
          "'blob' THEN hex(s.\"doc\") ELSE s.\"doc\" END, 'it''s', CASE typeof(s.\"it's\") "
          "WHEN 'blob' THEN hex(s.\"it's\") ELSE s.\"it's\" END, 'seen', CASE "
          "typeof(s.\"seen\") WHEN 'blob' THEN hex(s.\"seen\") ELSE s.\"seen\" END), "
          "json_object('id', CASE typeof(s.\"id\") WHEN 'blob' THEN hex(s.\"id\") ELSE "
          "s.\"id\" END, 'na\"me', CASE typeof(s.\"na\"\"me\") WHEN 'blob' THEN "
          "hex(s.\"na\"\"me\") ELSE s.\"na\"\"me\" END) FROM temp.neuron_stage AS s WHERE "
          "neuron_ord = ?1");
}

static void test_rows_of_this_run(void **state)
{
    (void)state;
    SqlMerge merge = POSTGRES;
    merge.own_rows = true;
    merge.unique = false;
    check(&merge, SQL_MERGE_WRITE, false,
          "WITH changes AS (SELECT s.*, t.\"id\" IS NULL AS neuron_new FROM "
          "pg_temp.neuron_stage AS s LEFT JOIN \"my\".\"t\"\"x\" AS t ON t.\"id\" = s.\"id\" "
          "AND t.\"na\"\"me\" = s.\"na\"\"me\" WHERE (t.\"id\" IS NULL OR (t.\"at\" IS "
          "DISTINCT FROM s.\"at\" OR t.\"doc\"::text IS DISTINCT FROM s.\"doc\"::text OR "
          "t.\"it's\"::text IS DISTINCT FROM s.\"it's\"::integer[]::text) AND (t.\"at\" IS "
          "NULL OR t.\"at\" <= s.\"at\"))), updated AS (UPDATE \"my\".\"t\"\"x\" AS t SET "
          "\"at\" = s.\"at\", \"doc\" = s.\"doc\", \"it's\" = s.\"it's\"::integer[], \"seen\" "
          "= s.\"seen\" FROM changes AS s WHERE NOT s.neuron_new AND t.\"id\" = s.\"id\" AND "
          "t.\"na\"\"me\" = s.\"na\"\"me\" AND (t.\"at\" IS NULL OR t.\"at\" <= s.\"at\") AND "
          "(t.\"at\" IS DISTINCT FROM s.\"at\" OR t.\"doc\"::text IS DISTINCT FROM "
          "s.\"doc\"::text OR t.\"it's\"::text IS DISTINCT FROM s.\"it's\"::integer[]::text) "
          "RETURNING 1), inserted AS (INSERT INTO \"my\".\"t\"\"x\" (\"id\", \"na\"\"me\", "
          "\"at\", \"doc\", \"it's\", \"seen\") OVERRIDING SYSTEM VALUE SELECT s.\"id\", "
          "s.\"na\"\"me\", s.\"at\", s.\"doc\", s.\"it's\"::integer[], s.\"seen\" FROM changes "
          "AS s WHERE s.neuron_new RETURNING 1) SELECT (SELECT count(*) FROM updated), (SELECT "
          "count(*) FROM inserted), count(*) FILTER (WHERE neuron_new), count(*) FILTER (WHERE "
          "NOT neuron_new), count(DISTINCT neuron_ord) FILTER (WHERE NOT neuron_new) FROM "
          "changes");
}

static void test_a_table_of_keys(void **state)
{
    (void)state;
    SqlMerge merge = {&SQL_POSTGRES, STR("t"), KEY_ONLY, 2, true, -1, false, true, ""};
    assert_false(sql_merge_compares(&merge));
    check(&merge, SQL_MERGE_EXPECT, false,
          "SELECT count(*) FILTER (WHERE neuron_new), count(*) FILTER (WHERE NOT neuron_new), "
          "count(*) FILTER (WHERE NOT neuron_new) FROM (SELECT s.neuron_ord, t.\"a\" IS NULL "
          "AS neuron_new FROM pg_temp.neuron_stage AS s LEFT JOIN \"t\" AS t ON t.\"a\" = "
          "s.\"a\" AND t.\"b\" = s.\"b\" WHERE (t.\"a\" IS NULL)) AS changes");
    check(&merge, SQL_MERGE_INSERT, false,
          "INSERT INTO \"t\" (\"a\", \"b\") SELECT s.\"a\", s.\"b\" FROM pg_temp.neuron_stage "
          "AS s WHERE true AND NOT EXISTS (SELECT 1 FROM \"t\" AS t WHERE t.\"a\" = s.\"a\" "
          "AND t.\"b\" = s.\"b\")");
}

/* Keys are told apart as the table tells them apart. */
static void test_a_folded_key(void **state)
{
    (void)state;
    static const SqlColumn COLUMNS_FOLDED[] = {
        {.name = STR("a"), .key = true, .fold = STR("citext")}, {.name = STR("b"), .key = true}};
    SqlMerge merge = {&SQL_POSTGRES, STR("t"), COLUMNS_FOLDED, 2, true, -1, false, true, ""};
    check(&merge, SQL_MERGE_SUPERSEDE, false,
          "DELETE FROM pg_temp.neuron_stage WHERE neuron_ord IN (SELECT neuron_ord FROM (SELECT "
          "neuron_ord, row_number() OVER (PARTITION BY s.\"a\"::citext, s.\"b\" ORDER BY "
          "neuron_ord DESC) AS n FROM pg_temp.neuron_stage AS s WHERE (s.\"a\"::citext, s.\"b\") "
          "IN (SELECT \"a\"::citext, \"b\" FROM pg_temp.neuron_stage GROUP BY \"a\"::citext, "
          "\"b\" HAVING count(*) > 1)) AS d WHERE n > 1)");
}

static void test_a_table_of_keys_in_sqlite(void **state)
{
    (void)state;
    SqlMerge merge = {&SQL_SQLITE, STR("main.t"), KEY_ONLY, 2, true, -1, false, true, ""};
    check(&merge, SQL_MERGE_SUPERSEDE, false,
          "DELETE FROM temp.neuron_stage WHERE neuron_ord IN (SELECT neuron_ord FROM (SELECT "
          "neuron_ord, row_number() OVER (PARTITION BY s.\"a\", s.\"b\" ORDER BY neuron_ord "
          "DESC) AS n FROM temp.neuron_stage AS s WHERE (s.\"a\", s.\"b\") IN (SELECT \"a\", "
          "\"b\" FROM temp.neuron_stage GROUP BY \"a\", \"b\" HAVING count(*) > 1)) AS d WHERE "
          "n > 1)");
    check(&merge, SQL_MERGE_INSERT, false,
          "INSERT INTO \"main\".\"t\" (\"a\", \"b\") SELECT s.\"a\", s.\"b\" FROM "
          "temp.neuron_stage AS s WHERE true AND NOT EXISTS (SELECT 1 FROM \"main\".\"t\" AS t "
          "WHERE t.\"a\" = s.\"a\" AND t.\"b\" = s.\"b\")");
}

static void test_no_key(void **state)
{
    (void)state;
    SqlMerge merge = {&SQL_POSTGRES, STR("t"), NO_KEY, 2, false, -1, false, false, ""};
    assert_false(sql_merge_compares(&merge));
    check(&merge, SQL_MERGE_READY, false, "ANALYZE pg_temp.neuron_stage (neuron_ord)");
    check(&merge, SQL_MERGE_EXPECT, true,
          "SELECT count(*), 0, 0 FROM pg_temp.neuron_stage AS s WHERE true AND s.neuron_ord "
          "BETWEEN $1 AND $2");
    check(&merge, SQL_MERGE_INSERT, true,
          "INSERT INTO \"t\" (\"a\", \"b\") SELECT s.\"a\", s.\"b\" FROM pg_temp.neuron_stage "
          "AS s WHERE true AND s.neuron_ord BETWEEN $1 AND $2");
    check(&merge, SQL_MERGE_ROW, false,
          "SELECT neuron_row, (SELECT row_to_json(d) FROM (SELECT s.\"a\", s.\"b\") AS d) FROM "
          "pg_temp.neuron_stage AS s WHERE neuron_ord = $1");
}

static void test_an_object_of_many_columns(void **state)
{
    (void)state;
    static SqlColumn columns[130];
    char names[130][8];
    for (int32_t i = 0; i < 130; i++) {
        int len = snprintf(names[i], sizeof names[i], "c%d", i);
        columns[i] = (SqlColumn){.name = str_make(names[i], len)};
    }
    SqlMerge merge = {&SQL_SQLITE, STR("t"), columns, 130, false, -1, false, false, ""};
    Buf sql = buf_make(1 << 20);
    assert_int_equal(sql_merge_put(&merge, SQL_MERGE_ROW, false, &sql, NULL), OK);
    assert_int_equal(buf_terminate(&sql, NULL), OK);
    assert_non_null(strstr(sql.data, "SELECT neuron_row, rtrim(json_object('c0', "));
    assert_non_null(strstr(sql.data, "END), '}') || ',' || ltrim(rtrim(json_object('c60', "));
    assert_non_null(strstr(sql.data, "END), '}'), '{') || ',' || ltrim(json_object('c120', "));
    assert_non_null(strstr(sql.data, "END), '{') FROM temp.neuron_stage"));
    buf_done(&sql);
}

static void test_names(void **state)
{
    (void)state;
    Err err = {0};
    Buf sql = buf_make(1 << 20);
    assert_int_equal(sql_put_table(&SQL_POSTGRES, STR("a.b.c"), &sql, &err), OK);
    assert_int_equal(buf_terminate(&sql, &err), OK);
    assert_string_equal(sql.data, "\"a\".\"b.c\"");
    assert_int_equal(sql_put_name(&SQL_POSTGRES, STR(""), &sql, &err), FAIL);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(sql_put_name(&SQL_SQLITE, str_make("a\0b", 3), &sql, &err), FAIL);
    buf_done(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_postgresql_stage),
        cmocka_unit_test(test_postgresql_writes),
        cmocka_unit_test(test_postgresql_replace_and_mirror),
        cmocka_unit_test(test_sqlite_stage),
        cmocka_unit_test(test_sqlite_writes),
        cmocka_unit_test(test_sqlite_replace_and_mirror),
        cmocka_unit_test(test_rows_of_this_run),
        cmocka_unit_test(test_a_table_of_keys),
        cmocka_unit_test(test_a_folded_key),
        cmocka_unit_test(test_a_table_of_keys_in_sqlite),
        cmocka_unit_test(test_no_key),
        cmocka_unit_test(test_an_object_of_many_columns),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
