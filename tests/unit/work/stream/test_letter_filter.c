/* Kept letters: exactly those that stand in the file are left out, through failures and restarts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "work/stream/stream_impl.h"

static LetterFilter make(void)
{
    LetterFilter letters;
    letter_filter_init(&letters, STR("t"), STR("g"));
    return letters;
}

/* True: it is written. */
static bool refuse(LetterFilter *letters, int32_t part, int64_t offset, uint64_t mark)
{
    KeptLetter letter = {.part = part, .offset = offset, .mark = mark};
    if (letter_filter_pass(letters, &letter)) return false;
    assert_int_equal(letter_filter_add(letters, &letter, NULL), OK);
    return true;
}

/* What a restart makes of it; `next` < 0: the data's sink knows nothing of part 0. */
static LetterFilter again(const LetterFilter *letters, const char *topic, int64_t next)
{
    LetterFilter copy;
    CLEANUP(buf_done) Buf json = buf_make(1 << 20);
    Position committed;
    position_init(&committed);
    Span span = {.part = 0, .next = next};
    if (next >= 0) assert_int_equal(position_merge(&committed, &span, NULL), OK);
    letter_filter_init(&copy, str_from(topic), STR("g"));
    assert_int_equal(letter_filter_format(letters, &committed, STR_NULL, &json, NULL), OK);
    assert_int_equal(letter_filter_load(&copy, buf_str(&json), &committed, NULL, NULL), OK);
    position_done(&committed);
    return copy;
}

static void test_only_those_that_stand_there(void **state)
{
    (void)state;
    LetterFilter letters = make();
    assert_true(refuse(&letters, 0, 7, 1));
    assert_true(refuse(&letters, 1, 3, 0));
    assert_true(refuse(&letters, 0, 2, UINT64_MAX));
    letter_filter_ended(&letters, REJECTS_KEPT);
    LetterFilter next = again(&letters, "t", -1);
    assert_false(refuse(&next, 0, 2, UINT64_MAX));
    assert_true(refuse(&next, 0, 5, 1));
    assert_false(refuse(&next, 0, 7, 0)); /* by the target now */
    assert_false(refuse(&next, 1, 3, 9));
    assert_true(refuse(&next, 0, 2, 8)); /* another message */
    letter_filter_done(&next);
    letter_filter_done(&letters);
}

static Position parts_of(int32_t part)
{
    Position position;
    position_init(&position);
    assert_int_equal(position_put(&position, part, -1, NULL), OK);
    return position;
}

/* Two processes share file and topic: each writes the letters of its own parts only, and finds
 * those of a part that it takes over. */
static void test_letters_of_others_stay(void **state)
{
    (void)state;
    CLEANUP(buf_done) Buf first = buf_make(1 << 20);
    CLEANUP(buf_done) Buf second = buf_make(1 << 20);
    LetterFilter one = make(), two = make();
    Position zero = parts_of(0), other = parts_of(1);
    assert_true(refuse(&one, 0, 7, 1));
    letter_filter_ended(&one, REJECTS_KEPT);
    assert_int_equal(letter_filter_format(&one, &zero, STR_NULL, &first, NULL), OK);
    assert_true(refuse(&two, 1, 8, 1));
    letter_filter_ended(&two, REJECTS_KEPT);
    assert_int_equal(letter_filter_format(&two, &other, buf_str(&first), &second, NULL), OK);
    /* The second one takes part 0 over, too. */
    assert_int_equal(letter_filter_load(&two, buf_str(&second), &zero, &zero, NULL), OK);
    assert_int_equal(two.total, 2);
    assert_false(refuse(&two, 0, 7, 1));
    letter_filter_forget(&two, (const int32_t[]){1}, 1);
    assert_true(refuse(&two, 1, 8, 1));
    position_done(&zero);
    position_done(&other);
    letter_filter_done(&one);
    letter_filter_done(&two);
}

static void test_a_cycle_that_is_undone(void **state)
{
    (void)state;
    LetterFilter letters = make();
    assert_true(refuse(&letters, 0, 1, 1));
    letter_filter_ended(&letters, REJECTS_UNDONE); /* before the letters were committed */
    assert_true(refuse(&letters, 0, 1, 1));
    letter_filter_ended(&letters, REJECTS_KEPT);
    letter_filter_ended(&letters, REJECTS_UNDONE); /* after that */
    assert_true(refuse(&letters, 0, 0, 1));
    assert_false(refuse(&letters, 0, 1, 1));
    letter_filter_ended(&letters, REJECTS_KEPT);
    letter_filter_ended(&letters, REJECTS_DONE);
    assert_int_equal(letters.total, 0);
    letter_filter_done(&letters);
}

