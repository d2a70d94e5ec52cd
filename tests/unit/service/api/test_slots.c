/* Shares of connections: by address, by class, and who has to go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "service/api/slots.h"

static Peer peer_number(uint8_t number)
{
    return (Peer){.network = {[15] = number}};
}

static Slots *slots_new(void)
{
    Slots *slots = calloc(1, sizeof *slots);
    assert_non_null(slots);
    slots_init(slots);
    return slots;
}

static void slots_free(Slots *slots)
{
    slots_done(slots);
    free(slots);
}

static Slot *take(Slots *slots, SlotPhase phase, uint8_t number, int64_t now_ns)
{
    Peer peer = peer_number(number);
    Slot *slot = slots_take(slots, phase, 7, &peer, now_ns, now_ns + 100);
    assert_non_null(slot);
    return slot;
}

static void test_heads(void **state)
{
    (void)state;
    Slots *slots = slots_new();
    Peer one = peer_number(1), other = peer_number(200);
    Slot *first = take(slots, SLOT_HEAD, 1, 1);
    for (int32_t i = 1; i < SLOTS_HEADS_OF_PEER; i++) {
        assert_null(slots_head_to_drop(slots, &one));
        (void)take(slots, SLOT_HEAD, 1, i + 1);
    }
    assert_ptr_equal(slots_head_to_drop(slots, &one), first);
    assert_null(slots_head_to_drop(slots, &other));
    for (uint8_t i = 2; slots_count(slots, SLOT_HEAD, NULL) < SLOTS_PHASE_MAX; i++) {
        (void)take(slots, SLOT_HEAD, i, 1000 + i);
    }
    assert_ptr_equal(slots_head_to_drop(slots, &other), first);
    assert_int_equal(slots_deadline(slots), 101);
    slots_free(slots);
}

static void test_served(void **state)
{
    (void)state;
    Slots *slots = slots_new();
    Peer one = peer_number(1), other = peer_number(200);
    for (int32_t i = 0; i < SLOTS_SERVED_OF_PEER; i++) {
        assert_int_equal(slots_may_serve(slots, SLOT_STRANGER, &one, true),
                         i < SLOTS_SERVED_OF_GUESSER);
        assert_true(slots_may_serve(slots, SLOT_STRANGER, &one, false));
        (void)take(slots, SLOT_SERVED, 1, i);
    }
    assert_false(slots_may_serve(slots, SLOT_STRANGER, &one, false));
    assert_false(slots_may_serve(slots, SLOT_HEALTH, &one, false));
    assert_true(slots_may_serve(slots, SLOT_OWNER, &one, true));
    for (uint8_t i = 2; slots_may_serve(slots, SLOT_STRANGER, &other, false); i++) {
        (void)take(slots, SLOT_SERVED, i, 1);
    }
    assert_int_equal(slots_count(slots, SLOT_SERVED, NULL), SLOTS_PHASE_MAX * 3 / 4);
    for (uint8_t i = 2; slots_may_serve(slots, SLOT_HEALTH, &other, false); i++) {
        (void)take(slots, SLOT_SERVED, i, 1);
    }
    assert_int_equal(slots_count(slots, SLOT_SERVED, NULL), SLOTS_PHASE_MAX * 7 / 8);
    for (uint8_t i = 2; slots_may_serve(slots, SLOT_OWNER, &other, false); i++) {
        (void)take(slots, SLOT_SERVED, i, 1);
    }
    assert_int_equal(slots_count(slots, SLOT_SERVED, NULL), SLOTS_PHASE_MAX);
    slots_free(slots);
}

static void test_few_descriptors(void **state)
{
    (void)state;
    Slots *slots = slots_new();
    slots_limit(slots, 256);
    assert_int_equal(slots->phase_max, 64);
    slots_limit(slots, 3);
    assert_int_equal(slots->phase_max, 16);
    slots_limit(slots, 1 << 20);
    assert_int_equal(slots->phase_max, SLOTS_PHASE_MAX);
    slots_free(slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_heads), cmocka_unit_test(test_served),
                                       cmocka_unit_test(test_few_descriptors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
