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
    assert_true(str_eq(buf_str(&text), STR("0:7!5,3:1!0")));
    Cause *copy = find(&causes, "c");
    assert_int_equal(cause_marks_read(&causes, copy, buf_str(&text), NULL), OK);
    assert_false(is_replayed(copy, 0, 5));
    assert_true(is_replayed(copy, 0, 6));
    mark(&causes, copy, 0, 5, false); /* mended after all */
    mark(&causes, copy, 0, 5, true);  /* and not open again for that */
    assert_true(is_replayed(copy, 0, 5));
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
        cmocka_unit_test(test_what_is_no_mark),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
