/* Causes of refused rows: marks, holes, their text, what is no such text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "work/reject/refused_causes.h"

static Refused row(const char *cause, int32_t part, int64_t ordinal)
{
    Refused refused = {.part = part, .ordinal = ordinal, .stage = STR("s"), .reason = STR("r")};
    memcpy(refused.cause, cause, strlen(cause) + 1);
    return refused;
}

static Cause *find(Causes *causes, const char *id)
{
    Refused refused = row(id, 0, 0);
    Cause *cause = NULL;
    assert_int_equal(causes_find(causes, &refused, &cause, NULL), OK);
    assert_non_null(cause);
    return cause;
}

static bool is_replayed(const Cause *cause, int32_t part, int64_t ordinal)
{
    Refused refused = row("a", part, ordinal);
    return cause_is_replayed(cause, &refused);
}

static void mark(Causes *causes, Cause *cause, int32_t part, int64_t ordinal, bool open)
{
    Refused refused = row("a", part, ordinal);
    assert_int_equal(cause_mark(causes, cause, &refused, open, NULL), OK);
}

static void test_marks(void **state)
{
    (void)state;
    Causes causes;
    assert_int_equal(causes_init(&causes, NULL), OK);
    Cause *cause = find(&causes, "a");
    assert_ptr_equal(find(&causes, "a"), cause);
    assert_ptr_not_equal(find(&causes, "b"), cause);
    assert_ptr_equal(causes_get(&causes, STR("a")), cause);
    assert_null(causes_get(&causes, STR("c")));
    assert_false(is_replayed(cause, 0, 0));
    mark(&causes, cause, 0, 4, false);
    mark(&causes, cause, 0, 5, true);
    mark(&causes, cause, 0, 6, false);
    mark(&causes, cause, 3, 0, true);
    assert_true(is_replayed(cause, 0, 4) && is_replayed(cause, 0, 6));
    assert_false(is_replayed(cause, 0, 5) || is_replayed(cause, 0, 7) || is_replayed(cause, 3, 0));
    assert_false(is_replayed(cause, 1, 0));

    CLEANUP(buf_done) Buf text = buf_make(1000);
    assert_int_equal(cause_marks_write(cause, &text, NULL), OK);
    Str written = buf_str(&text);
    assert_int_equal(written.len, 2 * 17 + 11);
    assert_true(str_starts(written, STR("0:7@")));
    assert_true(str_eq(str_slice(written, 20, 26), STR("!5,3:1")));
    assert_true(str_ends(written, STR("!0")));
    Cause *copy = find(&causes, "c");
    assert_int_equal(cause_marks_read(&causes, copy, buf_str(&text), NULL), OK);
    assert_false(is_replayed(copy, 0, 5));
    assert_true(is_replayed(copy, 0, 6));
    mark(&causes, copy, 0, 5, false); /* fixed after all */
    mark(&causes, copy, 0, 5, true);  /* and not open again for that */
    assert_true(is_replayed(copy, 0, 5));
    causes_done(&causes);
}

static Refused text_row(int32_t part, int64_t ordinal, Str original)
{
    Refused refused = row("a", part, ordinal);
    refused.original = original;
    return refused;
}

static void test_marks_of_what_was_made_anew(void **state)
{
    (void)state;
    Causes causes;
    assert_int_equal(causes_init(&causes, NULL), OK);
    Cause *cause = find(&causes, "a");
    const Refused first = text_row(0, 3, STR("x")), second = text_row(1, 0, STR("y"));
    assert_int_equal(cause_mark(&causes, cause, &first, false, NULL), OK);
    assert_int_equal(cause_mark(&causes, cause, &second, false, NULL), OK);
    CLEANUP(buf_done) Buf text = buf_make(1000);
    assert_int_equal(cause_marks_write(cause, &text, NULL), OK);
    Cause *topic = find(&causes, "b"), *file = find(&causes, "c"), *old = find(&causes, "d");
    assert_int_equal(cause_marks_read(&causes, topic, buf_str(&text), NULL), OK);
    assert_int_equal(cause_marks_read(&causes, file, buf_str(&text), NULL), OK);
    assert_int_equal(cause_marks_read(&causes, old, STR("0:4"), NULL), OK);
    const Refused other = text_row(0, 3, STR("z"));
    cause_look(topic, &other);
    cause_look(file, &first);
    assert_true(causes_drop_stale(&causes, false));
    assert_false(is_replayed(topic, 0, 3)); /* another stands there */
    assert_true(is_replayed(topic, 1, 0));  /* it may have gone by itself */
    assert_true(is_replayed(file, 1, 0));
    assert_true(causes_drop_stale(&causes, true));
    assert_true(is_replayed(file, 0, 3));
    assert_false(is_replayed(file, 1, 0));
    assert_true(is_replayed(old, 0, 3)); /* as earlier versions wrote them */
    buf_clear(&text);
    assert_int_equal(cause_marks_write(topic, &text, NULL), OK);
    assert_int_equal(text.len, 0);
    causes_done(&causes);
}

static void test_what_is_no_mark(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"", ",", "x", "1", ":", "a:b", "-1:5", "1:", "!", "1:x!2"};
    Causes causes;
    assert_int_equal(causes_init(&causes, NULL), OK);
    for (int32_t i = 0; i < COUNT_OF(TEXTS); i++) {
        char id[3] = {'x', (char)('a' + i), 0};
        Cause *cause = find(&causes, id);
        assert_int_equal(cause_marks_read(&causes, cause, str_from(TEXTS[i]), NULL), OK);
        assert_int_equal(cause->mark_count, 0);
    }
    causes_done(&causes);
}

static void test_limits(void **state)
{
    (void)state;
    Causes causes;
    Err err = {0};
    assert_int_equal(causes_init(&causes, NULL), OK);
    Cause *cause = find(&causes, "a");
    for (int i = 0; i < CAUSE_HOLES_MAX; i++) mark(&causes, cause, 0, i, true);
    Refused more = row("a", 0, CAUSE_HOLES_MAX);
    assert_int_equal(cause_mark(&causes, cause, &more, true, &err), FAIL);
    assert_int_equal(err.kind, ERR_LIMIT);
    for (int i = 1; i < CAUSE_PARTS_MAX; i++) mark(&causes, cause, i, 0, false);
    Refused part = row("a", CAUSE_PARTS_MAX, 0);
    assert_int_equal(cause_mark(&causes, cause, &part, false, &err), FAIL);
    for (int i = causes.count; i < CAUSES_MAX; i++) {
        char id[REFUSED_CAUSE_SIZE] = {'z', (char)('0' + i % 10), (char)('0' + i / 10 % 10),
                                       (char)('0' + i / 100), 0};
        (void)find(&causes, id);
    }
    Refused other = row("other", 0, 0);
    assert_int_equal(causes_find(&causes, &other, &cause, NULL), OK);
    assert_null(cause);
    assert_int_equal(causes.others, 1);
    causes_done(&causes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_marks_of_what_was_made_anew),
        cmocka_unit_test(test_what_is_no_mark),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
