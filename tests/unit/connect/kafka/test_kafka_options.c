/* Options of librdkafka are judged without a broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/kafka/kafka_options.h"

static void test_options_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *says; /* NULL: it is right */
    } CASES[] = {
        {"linger.ms", "5", NULL},
        {"acks", "all", NULL},
        {"request.required.acks", "-1", NULL},
        {"max.in.flight", "5", NULL},
        {"acks", "1", "must be `all`"},
        {"max.in.flight", "6", "must be at most 5"},
        {"linger.ms", "soon", "does not take the value"},
        {"group.id", "g", "can't be set here"},
        {"nonsense.option", "1", "knows no option"},
        {"security.protocl", "SSL", "knows no option"},
    };
    for (int32_t i = 0; i < COUNT_OF(CASES); i++) {
        Err err = {0};
        Status status = kafka_option_check(str_from(CASES[i].name), str_from(CASES[i].value), &err);
        assert_int_equal(status, CASES[i].says ? FAIL : OK);
        if (!CASES[i].says) continue;
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_non_null(strstr(err.message, CASES[i].says));
        assert_true(err.hint[0]);
    }
}

static void test_reserved_options_say_what_to_write(void **state)
{
    (void)state;
    assert_null(kafka_option_reserved(STR("linger.ms"), true));
    assert_string_equal(kafka_option_reserved(STR("group.id"), true), "name the group with group=");
    assert_string_equal(kafka_option_reserved(STR("group.id"), false), "the group is `from.group`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_are_judged),
        cmocka_unit_test(test_reserved_options_say_what_to_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
