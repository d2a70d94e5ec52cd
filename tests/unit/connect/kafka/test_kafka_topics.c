/* Tests of the Kafka source and sink against the broker inside the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "connect/connectors.h"
#include "engine/format/message.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"

#ifdef __SANITIZE_THREAD__
/* The thread sanitizer knows no thread and no mutex that is made by C11's functions, as
 * librdkafka's are: the threads are made known, and what happens inside of the library is left out.
 */
#include <pthread.h>
#include <threads.h>

const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librdkafka.so\ncalled_from_lib:liblz4.so";
}

typedef struct Start {
    thrd_start_t run;
    void *arg;
} Start;

static void *start_run(void *arg)
{
    Start start = *(Start *)arg;
    mem_free(arg);
    (void)start.run(start.arg);
    return NULL;
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
    Start *start = mem_zalloc((int64_t)sizeof *start);
    if (!start) return thrd_nomem;
    *start = (Start){run, arg};
    return pthread_create((pthread_t *)thread, NULL, start_run, start) ? thrd_error : thrd_success;
}

int thrd_join(thrd_t thread, int *ret_result)
{
    if (ret_result) *ret_result = 0;
    return pthread_join((pthread_t)thread, NULL) ? thrd_error : thrd_success;
}
#endif

#define SECOND_NS INT64_C(1000000000)
enum {
    COLUMN_OBJECT,
    COLUMN_TOPIC,
    COLUMN_PARTITION,
    COLUMN_OFFSET,
    COLUMN_KEY,
    COLUMN_TIMESTAMP,
    COLUMN_HEADERS
};

/* A sink or a source on a location, with all that it borrows. */
typedef struct Place {
    Arena arena;
    Location location;
    SourceReq source_req;
    SinkReq sink_req;
    PathSet paths;
    Source *source;
    Sink *sink;
    Position position; /* of what was read */
    int64_t rows, rejects;
} Place;

static void must(Status status, const Err *err)
{
    if (status != OK) fail_msg("%s (%s)", err->message, err->hint);
}

static const Connector *const CONNECTORS[] = {&kafka_connector};
static const Registry REGISTRY = {CONNECTORS, 1};

static void place_init(Place *place, const char *topic, const char *options)
{
    char text[512];
    Err err = {0};
    (void)snprintf(text, sizeof text, "kafka://embedded/%s%s", topic, options);
    *place = (Place){.arena = arena_make(1 << 20)};
    must(location_parse(&REGISTRY, str_from(text), &place->arena, &place->location, &err), &err);
    position_init(&place->position);
    pathset_init(&place->paths);
}

static void place_done(Place *place)
{
    source_close(place->source);
    sink_close(place->sink);
    position_done(&place->position);
    pathset_done(&place->paths);
    arena_done(&place->arena);
}

static void reader_open(Place *place, const char *topic, const char *options, SourceReq req)
{
    Err err = {0};
    place_init(place, topic, options);
    place->source_req = req;
    place->source_req.location = &place->location;
    place->source_req.open = true;
    place->source_req.paths = &place->paths;
    must(kafka_connector.source_new(&place->source_req, &place->source, &err), &err);
    must(source_open(place->source, NULL, NULL, &err), &err);
}

/* Everything that comes before the deadline or the end; the last batch and rejects are kept. */
static SourceEventKind read_for(Place *place, int64_t ns, Batch **batch, Batch **rejects)
{
    Err err = {0};
    int64_t deadline_ns = clock_mono_ns() + ns;
    for (;;) {
        SourceEvent event = {0};
        must(source_next(place->source, 0, clock_mono_ns() + SECOND_NS / 20, &event, &err), &err);
        const Batch *from = event.batch ? event.batch : event.rejects;
        if (from) must(position_merge(&place->position, &from->span, &err), &err);
        if (event.batch) place->rows += event.batch->rows;
        if (event.rejects) place->rejects += event.rejects->rows;
        if (batch && event.batch) {
            batch_unref(*batch);
            *batch = TAKE(event.batch);
        }
        if (rejects && event.rejects) {
            batch_unref(*rejects);
            *rejects = TAKE(event.rejects);
        }
        batch_unref(event.batch);
        batch_unref(event.rejects);
        if (event.kind == SOURCE_END || event.kind == SOURCE_IDLE) return event.kind;
        if (event.kind == SOURCE_REVOKE || event.kind == SOURCE_LOST) {
            must(source_settled(place->source, &place->position, &err), &err);
            must(source_revoked(place->source, event.epoch, &err), &err);
        }
        if (clock_mono_ns() >= deadline_ns) return event.kind;
    }
}

