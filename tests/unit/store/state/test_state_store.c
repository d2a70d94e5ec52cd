/* The state store: every table, refused files, a writer killed at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "foundation/base/clock.h"
#include "store/db/sqlite_db.h"
#include "store/state/state_store.h"

static char folder[64];

static Str url_of(const char *name, char url[200])
{
    (void)snprintf(url, 200, "sqlite:///%s/%s", folder, name);
    return str_from(url);
}

static StateStore *open_store(const char *name)
{
    char url[200];
    Err err = {0};
    StateStore *store = NULL;
    if (state_store_open(url_of(name, url), &store, &err) != OK) fail_msg("%s", err.message);
    return store;
}

static Status collect_run(void *arg, const StateRun *run, Err *err)
{
    return buf_printf(arg, err, "%.*s:%.*s:%.*s ", STR_ARG(run->run_id), STR_ARG(run->status),
                      STR_ARG(run->result));
}

static void test_runs(void **state)
{
    (void)state;
    StateStore *store = open_store("runs.db");
    Err err = {0};
    static const char *const ids[] = {"r1", "r2", "r3"};
    for (int i = 0; i < 3; i++) {
        StateRun run = {.run_id = str_from(ids[i]),
                        .pipeline = i == 1 ? STR("q") : STR("p"),
                        .trigger = STR("api"),
                        .status = STR("running"),
                        .started_us = 10 + i};
        assert_int_equal(state_run_put(store, &run, &err), OK);
    }
    assert_int_equal(
        state_run_finish(store, STR("r1"), STR("success"), 20, 1, STR("{}"), NULL, &err), OK);
    assert_int_equal(
        state_run_finish(store, STR("rx"), STR("success"), 20, 1, STR("{}"), NULL, &err), FAIL);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    Buf out = buf_make(10000);
    StateRunFilter filter = {.pipeline = STR("p")};
    assert_int_equal(state_run_list(store, &filter, collect_run, &out, &err), OK);
    assert_true(str_eq(buf_str(&out), STR("r3:running: r1:success:{} ")));
    buf_clear(&out);
    filter = (StateRunFilter){.before = STR("r3"), .limit = 1};
    assert_int_equal(state_run_list(store, &filter, collect_run, &out, &err), OK);
    assert_true(str_eq(buf_str(&out), STR("r2:running: ")));
    buf_clear(&out);
    assert_int_equal(state_run_get(store, STR("r1"), collect_run, &out, &err), OK);
    assert_true(str_eq(buf_str(&out), STR("r1:success:{} ")));
    assert_int_equal(state_run_get(store, STR("no"), collect_run, &out, &err), FAIL);
    assert_int_equal(state_run_get(store, STR("r3"), collect_run, &out, &err), OK);
    int64_t now = clock_now_us(), count = -1;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            state_attempt_failed(store, STR("p"), STR("r3"), now - i * 1000, STR("connect"), &err),
            OK);
    }
    assert_int_equal(state_attempts_failed(store, STR("p"), now - 2000, &count, &err), OK);
    assert_int_equal(count, 3);
    buf_done(&out);
    state_store_close(store);
}

static Status collect_report(void *arg, const StateReport *r, Err *err)
{
    return buf_printf(arg, err, "%.*s=%.0f ", STR_ARG(r->dataset), r->score);
}

static Status collect_letter(void *arg, const StateLetter *l, Err *err)
{
    return buf_printf(arg, err, "%lld%.*s ", (long long)l->id, STR_ARG(l->body));
}

static Status collect_command(void *arg, const StateCommand *c, Err *err)
{
    return buf_printf(arg, err, "%.*s/%.*s ", STR_ARG(c->id), STR_ARG(c->status));
}

static Status collect_token(void *arg, Str url, Str token, Err *err)
{
    return buf_printf(arg, err, "%.*s=%.*s ", STR_ARG(url), STR_ARG(token));
}

static Status collect_alert(void *arg, Str fingerprint, Str text, Err *err)
{
    return buf_printf(arg, err, "%.*s=%.*s ", STR_ARG(fingerprint), STR_ARG(text));
}

static void test_reports_and_letters(void **state)
{
    (void)state;
    StateStore *store = open_store("records.db");
    Err err = {0};
    Buf out = buf_make(10000);
    for (int i = 0; i < 5; i++) {
        StateReport r = {.dataset = STR("d"),
                         .at_us = i,
                         .score = i,
                         .verdict = STR("pass"),
                         .report = STR("{}")};
        assert_int_equal(state_report_put(store, &r, 3, NULL, NULL, &err), OK);
    }
    assert_int_equal(state_report_list(store, STR("d"), 0, 0, collect_report, &out, &err), OK);
    assert_true(str_eq(buf_str(&out), STR("d=4 d=3 d=2 ")));
    buf_clear(&out);
    assert_int_equal(state_outbox_put(store, STR("k"), STR("a"), 1, &err), OK);
    assert_int_equal(state_outbox_put(store, STR("k"), STR("b"), 2, &err), OK);
    const int64_t first = 1;
    assert_int_equal(state_outbox_done(store, &first, 1, STR("day"), STR("v"), &err), OK);
    Buf value = buf_make(100);
    assert_int_equal(state_value_get(store, STR("day"), &value, &err), OK);
    assert_true(str_eq(buf_str(&value), STR("v")));
    buf_done(&value);
    assert_int_equal(state_outbox_put(store, STR("k"), STR("c"), 2, &err), OK);
    assert_int_equal(state_outbox_peek(store, 10, collect_letter, &out, &err), OK);
    assert_true(str_eq(buf_str(&out), STR("2b 3c ")));
    int64_t count = 0;
    assert_int_equal(state_outbox_count(store, &count, &err), OK);
    assert_int_equal(count, 2);
    buf_done(&out);
    state_store_close(store);
}

static void test_commands_and_pairs(void **state)
{
    (void)state;
    StateStore *store = open_store("pairs.db");
    Err err = {0};
    Buf out = buf_make(10000);
    bool is_new = false;
    StateCommand c = {.id = STR("c1"),
                      .type = STR("stop"),
                      .status = STR("received"),
                      .body = STR("{}"),
                      .open = true};
    assert_int_equal(state_command_put(store, &c, &is_new, &err), OK);
    assert_true(is_new);
    assert_int_equal(state_command_put(store, &c, &is_new, &err), OK);
    assert_false(is_new);
    assert_int_equal(state_command_status(store, c.id, STR("acked"), STR_NULL, true, &err), OK);
    assert_int_equal(state_command_list(store, collect_command, &out, &err), OK);
    assert_true(str_eq(buf_str(&out), STR("c1/acked ")));
    buf_clear(&out);
    assert_int_equal(state_command_status(store, c.id, STR("done"), STR_NULL, false, &err), OK);
    assert_int_equal(state_command_list(store, collect_command, &out, &err), OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(state_token_put(store, STR("u"), STR("i"), STR("t1"), &err), OK);
    assert_int_equal(state_token_put(store, STR("u"), STR("i"), STR("t2"), &err), OK);
    assert_int_equal(state_token_get(store, STR("u"), STR("i"), &out, &err), OK);
    assert_true(str_eq(buf_str(&out), STR("t2")));
    buf_clear(&out);
    assert_int_equal(state_token_put(store, STR("other"), STR("i"), STR("t3"), &err), OK);
    assert_int_equal(state_token_put(store, STR("u"), STR("j"), STR("t4"), &err), OK);
    assert_int_equal(state_token_list(store, STR("i"), collect_token, &out, &err), OK);
    assert_true(str_eq(buf_str(&out), STR("other=t3 u=t2 ")));
    assert_int_equal(state_token_drop(store, STR("u"), STR("i"), &err), OK);
    assert_int_equal(state_token_get(store, STR("u"), STR("i"), &out, &err), OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(state_alert_put(store, STR("f2"), STR("x"), &err), OK);
    assert_int_equal(state_alert_put(store, STR("f1"), STR("y"), &err), OK);
    assert_int_equal(state_alert_drop(store, STR("f2"), &err), OK);
    assert_int_equal(state_alert_list(store, collect_alert, &out, &err), OK);
    assert_true(str_eq(buf_str(&out), STR("f1=y ")));
    assert_int_equal(state_value_put(store, STR("k"), STR("v"), &err), OK);
    assert_int_equal(state_value_get(store, STR("k"), &out, &err), OK);
    assert_true(str_eq(buf_str(&out), STR("v")));
    assert_int_equal(state_value_drop(store, STR("k"), &err), OK);
    bool mine = false;
    assert_int_equal(state_tick_take(store, STR("p"), 60, STR("me"), &mine, &err), OK);
    assert_true(mine);
    StateStore *other = open_store("pairs.db");
    assert_int_equal(state_tick_take(other, STR("p"), 60, STR("you"), &mine, &err), OK);
    assert_false(mine);
    state_store_close(other);
    int64_t last = 0;
    assert_int_equal(state_tick_last(store, STR("p"), &last, &err), OK);
    assert_int_equal(last, 60);
    buf_done(&out);
    state_store_close(store);
}

/* What was taken while the clock was ahead is void once it is right. */
static void test_future(void **state)
{
    (void)state;
    StateStore *store = open_store("future.db");
    const int64_t hour = INT64_C(3600000000), now = clock_now_us() / 1000000 * 1000000;
    Err err = {0};
    bool mine = true;
    assert_int_equal(state_tick_take(store, STR("p"), now + hour, STR("me"), &mine, &err), OK);
    assert_false(mine);
    StateRun run = {.run_id = STR("r"), .pipeline = STR("p"), .scheduled_us = now + hour};
    assert_int_equal(state_tick_run(store, STR("p"), &run, STR("me"), &mine, &err), OK);
    assert_false(mine);
    assert_int_equal(state_run_get(store, STR("r"), collect_run, NULL, &err), FAIL);
    /* As a clock that is ahead leaves it. */
    char path[100], sql[200];
    (void)snprintf(path, sizeof path, "%s/future.db", folder);
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO ticks VALUES('p', %lld, 'me');"
                   "INSERT INTO attempts VALUES('p', %lld, 'r', 'io')",
                   (long long)(now + hour), (long long)(now + hour));
    sqlite3 *db = NULL;
    assert_int_equal(sqlite_db_open(str_from(path), SQLITE_DB_WRITE, &db, &err), OK);
    assert_int_equal(sqlite_db_exec(db, sql, &err), OK);
    sqlite_db_close(db);
    int64_t last = -1, count = -1;
    assert_int_equal(state_tick_last(store, STR("p"), &last, &err), OK);
    assert_true(last == 0);
    assert_int_equal(state_tick_take(store, STR("p"), now, STR("me"), &mine, &err), OK);
    assert_true(mine);
    assert_int_equal(state_tick_last(store, STR("p"), &last, &err), OK);
    assert_true(last == now);
    assert_int_equal(state_clock_set_back(store, &err), OK);
    assert_int_equal(state_attempts_failed(store, STR("p"), now - 1000000, &count, &err), OK);
    assert_int_equal(count, 1);
    assert_int_equal(state_attempts_failed(store, STR("p"), now + hour / 2, &count, &err), OK);
    assert_int_equal(count, 0);
    state_store_close(store);
}

