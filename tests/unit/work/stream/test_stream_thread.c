/* A stream on its thread, over files: to the end, paused, resumed, stopped, failing, read
 * meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "connect/connectors.h"
#include "foundation/base/clock.h"
#include "work/stream/stream.h"

static const Connector *const CONNECTORS[] = {&ndjson_connector};
static const Registry REGISTRY = {CONNECTORS, 1};
static const StreamCase CASES[] = {{.where = {.text = {"a < 100", 7}}, .select = {{"a", 1}, 0, 0}}};
static const StreamProcessor PROCESSORS[] = {{{"x", 1}, CASES, 1}};

typedef struct World {
    char folder[64];
    Arena arena;
    StreamConfig config;
    Stream *stream;
    _Atomic int waiting, failed, running, stopped;
} World;

static void on_changed(void *arg, StreamState state, const Err *why)
{
    World *w = arg;
    if (state == STREAM_WAITING) atomic_fetch_add(&w->waiting, 1);
    if (state == STREAM_RUNNING) atomic_fetch_add(&w->running, 1);
    if (state == STREAM_STOPPED) atomic_fetch_add(&w->stopped, 1);
    if (state == STREAM_FAILED) atomic_fetch_add(&w->failed, 1);
    bool trouble = state == STREAM_WAITING || state == STREAM_FAILED || state == STREAM_HELD;
    assert_true(trouble == (why != NULL));
}

static Str path(World *w, const char *name)
{
    Str text;
    assert_int_equal(arena_printf(&w->arena, &text, NULL, "%s/%s", w->folder, name), OK);
    return text;
}

static void setup(World *w, bool paused)
{
    *w = (World){.arena = arena_make(1 << 20)};
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/neuron-stream-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    StreamConfig *c = &w->config;
    *c = (StreamConfig){.name = STR("s"),
                        .routing.by = {.text = STR("type")},
                        .routing.processors = PROCESSORS,
                        .routing.processor_count = 1,
                        .routing.only = -1,
                        .to_messages = true,
                        .cycle_us = 1000,
                        .cycle_rows = 10};
    assert_int_equal(location_parse(&REGISTRY, path(w, "in.ndjson"), &w->arena, &c->from, NULL),
                     OK);
    assert_int_equal(location_parse(&REGISTRY, path(w, "out.ndjson"), &w->arena, &c->to, NULL), OK);
    StreamOptionsRun options = {
        .config = c, .env = {.changed = on_changed, .changed_arg = w}, .paused = paused};
    assert_int_equal(stream_new(&options, &w->stream, NULL), OK);
}

static void teardown(World *w)
{
    stream_free(w->stream);
    DIR *folder = opendir(w->folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0); /* the folders in it can't be */
    }
    (void)closedir(folder);
    assert_int_equal(rmdir(w->folder), 0);
    arena_done(&w->arena);
}

static void add_lines(World *w, int from, int to)
{
    FILE *file = fopen(path(w, "in.ndjson").ptr, "a");
    assert_non_null(file);
    for (int i = from; i < to; i++) (void)fprintf(file, "{\"type\":\"x\",\"a\":%d}\n", i);
    assert_int_equal(fclose(file), 0);
}

static void wait_state(World *w, StreamState wanted)
{
    int64_t end_ns = clock_mono_ns() + INT64_C(20000000000);
    while ((StreamState)atomic_load(&stream_stats(w->stream)->state) != wanted) {
        if (clock_mono_ns() > end_ns) fail_msg("it never is %s", stream_state_name(wanted));
        (void)usleep(1000);
    }
}

static void wait_consumed(World *w, int64_t wanted)
{
    int64_t end_ns = clock_mono_ns() + INT64_C(20000000000);
    while (atomic_load(&stream_stats(w->stream)->ledger.consumed) != wanted) {
        if (clock_mono_ns() > end_ns) fail_msg("never %lld", (long long)wanted);
        (void)usleep(1000);
    }
}

