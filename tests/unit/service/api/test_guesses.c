/* Guesses: by address and minute, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "service/api/guesses.h"

#define SECOND_NS INT64_C(1000000000)

static Peer peer_number(int32_t number)
{
    return (Peer){.network = {[14] = (uint8_t)(number >> 8), [15] = (uint8_t)number}};
}

static void test_minute(void **state)
{
    (void)state;
    Guesses *g = calloc(1, sizeof *g);
    assert_non_null(g);
    Peer one = peer_number(1), other = peer_number(2);
    for (int32_t i = 1; i <= GUESSES_FREE; i++) {
        assert_false(guesses_are_many(g, &one, SECOND_NS));
        assert_int_equal(guesses_note(g, &one, SECOND_NS), i);
    }
    assert_true(guesses_are_many(g, &one, 60 * SECOND_NS));
    assert_false(guesses_are_many(g, &other, 60 * SECOND_NS));
    assert_false(guesses_are_many(g, &one, 61 * SECOND_NS));
    assert_int_equal(guesses_note(g, &one, 61 * SECOND_NS), 1);
    free(g);
}

static void test_many_addresses(void **state)
{
    (void)state;
    Guesses *g = calloc(1, sizeof *g);
    assert_non_null(g);
    for (int32_t i = 0; i < 3 * GUESSES_PEERS_MAX; i++) {
        Peer peer = peer_number(i);
        assert_int_equal(guesses_note(g, &peer, SECOND_NS + i), 1);
    }
    Peer last = peer_number(3 * GUESSES_PEERS_MAX - 1), first = peer_number(0);
    assert_int_equal(guesses_note(g, &last, 2 * SECOND_NS), 2);
    assert_int_equal(guesses_note(g, &first, 2 * SECOND_NS), 1);
    free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_minute),
                                       cmocka_unit_test(test_many_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
