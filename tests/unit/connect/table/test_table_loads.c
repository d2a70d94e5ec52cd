/* Tests of neuron_loads (connect/table/table_loads.h): its statements word by word, and what their
 * answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/connect/table/table_world.h"

static void check(const SqlDialect *dialect, TableLoadsSql which, const char *want)
{
    Buf sql = buf_make(1 << 16);
    assert_int_equal(table_loads_put(dialect, which, &sql, NULL), OK);
    assert_int_equal(buf_terminate(&sql, NULL), OK);
    assert_string_equal(sql.data, want);
    buf_done(&sql);
}

static void test_the_table(void **state)
{
    (void)state;
    check(&SQL_POSTGRES, TABLE_LOADS_CREATE,
          "CREATE TABLE IF NOT EXISTS neuron_loads (pipeline text NOT NULL, "
          "run_id text NOT NULL, epoch bigint NOT NULL, cycle bigint NOT NULL "
          "DEFAULT 0, watermark text, position text, started_at timestamptz "
          "NOT NULL DEFAULT clock_timestamp(), published_at timestamptz NOT "
          "NULL DEFAULT clock_timestamp(), status text NOT NULL DEFAULT "
          "'success', records_extracted bigint NOT NULL DEFAULT 0, "
          "records_transformed bigint NOT NULL DEFAULT 0, records_dropped "
          "bigint NOT NULL DEFAULT 0, records_rejected bigint NOT NULL DEFAULT "
          "0, records_loaded bigint NOT NULL DEFAULT 0, inserted bigint NOT "
          "NULL DEFAULT 0, updated bigint NOT NULL DEFAULT 0, unchanged bigint "
          "NOT NULL DEFAULT 0, deleted bigint NOT NULL DEFAULT 0, config_hash "
          "text, PRIMARY KEY (pipeline, epoch))");
    check(&SQL_SQLITE, TABLE_LOADS_CREATE,
          "CREATE TABLE IF NOT EXISTS neuron_loads (pipeline text NOT NULL, "
          "run_id text NOT NULL, epoch bigint NOT NULL, cycle bigint NOT NULL "
          "DEFAULT 0, watermark text, position text, started_at text NOT NULL "
          "DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), published_at text "
          "NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), status "
          "text NOT NULL DEFAULT 'success', records_extracted bigint NOT NULL "
          "DEFAULT 0, records_transformed bigint NOT NULL DEFAULT 0, "
          "records_dropped bigint NOT NULL DEFAULT 0, records_rejected bigint "
          "NOT NULL DEFAULT 0, records_loaded bigint NOT NULL DEFAULT 0, "
          "inserted bigint NOT NULL DEFAULT 0, updated bigint NOT NULL DEFAULT "
          "0, unchanged bigint NOT NULL DEFAULT 0, deleted bigint NOT NULL "
          "DEFAULT 0, config_hash text, PRIMARY KEY (pipeline, epoch))");
}

static void test_the_fence(void **state)
{
    (void)state;
    check(&SQL_POSTGRES, TABLE_LOADS_FENCE,
          "INSERT INTO neuron_loads (pipeline, run_id, epoch, cycle, position, "
          "watermark, started_at, published_at, status, records_extracted, "
          "records_transformed, records_dropped, records_rejected, "
          "records_loaded, inserted, updated, unchanged, deleted) SELECT $1, "
          "$2, CAST($3 AS bigint) + 1, CAST($4 AS bigint), (SELECT l.position "
          "FROM neuron_loads AS l WHERE l.pipeline = $1 AND l.epoch = CAST($3 "
          "AS bigint)), (SELECT l.watermark FROM neuron_loads AS l WHERE "
          "l.pipeline = $1 AND l.epoch = CAST($3 AS bigint)), "
          "clock_timestamp(), clock_timestamp(), 'success', 0, 0, 0, 0, 0, 0, "
          "0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM neuron_loads AS n WHERE "
          "n.pipeline = $1 AND n.epoch > CAST($3 AS bigint)) ON CONFLICT "
          "(pipeline, epoch) DO NOTHING");
    check(&SQL_SQLITE, TABLE_LOADS_FENCE,
          "INSERT INTO neuron_loads (pipeline, run_id, epoch, cycle, position, "
          "watermark, started_at, published_at, status, records_extracted, "
          "records_transformed, records_dropped, records_rejected, "
          "records_loaded, inserted, updated, unchanged, deleted) SELECT $1, "
          "$2, CAST($3 AS bigint) + 1, CAST($4 AS bigint), (SELECT l.position "
          "FROM neuron_loads AS l WHERE l.pipeline = $1 AND l.epoch = CAST($3 "
          "AS bigint)), (SELECT l.watermark FROM neuron_loads AS l WHERE "
          "l.pipeline = $1 AND l.epoch = CAST($3 AS bigint)), "
          "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), "
          "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), 'success', 0, 0, 0, 0, 0, "
          "0, 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM neuron_loads AS n WHERE "
          "n.pipeline = $1 AND n.epoch > CAST($3 AS bigint)) ON CONFLICT "
          "(pipeline, epoch) DO NOTHING");
    check(&SQL_POSTGRES, TABLE_LOADS_FENCE_NEXT,
          "UPDATE neuron_loads SET epoch = epoch + 1, cycle = CAST($4 AS "
          "bigint) WHERE pipeline = $1 AND run_id = $2 AND epoch = CAST($3 AS "
          "bigint) AND NOT EXISTS (SELECT 1 FROM neuron_loads AS n WHERE "
          "n.pipeline = $1 AND n.epoch > CAST($3 AS bigint))");
    check(&SQL_SQLITE, TABLE_LOADS_FENCE_NEXT,
          "UPDATE neuron_loads SET epoch = epoch + 1, cycle = CAST($4 AS "
          "bigint) WHERE pipeline = $1 AND run_id = $2 AND epoch = CAST($3 AS "
          "bigint) AND NOT EXISTS (SELECT 1 FROM neuron_loads AS n WHERE "
          "n.pipeline = $1 AND n.epoch > CAST($3 AS bigint))");
}

static void test_the_record(void **state)
{
    (void)state;
    check(&SQL_POSTGRES, TABLE_LOADS_RECORD,
          "UPDATE neuron_loads SET position = CASE WHEN $3 = 'advance' THEN $4 "
          "ELSE position END, watermark = CASE WHEN $3 = 'advance' THEN $5 "
          "ELSE watermark END, started_at = CAST($6 AS timestamptz), "
          "published_at = clock_timestamp(), config_hash = $7, "
          "records_extracted = records_extracted + CAST($8 AS bigint), "
          "records_transformed = records_transformed + CAST($9 AS bigint), "
          "records_dropped = records_dropped + CAST($10 AS bigint), "
          "records_rejected = records_rejected + CAST($11 AS bigint), "
          "records_loaded = records_loaded + CAST($12 AS bigint), inserted = "
          "inserted + CAST($13 AS bigint), updated = updated + CAST($14 AS "
          "bigint), unchanged = unchanged + CAST($15 AS bigint), deleted = "
          "deleted + CAST($16 AS bigint), cycle = CAST($18 AS bigint) WHERE "
          "pipeline = $1 AND epoch = CAST($2 AS bigint) AND run_id = $17");
    check(&SQL_SQLITE, TABLE_LOADS_RECORD,
          "UPDATE neuron_loads SET position = CASE WHEN $3 = 'advance' THEN $4 "
          "ELSE position END, watermark = CASE WHEN $3 = 'advance' THEN $5 "
          "ELSE watermark END, started_at = CAST($6 AS text), published_at = "
          "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), config_hash = $7, "
          "records_extracted = records_extracted + CAST($8 AS bigint), "
          "records_transformed = records_transformed + CAST($9 AS bigint), "
          "records_dropped = records_dropped + CAST($10 AS bigint), "
          "records_rejected = records_rejected + CAST($11 AS bigint), "
          "records_loaded = records_loaded + CAST($12 AS bigint), inserted = "
          "inserted + CAST($13 AS bigint), updated = updated + CAST($14 AS "
          "bigint), unchanged = unchanged + CAST($15 AS bigint), deleted = "
          "deleted + CAST($16 AS bigint), cycle = CAST($18 AS bigint) WHERE "
          "pipeline = $1 AND epoch = CAST($2 AS bigint) AND run_id = $17");
}

static void test_the_row_of_a_process_that_shares_a_stream(void **state)
{
    (void)state;
    check(&SQL_POSTGRES, TABLE_LOADS_COUNT,
          "INSERT INTO neuron_loads (pipeline, run_id, epoch, cycle, position, "
          "watermark, started_at, published_at, status, records_extracted, "
          "records_transformed, records_dropped, records_rejected, "
          "records_loaded, inserted, updated, unchanged, deleted) SELECT $1, "
          "$2, coalesce(max(epoch), 0) + 1, 0, NULL, NULL, clock_timestamp(), "
          "clock_timestamp(), 'success', 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM "
          "neuron_loads WHERE pipeline = $1 ON CONFLICT (pipeline, epoch) DO "
          "NOTHING RETURNING epoch");
    check(&SQL_SQLITE, TABLE_LOADS_COUNT,
          "INSERT INTO neuron_loads (pipeline, run_id, epoch, cycle, position, "
          "watermark, started_at, published_at, status, records_extracted, "
          "records_transformed, records_dropped, records_rejected, "
          "records_loaded, inserted, updated, unchanged, deleted) SELECT $1, "
          "$2, coalesce(max(epoch), 0) + 1, 0, NULL, NULL, "
          "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), "
          "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), 'success', 0, 0, 0, 0, 0, "
          "0, 0, 0, 0 FROM neuron_loads WHERE pipeline = $1 ON CONFLICT "
          "(pipeline, epoch) DO NOTHING RETURNING epoch");
}

static const char *last_params(const TableWorld *w)
{
    const char *at = strstr(w->log, " | ");
    return at ? at : "";
}

static void test_who_comes_second_is_fenced(void **state)
{
    (void)state;
    Err err = {0};
    TableWorld w = {0};
    world_init(&w, &WORLD_LITE, SINK_APPEND);
    w.sink.epoch = 3;
    table_cycle_begin(&w.sink, 0);
    assert_int_equal(table_loads_fence(&w.sink, STR("run"), &err), FAIL);
    assert_int_equal(err.kind, ERR_FENCED);
    assert_string_equal(last_params(&w), " | p | run | 3 | 0\n");
    assert_false(w.sink.cycle.fenced);
    w.changed = 1;
    assert_int_equal(table_loads_fence(&w.sink, STR("run"), NULL), OK);
    assert_true(w.sink.cycle.fenced);
    world_done(&w);
}

static void test_what_a_run_records(void **state)
{
    (void)state;
    TableWorld w = {0};
    Position position;
    SinkRun run = {
        .run_id = STR("run"),
        .started_us = 1000000,
        .extracted = 9,
        .transformed = 8,
        .dropped = 7,
        .rejected = 6,
        .counts = {.loaded = 5, .inserted = 2, .updated = 2, .unchanged = 1, .deleted = 4},
        .advance = true};
    world_init(&w, &WORLD_LITE, SINK_APPEND);
    position_init(&position);
    assert_int_equal(buf_append(&position.cursor, STR("42"), NULL), OK);
    w.sink.epoch = 3;
    w.changed = 1;
    table_cycle_begin(&w.sink, 2);
    w.sink.cycle.fenced = true;
    assert_int_equal(table_loads_record(&w.sink, &position, &run, NULL), OK);
    assert_string_equal(last_params(&w),
                        " | p | 4 | advance | {\"parts\":{},\"cursor\":\"42\"} | 42 | "
                        "1970-01-01T00:00:01Z | hash | 9 | 8 | 7 | 6 | 5 | 2 | 2 | 1 | 4 | "
                        "run | 2\n");
    position_done(&position);
    world_done(&w);
}

static void test_a_process_that_shares_a_stream_makes_its_row_once(void **state)
{
    (void)state;
    TableWorld w = {0};
    SinkRun run = {.run_id = STR("run")};
    world_init(&w, &WORLD_LITE, SINK_APPEND);
    w.changed = 1; /* its row is there: the UPDATE finds it, in each cycle */
    for (int64_t cycle = 0; cycle < 3; cycle++) {
        table_cycle_begin(&w.sink, cycle);
        assert_int_equal(table_loads_count(&w.sink, &run, NULL), OK);
        table_cycle_end(&w.sink, true);
    }
    assert_null(strstr(w.log, "INSERT"));
    assert_int_equal(w.sink.epoch, 0);
    world_done(&w);
}