static void test_to_the_end_and_on(void **state)
{
    (void)state;
    World w;
    setup(&w, false);
    add_lines(&w, 0, 150);
    assert_int_equal(stream_start(w.stream, NULL), OK);
    wait_consumed(&w, 150);
    wait_state(&w, STREAM_STOPPED);
    StreamStats *stats = stream_stats(w.stream);
    assert_int_equal(atomic_load(&stats->ledger.emitted), 100);
    assert_int_equal(atomic_load(&stats->ledger.filtered), 50);
    assert_int_equal(atomic_load(&stats->ledger.gap), 0);
    add_lines(&w, 0, 7);
    stream_pause(w.stream, false); /* resumed: what is new */
    wait_consumed(&w, 157);
    wait_state(&w, STREAM_STOPPED);
    assert_int_equal(atomic_load(&w.failed), 0);
    teardown(&w);
}

static void test_paused_from_the_start(void **state)
{
    (void)state;
    World w;
    setup(&w, true);
    add_lines(&w, 0, 5);
    assert_int_equal(atomic_load(&stream_stats(w.stream)->state), STREAM_PAUSED);
    assert_int_equal(stream_start(w.stream, NULL), OK);
    assert_true(stream_is_paused(w.stream));
    (void)usleep(50000);
    assert_int_equal(atomic_load(&stream_stats(w.stream)->ledger.consumed), 0);
    stream_pause(w.stream, false);
    wait_consumed(&w, 5);
    stream_pause(w.stream, true);
    wait_state(&w, STREAM_PAUSED);
    stream_pause(w.stream, true); /* once more changes nothing */
    assert_true(stream_is_paused(w.stream));
    teardown(&w);
}

/* A message that fails without a place for it ends the run; a resume tries again at once. */
static void test_failing(void **state)
{
    (void)state;
    World w;
    setup(&w, false);
    FILE *file = fopen(path(&w, "in.ndjson").ptr, "w");
    (void)fputs("{\"type\":\"x\",\"a\":1}\n{bad\n", file);
    (void)fclose(file);
    assert_int_equal(stream_start(w.stream, NULL), OK);
    wait_state(&w, STREAM_FAILED);
    StreamStats *stats = stream_stats(w.stream);
    assert_int_equal(atomic_load(&stats->ledger.consumed), 0);
    assert_true(atomic_load(&stats->trouble_since_us) > 0);
    CLEANUP(buf_done) Buf out = buf_make(1 << 20);
    assert_int_equal(stream_stats_json(stats, &w.config, &out, NULL), OK);
    assert_true(str_find(buf_str(&out), STR("\"status\":\"failed\"")) > 0);
    assert_true(str_find(buf_str(&out), STR("dead_letter")) > 0);
    file = fopen(path(&w, "in.ndjson").ptr, "w");
    (void)fputs("{\"type\":\"x\",\"a\":1}\n", file);
    (void)fclose(file);
    stream_pause(w.stream, false);
    wait_consumed(&w, 1);
    wait_state(&w, STREAM_STOPPED);
    assert_int_equal(atomic_load(&stats->trouble_since_us), 0);
    teardown(&w);
}

static void *read_stats(void *arg)
{
    World *w = arg;
    while (atomic_load(&stream_stats(w->stream)->ledger.consumed) < 20000) {
        CLEANUP(buf_done) Buf out = buf_make(1 << 20);
        assert_int_equal(stream_stats_json(stream_stats(w->stream), &w->config, &out, NULL), OK);
    }
    return NULL;
}

static void test_read_meanwhile_and_stopped_at_once(void **state)
{
    (void)state;
    World w;
    pthread_t reader;
    setup(&w, false);
    add_lines(&w, 0, 20000);
    assert_int_equal(pthread_create(&reader, NULL, read_stats, &w), 0);
    assert_int_equal(stream_start(w.stream, NULL), OK);
    assert_int_equal(pthread_join(reader, NULL), 0);
    wait_consumed(&w, 20000);
    teardown(&w);
    setup(&w, false);
    add_lines(&w, 0, 20000);
    assert_int_equal(stream_start(w.stream, NULL), OK);
    stream_stop(w.stream);
    teardown(&w);
}

static void test_never_started(void **state)
{
    (void)state;
    World w;
    setup(&w, false);
    stream_pause(w.stream, true);
    teardown(&w);
    stream_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_the_end_and_on),
        cmocka_unit_test(test_paused_from_the_start),
        cmocka_unit_test(test_failing),
        cmocka_unit_test(test_read_meanwhile_and_stopped_at_once),
        cmocka_unit_test(test_never_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