static void write_file(const char *name, const char *text)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void test_refused(void **state)
{
    (void)state;
    char url[200];
    StateStore *store = NULL;
    Err err = {0};
    assert_int_equal(state_store_open(STR("mysql://h/db"), &store, &err), FAIL);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(state_store_open(STR("state.db"), &store, &err), FAIL);
    assert_int_equal(err.kind, ERR_CONFIG);
    write_file("garbage.db", "this is no database at all, but it is long enough to be looked at"
                             " ......................................................");
    assert_int_equal(state_store_open(url_of("garbage.db", url), &store, &err), FAIL);
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.message, "garbage.db"));
    assert_int_equal(state_store_open(url_of("no/such/x.db", url), &store, &err), FAIL);
    assert_null(store);
    StateStore *good = open_store("mode.db");
    char path[200];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/mode.db", folder);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    state_store_close(good);
}

/* A child puts letters one after another and says each number once it is stored; the parent kills
 * it at some moment: what was said must be there, whole and in order. */
static void write_until_killed(int pipe_to)
{
    StateStore *store = open_store("killed.db");
    for (int64_t i = 0;; i++) {
        char body[32];
        (void)snprintf(body, sizeof body, "%lld", (long long)i);
        if (state_outbox_put(store, STR("k"), str_from(body), i, NULL) != OK) _exit(1);
        if (write(pipe_to, &i, sizeof i) != sizeof i) _exit(1);
    }
}