static void test_the_table_is_made_where_it_is_missing(void **state)
{
    (void)state;
    TableWorld w = {0};
    world_init(&w, &WORLD_LITE, SINK_APPEND);
    w.has = true;
    assert_int_equal(table_loads_create(&w.sink, true, NULL), OK);
    world_expect(&w, "");
    w.has = false;
    assert_int_equal(table_loads_create(&w.sink, true, NULL), OK);
    assert_non_null(strstr(w.log, "CREATE TABLE IF NOT EXISTS neuron_loads"));
    assert_non_null(strstr(w.log, "ADD COLUMN cycle"));
    assert_non_null(strstr(w.log, "CREATE TABLE IF NOT EXISTS neuron_positions"));
    world_done(&w);
}

static void test_the_state_and_the_outcome_are_read_back(void **state)
{
    (void)state;
    TableWorld w = {.has = true, .rows = 1, .columns = 4};
    LoadState load;
    Outcome outcome;
    SinkCounts counts;
    const char *cells[] = {"7", "run", "{\"cursor\":\"42\"}", "1970-01-01T00:00:01Z"};
    world_init(&w, &WORLD_LITE, SINK_APPEND);
    memcpy(w.cells, cells, sizeof cells);
    load_state_init(&load);
    assert_int_equal(table_loads_state(&w.sink, &load, NULL), OK);
    assert_int_equal(load.epoch, 7);
    assert_string_equal(load.run_id, "run");
    assert_int_equal(load.published_at_us, 1000000);
    assert_true(str_eq(buf_str(&load.position.cursor), STR("42")));
    load_state_done(&load);
    const char *row[] = {"5", "2", "2", "1", "4"};
    memcpy(w.cells, row, sizeof row);
    w.columns = 5;
    assert_int_equal(table_loads_outcome(&w.sink, STR("run"), 3, &outcome, &counts, NULL), OK);
    assert_int_equal(outcome, OUTCOME_COMMITTED);
    assert_int_equal(counts.loaded, 5);
    assert_int_equal(counts.deleted, 4);
    w.rows = 0;
    assert_int_equal(table_loads_outcome(&w.sink, STR("run"), 3, &outcome, &counts, NULL), OK);
    assert_int_equal(outcome, OUTCOME_NOT_COMMITTED);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table),
        cmocka_unit_test(test_the_fence),
        cmocka_unit_test(test_the_record),
        cmocka_unit_test(test_the_row_of_a_process_that_shares_a_stream),
        cmocka_unit_test(test_who_comes_second_is_fenced),
        cmocka_unit_test(test_what_a_run_records),
        cmocka_unit_test(test_a_process_that_shares_a_stream_makes_its_row_once),
        cmocka_unit_test(test_the_table_is_made_where_it_is_missing),
        cmocka_unit_test(test_the_state_and_the_outcome_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