/* The last writer's counts and refusals are in the result. */
static int64_t write_messages(const char *topic, const Message *messages, int64_t count)
{
    Place place;
    Err err = {0};
    int32_t port = -1;
    MessageWriter writer;
    Batch *batch = NULL;
    SinkCounts counts = {0};
    SinkRun run = {0};
    CommitResult result = COMMIT_UNKNOWN;
    RejectWriter rejects;
    place_init(&place, topic, "#delivery=at_least_once");
    place.sink_req = (SinkReq){.location = &place.location, .reject.wanted = true};
    must(message_writer_init(&writer, NULL, &err), &err);
    must(reject_writer_init(&rejects, NULL, 0, &err), &err);
    for (int64_t i = 0; i < count; i++) must(message_writer_add(&writer, &messages[i], &err), &err);
    must(message_writer_take(&writer, &batch, &err), &err);
    must(kafka_connector.sink_new(&place.sink_req, &place.sink, &err), &err);
    must(sink_open(place.sink, STR("run"), 0, &err), &err);
    must(sink_port(place.sink, PORT_OUT, STR(""), batch->schema, &port, &err), &err);
    must(sink_begin(place.sink, 1, &err), &err);
    must(sink_write(place.sink, port, batch, &rejects, &err), &err);
    must(sink_apply(place.sink, &rejects, &counts, &err), &err);
    must(sink_commit(place.sink, &place.position, &run, &result, &err), &err);
    assert_int_equal(result, COMMIT_DONE);
    batch_unref(batch);
    message_writer_done(&writer);
    reject_writer_done(&rejects);
    place_done(&place);
    return counts.loaded;
}

static void write_numbers(const char *topic, int64_t from, int64_t count)
{
    Message *messages = mem_array(count, (int64_t)sizeof *messages);
    char *texts = mem_zalloc(count * 64);
    assert_true(messages && texts);
    for (int64_t i = 0; i < count; i++) {
        char *text = texts + i * 64;
        int len = snprintf(text, 48, "{\"i\":%lld}", (long long)(from + i));
        int key = snprintf(text + 48, 16, "%lld", (long long)(from + i));
        messages[i] = (Message){.value = str_make(text, len), .key = str_make(text + 48, key)};
    }
    assert_int_equal(write_messages(topic, messages, count), count);
    mem_free(messages);
    mem_free(texts);
}

static void assert_text(const Batch *batch, int32_t column, int64_t row, const char *wanted)
{
    Str text = column_text(&batch->columns[column], row);
    if (!str_eq(text, str_from(wanted))) fail_msg("%.*s is not %s", STR_ARG(text), wanted);
}

