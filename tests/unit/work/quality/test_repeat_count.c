/* Repeats against counting by hand: any order, masks, pieces merged, little memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foundation/base/mem.h"
#include "work/quality/repeat_count.h"

enum { ROWS = 60000, FIRST = 20 };

/* The hash of a value; equal values have equal hashes. */
static Hash128 hash_of(int64_t value)
{
    return hash_128(str_make((const char *)&value, 8));
}

typedef struct Expected {
    int64_t rows, repeats, first[FIRST], first_count;
} Expected;

static Expected count_by_hand(const int64_t *values, const uint64_t *mask, int64_t domain)
{
    Expected e = {0};
    bool *seen = calloc((size_t)domain, 1);
    for (int64_t i = 0; i < ROWS; i++) {
        if (mask && !((mask[i / 64] >> (i % 64)) & 1)) continue;
        e.rows++;
        if (seen[values[i]]) {
            if (e.first_count < FIRST) e.first[e.first_count++] = i;
            e.repeats++;
        }
        seen[values[i]] = true;
    }
    free(seen);
    return e;
}

static void check(RepeatCount *repeats, const Expected *want)
{
    Err err = {0};
    RepeatResult got;
    assert_int_equal(repeat_count_finish(repeats, FIRST, &got, &err), OK);
    assert_int_equal(got.rows, want->rows);
    assert_int_equal(got.repeats, want->repeats);
    assert_int_equal(got.first_count, want->first_count);
    for (int64_t i = 0; i < got.first_count; i++) assert_int_equal(got.first[i], want->first[i]);
    mem_free(got.first);
}

/* In pieces of 1000 rows, `pieces` of them in a count of their own that is merged. */
static void run(int64_t domain, bool masked, Budget *budget, int pieces)
{
    static int64_t values[ROWS];
    static Hash128 hashes[ROWS];
    static uint64_t mask[ROWS / 64 + 1];
    Err err = {0};
    RepeatCount *parts[4] = {0};
    for (int64_t i = 0; i < ROWS; i++) {
        values[i] = rand() % domain;
        hashes[i] = hash_of(values[i]);
    }
    for (int64_t i = 0; i < COUNT_OF(mask); i++)
        mask[i] = (uint64_t)rand() << 32 | (uint32_t)rand();
    for (int p = 0; p < pieces; p++) {
        assert_int_equal(repeat_count_new(budget, STR_NULL, &parts[p], &err), OK);
    }
    int64_t piece_rows = ROWS / pieces / 64 * 64;
    for (int64_t at = 0; at < ROWS; at += 640) {
        int64_t p = at / piece_rows < pieces ? at / piece_rows : pieces - 1;
        int64_t rows = int64_min(640, ROWS - at), start = p * piece_rows;
        if (p + 1 < pieces) rows = int64_min(rows, start + piece_rows - at);
        assert_int_equal(repeat_count_add(parts[p], hashes + at, rows, at - start,
                                          masked ? mask + at / 64 : NULL, &err),
                         OK);
        if (rows < 640 && at + rows < ROWS) at += rows - 640;
    }
    for (int p = pieces - 1; p > 0; p--) {
        assert_int_equal(repeat_count_merge(parts[p - 1], parts[p], piece_rows, &err), OK);
        repeat_count_free(parts[p]);
    }
    Expected want = count_by_hand(values, masked ? mask : NULL, domain);
    check(parts[0], &want);
    repeat_count_free(parts[0]);
    if (budget) assert_int_equal(budget_used(budget), 0);
}

static void test_in_memory(void **state UNUSED)
{
    run(10, false, NULL, 1);
    run(ROWS, false, NULL, 1);
    run(1 << 30 > ROWS * 100 ? ROWS * 100 : ROWS, true, NULL, 1);
}

static void test_spilled(void **state UNUSED)
{
    Budget budget;
    budget_init(&budget, "test", NULL, 700 << 10);
    run(ROWS, false, &budget, 1);
    run(40, false, &budget, 1);
    run(ROWS, true, &budget, 1);
}

static void test_merged(void **state UNUSED)
{
    Budget budget;
    budget_init(&budget, "test", NULL, 2 << 20);
    run(ROWS, false, NULL, 3);
    run(ROWS, true, &budget, 4);
}

static void test_nothing(void **state UNUSED)
{
    Err err = {0};
    RepeatCount *repeats = NULL;
    Expected none = {0};
    assert_int_equal(repeat_count_new(NULL, STR_NULL, &repeats, &err), OK);
    check(repeats, &none);
    repeat_count_free(repeats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory),
        cmocka_unit_test(test_spilled),
        cmocka_unit_test(test_merged),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