/* Read again in smaller cycles: what comes only later is still known. */
static void test_smaller_cycles(void **state)
{
    (void)state;
    LetterFilter letters = make();
    for (int64_t i = 0; i < 10; i++) assert_true(refuse(&letters, 0, i, 1));
    letter_filter_ended(&letters, REJECTS_KEPT);
    letter_filter_ended(&letters, REJECTS_UNDONE);
    for (int64_t i = 0; i < 10; i++) {
        assert_false(refuse(&letters, 0, i, 1));
        assert_true(refuse(&letters, 1, i, 1));
        letter_filter_ended(&letters, REJECTS_KEPT);
        LetterFilter next = again(&letters, "t", i);
        assert_int_equal(next.kept, 10 - i + 1);
        letter_filter_done(&next);
        letter_filter_ended(&letters, REJECTS_DONE);
        assert_int_equal(letters.kept, 9 - i);
    }
    letter_filter_done(&letters);
}

static void test_another_topic_and_what_was_committed(void **state)
{
    (void)state;
    LetterFilter letters = make();
    for (int64_t i = 0; i < 4; i++) assert_true(refuse(&letters, 0, i, 1));
    LetterFilter other = again(&letters, "other", -1), next = again(&letters, "t", 3);
    assert_int_equal(other.total, 0);
    assert_int_equal(next.total, 1);
    assert_false(refuse(&next, 0, 3, 1));
    letter_filter_done(&other);
    letter_filter_done(&next);
    letter_filter_done(&letters);
}

static void committed(LetterFilter *letters, int32_t part, int64_t next)
{
    Position position;
    position_init(&position);
    Span span = {.part = part, .next = next};
    assert_int_equal(position_merge(&position, &span, NULL), OK);
    letter_filter_committed(letters, &position);
    position_done(&position);
}

/* A target that keeps no position: what was committed before a restart goes when the part is read
 * from, and what stands after it is still known. */
static void test_restarts_pile_nothing_up(void **state)
{
    (void)state;
    LetterFilter letters = make();
    for (int64_t i = 0; i < 100000; i += 10) {
        committed(&letters, 0, i);
        for (int64_t j = i; j < i + 10; j++) assert_true(refuse(&letters, 0, j, 1));
        if (i % 1000 == 0) assert_true(refuse(&letters, 1, i, 1));
        letter_filter_ended(&letters, REJECTS_KEPT);
        assert_int_equal(letters.kept, 10 + i / 1000 + 1);
        LetterFilter next = again(&letters, "t", -1);
        letter_filter_done(&letters);
        letters = next;
    }
    committed(&letters, 1, 99000);
    assert_int_equal(letters.kept, 11);
    assert_true(refuse(&letters, 1, 99001, 1));
    committed(&letters, 0, 99995); /* while a cycle is open */
    assert_int_equal(letters.kept, 6);
    assert_int_equal(letters.total, 7);
    assert_false(refuse(&letters, 1, 99000, 1));
    assert_false(refuse(&letters, 0, 99995, 1));
    letter_filter_done(&letters);
}

/* Beyond the limit they are doubled rather than lost. */
static void test_a_limit(void **state)
{
    (void)state;
    LetterFilter letters = make();
    for (int64_t i = 0; i < 150000; i++) assert_true(refuse(&letters, 0, i, 1));
    letter_filter_ended(&letters, REJECTS_KEPT);
    assert_int_equal(letters.kept, 100000);
    assert_false(refuse(&letters, 0, 99999, 1));
    assert_true(refuse(&letters, 0, 100000, 1));
    letter_filter_done(&letters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_those_that_stand_there),
        cmocka_unit_test(test_letters_of_others_stay),
        cmocka_unit_test(test_a_cycle_that_is_undone),
        cmocka_unit_test(test_smaller_cycles),
        cmocka_unit_test(test_another_topic_and_what_was_committed),
        cmocka_unit_test(test_restarts_pile_nothing_up),
        cmocka_unit_test(test_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
