/* UUIDs as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foundation/codec/uuid.h"

static void test_good(void **state)
{
    (void)state;
    static const char *const same[] = {"00112233-4455-6677-8899-AABBCCDDEEFF",
                                       "00112233445566778899aabbccddeeff"};
    for (int64_t i = 0; i < COUNT_OF(same); i++) {
        uint8_t bytes[16];
        char text[UUID_TEXT_LEN];
        assert_true(uuid_parse(str_from(same[i]), bytes));
        uuid_format(bytes, text);
        assert_memory_equal(text, "00112233-4455-6677-8899-aabbccddeeff", UUID_TEXT_LEN);
    }
}

static void test_bad(void **state)
{
    (void)state;
    uint8_t bytes[16];
    static const char *const bad[] = {"",
                                      "00112233-4455-6677-8899-aabbccddeef",
                                      "00112233-4455-6677-8899-aabbccddeefg",
                                      "001122334-455-6677-8899-aabbccddeeff",
                                      "00112233445566778899aabbccddee  ",
                                      "{0112233-4455-6677-8899-aabbccddeef}",
                                      "00112233-4455-6677-8899aabbccddeeff0"};
    for (int64_t i = 0; i < COUNT_OF(bad); i++) {
        if (uuid_parse(str_from(bad[i]), bytes)) fail_msg("%s was taken", bad[i]);
    }
}

/* Version 4, and not the same twice. */
static void test_random(void **state)
{
    (void)state;
    uint8_t first[16], second[16];
    assert_int_equal(uuid_random(first, NULL), OK);
    assert_int_equal(uuid_random(second, NULL), OK);
    assert_memory_not_equal(first, second, 16);
    assert_int_equal(first[6] >> 4, 4);
    assert_int_equal(first[8] >> 6, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
