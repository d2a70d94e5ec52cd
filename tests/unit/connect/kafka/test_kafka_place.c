/* Tests of connect/kafka/kafka_place.h: whose broker it is, and the sizes of the client's queues.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/connectors.h"
#include "connect/kafka/kafka_place.h"

static const Connector *const CONNECTORS[] = {&kafka_connector};
static const Registry REGISTRY = {CONNECTORS, 1};

/* Only the broker inside the process forgets what is written to it. */
static void test_ephemeral(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ephemeral;
    } CASES[] = {
        {"kafka://embedded", true},
        {"kafka://embedded/topic#group=g", true},
        {"kafka://embedded-1.example.com:9092/topic", false},
        {"kafka://embedded:9092/topic", false},
        {"kafka://broker:9092/embedded", false},
    };
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        Arena arena = arena_make(1 << 20);
        Location location;
        Status status = location_parse(&REGISTRY, str_from(CASES[i].text), &arena, &location, NULL);
        assert_int_equal(status, OK);
        assert_int_equal(location.kind, LOCATION_TOPIC);
        assert_int_equal(location.ephemeral, CASES[i].ephemeral);
        arena_done(&arena);
    }
    assert_true(str_eq(connector_alias(&REGISTRY, STR("embedded")), STR("kafka://embedded")));
}

static void check_fit(int64_t memory_bytes, const char *messages, const char *fetch)
{
    Arena arena = arena_make(1 << 20);
    Location location = {.connector = &kafka_connector};
    assert_int_equal(kafka_place_fit(&location, memory_bytes, &arena, NULL), OK);
    Str got = location_option(&location, STR("rdkafka.queued.min.messages"));
    assert_true(str_eq(got, str_from(messages)));
    got = location_option(&location, STR("rdkafka.fetch.max.bytes"));
    assert_true(str_eq(got, str_from(fetch)));
    for (int32_t i = 0; i < location.option_count; i++) {
        assert_true(connector_has_option(&kafka_connector, location.options[i].name));
    }
    arena_done(&arena);
}

static void test_fit(void **state)
{
    (void)state;
    check_fit(INT64_C(512) << 20, "100000", "52428800");
    check_fit(INT64_C(128) << 20, "26214", "13421772");
    check_fit(1, "1000", "4194304");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ephemeral),
        cmocka_unit_test(test_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
