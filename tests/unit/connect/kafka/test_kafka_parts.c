/* Tests of the Kafka room without a broker: locations, options, where partitions stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/connectors.h"
#include "connect/kafka/kafka_impl.h"
#include "connect/kafka/kafka_parts.h"

static const Connector *const CONNECTORS[] = {&kafka_connector};
static const Registry REGISTRY = {CONNECTORS, 1};

static Status place_of(const char *text, Arena *arena, KafkaPlace *ret_place, Err *err)
{
    Location *location = ARENA_ARRAY(arena, Location, 1);
    assert_non_null(location);
    TRY(location_parse(&REGISTRY, str_from(text), arena, location, err));
    return kafka_place_init(ret_place, location, err);
}

static void test_places(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 20);
    Err err = {0};
    KafkaPlace place;
    assert_int_equal(place_of("kafka://a,b.c:19092,[::1]:9/t.x-1_Y#group=g&instance=i&from=latest"
                              "&delivery=at_least_once&id=me",
                              &arena, &place, &err),
                     OK);
    assert_string_equal(place.brokers.ptr, "a:9092,b.c:19092,[::1]:9");
    assert_string_equal(place.topic.ptr, "t.x-1_Y");
    assert_string_equal(place.group.ptr, "g");
    assert_string_equal(place.instance.ptr, "i");
    assert_string_equal(place.id.ptr, "me");
    assert_true(place.latest && !place.embedded && place.delivery == KAFKA_AT_LEAST_ONCE);
    kafka_place_done(&place);
    assert_int_equal(place_of("kafka://embedded/t", &arena, &place, &err), OK);
    assert_true(place.embedded && place.delivery == KAFKA_DELIVERY_UNSET);
    kafka_place_done(&place);
    assert_int_equal(place_of("kafka://h", &arena, &place, &err), OK);
    assert_int_equal(place.topic.len, 0);
    kafka_place_done(&place);
    arena_done(&arena);
}

static void test_wrong_places(void **state)
{
    (void)state;
    static const char *const WRONG[][2] = {
        {"kafka:///t", "is empty"},
        {"kafka://a,,b/t", "is empty"},
        {"kafka://a:0/t", "a port is not a number"},
        {"kafka://a:65536/t", "a port is not a number"},
        {"kafka://a:x/t", "a port is not a number"},
        {"kafka://a b/t", "no valid host"},
        {"kafka://9092/t", "only a number"},
        {"kafka://u:geheim@h/t", "a name or a password"},
        {"kafka://h/a/b", "not a valid topic name"},
        {"kafka://h/..", "not a valid topic name"},
        {"kafka://h/tö", "not a valid topic name"},
        {"kafka://h/t#from=begin", "from can't be"},
        {"kafka://h/t#delivery=once", "delivery can't be"},
    };
    for (int64_t i = 0; i < COUNT_OF(WRONG); i++) {
        Arena arena = arena_make(1 << 20);
        Err err = {0};
        KafkaPlace place;
        assert_int_equal(place_of(WRONG[i][0], &arena, &place, &err), FAIL);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.message, WRONG[i][1])) fail_msg("%s: %s", WRONG[i][0], err.message);
        assert_true(err.hint[0] && !strstr(err.message, "geheim") && !strstr(err.hint, "geheim"));
        arena_done(&arena);
    }
}

/* Refused before anything is connected to, and without the value. */
static void test_options(void **state)
{
    (void)state;
    static const char *const WRONG[][2] = {
        {"kafka://h/t#rdkafka.enable.auto.commit=geheim", "can't be set"},
        {"kafka://h/t#rdkafka.group.id=geheim", "can't be set"},
        {"kafka://h/t#rdkafka.sasl.passwort=geheim", "knows no option"},
        {"kafka://h/t#rdkafka.session.timeout.ms=geheim&rdkafka.sasl.password=geheim",
         "does not take the value of \"session.timeout.ms\""},
        {"kafka://h/t#rdkafka.sasl.oauthbearer.config=geheim&rdkafka.x=1", "knows no option"},
    };
    for (int64_t i = 0; i < COUNT_OF(WRONG); i++) {
        Arena arena = arena_make(1 << 20);
        Err err = {0};
        KafkaPlace place;
        assert_int_equal(place_of(WRONG[i][0], &arena, &place, &err), OK);
        KafkaClient client;
        rd_kafka_conf_t *conf = NULL;
        kafka_client_init(&client, &place, NULL);
        assert_int_equal(kafka_client_conf(&client, NULL, 0, &conf, &err), FAIL);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.message, WRONG[i][1])) fail_msg("%s: %s", WRONG[i][0], err.message);
        bool shown = strstr(err.message, "password=geheim") || strstr(err.hint, "geheim");
        assert_true(err.hint[0] && !shown);
        assert_true(kafka_client_done(&client));
        kafka_place_done(&place);
        arena_done(&arena);
    }
}