static void test_there_and_back(void **state)
{
    (void)state;
    const Message messages[] = {
        {.value = STR("{\"a\":1.50}"),
         .key = STR("k"),
         .headers = STR("{\"h\":\"\\u00e4\",\"b\":{\"@base64\":\"/w==\"},\"h\":null,\"n\":3}"),
         .has_timestamp = true,
         .timestamp_us = 1700000000123456},
        {.key = STR("k")},
        {.value = STR("{bad"), .key = STR("k")},
        {.value = {"\xff", 1}, .key = STR("k")},
        {.value = STR("{\"a\":2}"), .key = STR("k")},
    };
    assert_int_equal(write_messages("back", messages, COUNT_OF(messages)), 5);
    Place place;
    Batch *batch = NULL, *rejects = NULL;
    reader_open(&place, "back", "", (SourceReq){.limits.bounded = true, .rejects = true});
    assert_int_equal(read_for(&place, 20 * SECOND_NS, &batch, &rejects), SOURCE_END);
    assert_int_equal(place.rows, 2);
    assert_int_equal(place.rejects, 3);
    assert_int_equal(batch->rows, 2);
    assert_text(batch, COLUMN_OBJECT, 0, "{\"a\":1.50}");
    assert_text(batch, COLUMN_TOPIC, 0, "back");
    assert_text(batch, COLUMN_KEY, 0, "k");
    assert_text(batch, COLUMN_HEADERS, 0,
                "{\"h\":\"ä\",\"b\":{\"@base64\":\"/w==\"},\"h\":null,\"n\":\"3\"}");
    assert_int_equal(column_int64(&batch->columns[COLUMN_TIMESTAMP])[0], 1700000000123000);
    assert_int_equal(column_int64(&batch->columns[COLUMN_OFFSET])[1], 4);
    assert_true(column_is_null(&batch->columns[COLUMN_HEADERS], 1));
    assert_int_equal(batch->span.first, 0);
    assert_int_equal(batch->span.next, 5);
    assert_int_equal(rejects->rows, 3);
    assert_text(rejects, REJECT_REASON, 0, "a tombstone: no value");
    assert_text(rejects, REJECT_DATA, 1, "\"{bad\"");
    assert_text(rejects, REJECT_DATA, 2, "{\"@base64\":\"/w==\"}");
    batch_unref(batch);
    batch_unref(rejects);
    place_done(&place);
}

/* Without rejects the message is named and ends the reading. */
static void test_malformed_is_named(void **state)
{
    (void)state;
    const Message messages[] = {{.value = STR("[]"), .key = STR("k")}};
    assert_int_equal(write_messages("named", messages, 1), 1);
    Place place;
    Err err = {0};
    SourceEvent event = {0};
    reader_open(&place, "named", "", (SourceReq){.limits.bounded = true});
    assert_int_equal(source_next(place.source, 0, clock_mono_ns() + 20 * SECOND_NS, &event, &err),
                     FAIL);
    assert_int_equal(err.kind, ERR_DATA);
    assert_non_null(strstr(err.message, "topic named, partition "));
    assert_non_null(strstr(err.message, "offset 0"));
    place_done(&place);
}

static void test_limit_and_reading_again(void **state)
{
    (void)state;
    write_numbers("again", 0, 500);
    Place place;
    Err err = {0};
    reader_open(&place, "again", "", (SourceReq){.limits.bounded = true});
    assert_int_equal(read_for(&place, 20 * SECOND_NS, NULL, NULL), SOURCE_END);
    assert_int_equal(place.rows, 500);
    Position none;
    position_init(&none);
    must(source_rewind(place.source, &none, &err), &err);
    assert_int_equal(read_for(&place, 20 * SECOND_NS, NULL, NULL), SOURCE_END);
    assert_int_equal(place.rows, 1000);
    must(source_rewind(place.source, &place.position, &err), &err);
    assert_int_equal(read_for(&place, 20 * SECOND_NS, NULL, NULL), SOURCE_END);
    assert_int_equal(place.rows, 1000);
    place_done(&place);
    reader_open(&place, "again", "", (SourceReq){.limits.bounded = true, .limits.rows_max = 7});
    assert_int_equal(read_for(&place, 20 * SECOND_NS, NULL, NULL), SOURCE_END);
    assert_int_equal(place.rows, 7);
    place_done(&place);
}