static void test_killed(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) write_until_killed(ends[1]);
        (void)close(ends[1]);
        int64_t said = -1, seen = 0;
        while (seen < 3 + round * 5 && read(ends[0], &said, sizeof said) == sizeof said) seen++;
        assert_int_equal(kill(child, SIGKILL), 0);
        int how = 0;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        while (read(ends[0], &said, sizeof said) == sizeof said) {
        }
        (void)close(ends[0]);
        StateStore *store = open_store("killed.db");
        int64_t count = 0;
        assert_int_equal(state_outbox_count(store, &count, NULL), OK);
        assert_true(count == said + 1 || count == said + 2);
        for (int64_t id = 0; count > 0; id++) {
            assert_int_equal(state_outbox_done(store, &id, 1, STR_NULL, STR_NULL, NULL), OK);
            assert_int_equal(state_outbox_count(store, &count, NULL), OK);
        }
        state_store_close(store);
    }
}

int main(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/neuron-state-XXXXXX");
    if (!mkdtemp(folder)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_future),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_reports_and_letters),
        cmocka_unit_test(test_commands_and_pairs),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_killed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const names[] = {"runs.db",    "records.db", "pairs.db",
                                        "garbage.db", "mode.db",    "killed.db"};
    for (int64_t i = 0; i < COUNT_OF(names); i++) {
        char path[200];
        static const char *const ends[] = {"", "-wal", "-shm"};
        for (int64_t e = 0; e < COUNT_OF(ends); e++) {
            (void)snprintf(path, sizeof path, "%s/%s%s", folder, names[i], ends[e]);
            (void)unlink(path);
        }
    }
    (void)rmdir(folder);
    return failed;
}