static void test_parts(void **state)
{
    (void)state;
    KafkaParts parts;
    KafkaPart *part = NULL;
    Err err = {0};
    kafka_parts_init(&parts);
    assert_false(kafka_parts_reached(&parts));
    assert_int_equal(kafka_parts_at(&parts, KAFKA_PARTS_MAX, &part, &err), FAIL);
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_int_equal(kafka_parts_at(&parts, 2, &part, &err), OK);
    assert_null(kafka_parts_assigned(&parts, 2));
    assert_null(kafka_parts_assigned(&parts, 7));
    kafka_part_begin(part, 10, -1, 12, 1);
    parts.ever = true;
    assert_ptr_equal(kafka_parts_assigned(&parts, 2), part);
    assert_false(kafka_parts_reached(&parts));
    kafka_part_read(part, 10, 0);
    assert_false(kafka_parts_reached(&parts));
    kafka_part_read(part, 11, 0);
    assert_true(kafka_parts_reached(&parts));
    /* The end stays what it was when the partition came first. */
    kafka_part_begin(part, 10, 10, 50, 2);
    assert_int_equal(part->end, 12);
    assert_false(kafka_parts_reached(&parts));
    kafka_part_level(part, 12, 1);
    assert_true(kafka_parts_reached(&parts));
    /* Begun after the end: it waits for what the broker says. */
    kafka_part_begin(part, 60, 60, 50, 3);
    assert_false(kafka_parts_reached(&parts));
    kafka_part_level(part, 60, 1);
    assert_true(kafka_parts_reached(&parts));
    kafka_parts_done(&parts);
}

static void test_lag(void **state)
{
    (void)state;
    KafkaPart part = {.end = -1};
    int64_t lag_us = 0;
    kafka_part_begin(&part, 100, -1, 110, 1);
    assert_int_equal(kafka_part_lag(&part, 5000000, &lag_us), 10);
    assert_int_equal(lag_us, -1);
    for (int64_t i = 100; i < 108; i++) kafka_part_read(&part, i, 1000000 + i);
    assert_int_equal(kafka_part_lag(&part, 5000000, &lag_us), 10);
    assert_int_equal(lag_us, 5000000 - 1000107);
    part.settled = 104;
    assert_int_equal(kafka_part_lag(&part, 5000000, &lag_us), 6);
    /* Two marks of transactions follow, which are no messages. */
    kafka_part_level(&part, 110, 4000000);
    part.settled = 108;
    assert_int_equal(kafka_part_lag(&part, 5000000, &lag_us), 0);
    assert_int_equal(lag_us, 0);
    /* What comes now can't be older than the moment when there was nothing. */
    part.high = 111;
    assert_int_equal(kafka_part_lag(&part, 4000010, &lag_us), 1);
    assert_int_equal(lag_us, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),  cmocka_unit_test(test_wrong_places),
        cmocka_unit_test(test_options), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_lag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