/* The end is what it was at the start; the lag is what is not in the sink yet. */
static void test_end_and_lag(void **state)
{
    (void)state;
    write_numbers("lag", 0, 100);
    Place place;
    Err err = {0};
    SourceStats stats;
    reader_open(&place, "lag", "", (SourceReq){0});
    source_stats(place.source, &stats);
    assert_int_equal(stats.lag_messages, 100);
    assert_int_equal(stats.lag_us, -1);
    assert_int_equal(read_for(&place, 20 * SECOND_NS, NULL, NULL), SOURCE_IDLE);
    assert_int_equal(place.rows, 100);
    source_stats(place.source, &stats);
    assert_int_equal(stats.lag_messages, 100);
    assert_in_range(stats.lag_us, 0, 60000000);
    must(source_settled(place.source, &place.position, &err), &err);
    source_stats(place.source, &stats);
    assert_int_equal(stats.lag_messages, 0);
    assert_int_equal(stats.lag_us, 0);
    assert_int_equal(stats.part_count, 4);
    int64_t sum = 0;
    for (int32_t i = 0; i < 4; i++) {
        assert_int_equal(stats.parts[i].part, i);
        assert_true(stats.parts[i].settled == stats.parts[i].end &&
                    stats.parts[i].read == stats.parts[i].end);
        sum += stats.parts[i].settled;
    }
    assert_int_equal(sum, 100);
    write_numbers("lag", 100, 10);
    int64_t deadline_ns = clock_mono_ns() + 20 * SECOND_NS;
    while (place.rows < 110) {
        assert_true(clock_mono_ns() < deadline_ns);
        (void)read_for(&place, SECOND_NS / 10, NULL, NULL);
    }
    source_stats(place.source, &stats);
    assert_int_equal(stats.lag_messages, 10);
    place_done(&place);
}

static int32_t parts_of(const Place *place)
{
    SourceStats stats;
    source_stats(place->source, &stats);
    return stats.part_count;
}

/* A second member takes half of the partitions over, and goes on where the first was. */
static void test_group(void **state)
{
    (void)state;
    write_numbers("group", 0, 400);
    Place first, second;
    Err err = {0};
    static const char OPTIONS[] = "#group=g&rdkafka.session.timeout.ms=4000"
                                  "&rdkafka.heartbeat.interval.ms=200";
    reader_open(&first, "group", OPTIONS, (SourceReq){0});
    int64_t deadline_ns = clock_mono_ns() + 40 * SECOND_NS;
    while (first.rows < 400) {
        assert_true(clock_mono_ns() < deadline_ns);
        (void)read_for(&first, SECOND_NS / 10, NULL, NULL);
    }
    must(source_settled(first.source, &first.position, &err), &err);
    reader_open(&second, "group", OPTIONS, (SourceReq){0});
    do {
        assert_true(clock_mono_ns() < deadline_ns);
        (void)read_for(&first, SECOND_NS / 10, NULL, NULL);
        (void)read_for(&second, SECOND_NS / 10, NULL, NULL);
    } while (parts_of(&first) != 2 || parts_of(&second) != 2);
    write_numbers("group", 400, 400);
    while (first.rows + second.rows < 800) {
        assert_true(clock_mono_ns() < deadline_ns);
        (void)read_for(&first, SECOND_NS / 10, NULL, NULL);
        (void)read_for(&second, SECOND_NS / 10, NULL, NULL);
    }
    assert_int_equal(first.rows + second.rows, 800);
    assert_true(second.rows > 0);
    SourceStats stats;
    source_stats(first.source, &stats);
    assert_true(stats.rebalances >= 2);
    place_done(&second);
    place_done(&first);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const WRONG[][2] = {
        {"#delivery=exactly_once", "no transactions"},
        {"#delivery=at_least_once", "only be appended"},
    };
    for (int64_t i = 0; i < COUNT_OF(WRONG); i++) {
        Place place;
        Err err = {0};
        place_init(&place, "t", WRONG[i][0]);
        place.sink_req =
            (SinkReq){.location = &place.location, .mode = i ? SINK_UPSERT : SINK_APPEND};
        assert_int_equal(kafka_connector.sink_new(&place.sink_req, &place.sink, &err), FAIL);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_non_null(strstr(err.message, WRONG[i][1]));
        assert_true(err.hint[0]);
        place_done(&place);
    }
    char *large = mem_zalloc(2000000);
    assert_non_null(large);
    memset(large, 'x', 2000000);
    const Message messages[] = {{.value = str_make(large, 2000000)}, {.value = STR("{}")}};
    assert_int_equal(write_messages("large", messages, 2), 1);
    mem_free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_malformed_is_named),
        cmocka_unit_test(test_limit_and_reading_again),
        cmocka_unit_test(test_end_and_lag),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
