/* Whole pipelines with the 1st, 2nd, 3rd… allocation, read, write or sync failing: an error each
 * time, and the target is as before or whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect/connectors.h"
#include "fault/faulty_vfs.h"
#include "foundation/base/file.h"
#include "foundation/base/mem.h"
#include "service/setup/configuration.h"
#include "work/pipeline/pipeline.h"

enum { ROWS = 300, ATTEMPTS_MOST = 200000, PASSED_ENOUGH = 20 };

static const Connector *const CONNECTORS[] = {&sqlite_connector, &csv_connector, &ndjson_connector};
static const Registry REGISTRY = {CONNECTORS, COUNT_OF(CONNECTORS)};

static const char CONFIG[] =
    "memory: 1MB\n"
    "connections: { db: 'sqlite:///target.db', src: 'sqlite:///source.db' }\n"
    "pipelines:\n"
    "  file_to_table:\n"
    "    from: in.csv\n"
    "    steps:\n"
    "      - drop_nulls: [id]\n"
    "      - drop_duplicates: all\n"
    "      - select: \"*, n / (id - 7) AS q, row_hash(*) AS h\"\n"
    "    to: db\n"
    "    table: t\n"
    "    key: [id]\n"
    "    rejects: bad\n"
    "  file_to_file: { from: in.csv, to: out.ndjson, steps: [ { where: n > 3 } ], rejects: bad.csv "
    "}\n"
    "  lines_to_file: { from: in.ndjson, to: out.csv, steps: [ { select: 'a, upper(b) AS b' } ] }\n"
    "  lines_to_table: { from: in.ndjson, to: db, table: t, mode: replace }\n"
    "  table_to_file: { from: src, from_table: s, to: out.ndjson, mode: append }\n"
    "  packed_to_file: { from: in.csv, to: out.csv.gz }\n";

static void put_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void put_inputs(void)
{
    FILE *csv = fopen("in.csv", "w"), *lines = fopen("in.ndjson", "w");
    assert_non_null(csv);
    assert_non_null(lines);
    (void)fputs("id,n,name\n", csv);
    for (int i = 0; i < ROWS; i++) {
        (void)fprintf(csv, "%d,%d.5,\"name, %d\"\n", i, i, i);
        (void)fprintf(lines, "{\"a\":%d,\"b\":\"text number %d\",\"c\":[%d]}\n", i, i, i);
    }
    assert_int_equal(fclose(csv), 0);
    assert_int_equal(fclose(lines), 0);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open("source.db", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "CREATE TABLE s (id INTEGER, v TEXT); WITH RECURSIVE r(i) AS (SELECT 1 UNION "
            "ALL SELECT i + 1 FROM r WHERE i < 300) INSERT INTO s SELECT i, 'v' || i FROM r",
            NULL, NULL, NULL),
        SQLITE_OK);
    (void)sqlite3_close(db);
}

static void clear_targets(void)
{
    static const char *const NAMES[] = {
        "target.db",  "target.db-wal", "target.db-shm",     "out.ndjson",        "out.csv",
        "out.csv.gz", "bad.csv",       "target.db-journal", "out.ndjson.neuron", "bad.csv.neuron"};
    for (int64_t i = 0; i < COUNT_OF(NAMES); i++) (void)unlink(NAMES[i]);
}

/* Rows of the table; -1: there is none. */
static int64_t table_rows(void)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    int64_t rows = -1;
    if (access("target.db", F_OK) != 0) return -1;
    assert_int_equal(sqlite3_open("target.db", &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        rows = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    return rows;
}

static int64_t file_bytes(const char *name)
{
    struct stat info;
    return stat(name, &info) == 0 ? (int64_t)info.st_size : -1;
}

typedef struct Outcomes {
    int64_t table, ndjson, csv, packed;
} Outcomes;

static Outcomes look(void)
{
    return (Outcomes){table_rows(), file_bytes("out.ndjson"), file_bytes("out.csv"),
                      file_bytes("out.csv.gz")};
}

static Status run_once(const char *name, RunResult *result, Err *err)
{
    Configuration c;
    SubstituteFrom from = {0};
    Status status = configuration_parse(&REGISTRY, STR("test"), str_from(CONFIG), &from, &c, err);
    if (status == OK) status = configuration_check(&c, err);
    const PipelineConfig *pipeline = NULL;
    if (status == OK) status = configuration_pipeline(&c, str_from(name), &pipeline, err);
    Budget budget;
    budget_init(&budget, "memory", NULL, 1 << 20);
    RunOptions options = {0};
    PipelineEnv env = {.budget = &budget};
    if (status == OK) status = pipeline_run(pipeline, &options, &env, result, err);
    configuration_done(&c);
    return status;
}

typedef void (*FailAt)(int64_t nth);

static void memory_fails(int64_t nth)
{
    mem_fail_at(nth, false);
}

static void memory_ends(int64_t nth)
{
    mem_fail_at(nth, true);
}

/* A target is as it was before (absent) or whole. */
static void assert_old_or_new(const char *name, int64_t nth, int64_t got, int64_t want)
{
    if (got == -1 || got == want) return;
    fail_msg("%s, failure %lld: the target has %lld, wanted none or %lld", name, (long long)nth,
             (long long)got, (long long)want);
}

/* Until runs pass because nothing is left to fail; failures further apart at higher numbers. */
static void each_failure(const char *name, FailAt fail_at, int64_t at_least)
{
    RunResult result;
    Err err = {0};
    clear_targets();
    run_result_init(&result);
    fail_at(0);
    if (run_once(name, &result, &err) != OK) fail_msg("%s: %s", name, err.message);
    run_result_done(&result);
    Outcomes want = look();
    int64_t failures = 0, passed = 0;
    for (int64_t nth = 1; nth < ATTEMPTS_MOST; nth += 1 + nth / 400) {
        clear_targets();
        run_result_init(&result);
        err_clear(&err);
        fail_at(nth);
        Status status = run_once(name, &result, &err);
        fail_at(0);
        run_result_done(&result);
        Outcomes got = look();
        assert_old_or_new(name, nth, got.table, want.table);
        assert_old_or_new(name, nth, got.csv, want.csv);
        assert_old_or_new(name, nth, got.packed, want.packed);
        if (status == OK) {
            assert_memory_equal(&got, &want, sizeof got);
            if (++passed == PASSED_ENOUGH) break;
        } else {
            assert_true(err.message[0] != 0);
            failures++;
            passed = 0;
        }
    }
    if (passed == PASSED_ENOUGH && failures >= at_least) return;
    fail_msg("%s: %lld failures, wanted %lld", name, (long long)failures, (long long)at_least);
}

static const char *const PIPELINES[] = {"file_to_table",  "file_to_file",  "lines_to_file",
                                        "lines_to_table", "table_to_file", "packed_to_file"};

static void memory(void **state)
{
    (void)state;
    for (int64_t i = 0; i < COUNT_OF(PIPELINES); i++) each_failure(PIPELINES[i], memory_fails, 80);
}

static void no_memory_from_there(void **state)
{
    (void)state;
    for (int64_t i = 0; i < COUNT_OF(PIPELINES); i++) each_failure(PIPELINES[i], memory_ends, 80);
}

static void reads_and_writes(void **state)
{
    (void)state;
    for (int64_t i = 0; i < COUNT_OF(PIPELINES); i++) {
        each_failure(PIPELINES[i], file_fail_at, i == 3 || i == 0 ? 1 : 3);
    }
}

static void reads_and_writes_of_sqlite(void **state)
{
    (void)state;
    each_failure("file_to_table", faulty_vfs_fail_at, 10);
    each_failure("lines_to_table", faulty_vfs_fail_at, 10);
    each_failure("table_to_file", faulty_vfs_fail_at, 2);
}

static char folder[] = "/tmp/neuron-fault-XXXXXX";

static int enter(void **state)
{
    (void)state;
    faulty_vfs_register();
    if (!mkdtemp(folder) || chdir(folder) != 0) return -1;
    put_file("empty", "");
    put_inputs();
    return 0;
}

static int leave(void **state)
{
    (void)state;
    clear_targets();
    static const char *const NAMES[] = {"in.csv", "in.ndjson", "source.db", "empty"};
    for (int64_t i = 0; i < COUNT_OF(NAMES); i++) (void)unlink(NAMES[i]);
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory),
        cmocka_unit_test(no_memory_from_there),
        cmocka_unit_test(reads_and_writes),
        cmocka_unit_test(reads_and_writes_of_sqlite),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
