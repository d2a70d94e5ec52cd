/* Tests of foundation/base/budget.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "foundation/base/budget.h"

typedef struct World {
    Budget root, left, right;
} World;

static void world_init(World *w)
{
    budget_init(&w->root, "root", NULL, 100);
    budget_init(&w->left, "left", &w->root, 80);
    budget_init(&w->right, "right", &w->root, 80);
}

static void assert_used(const World *w, int64_t root, int64_t left, int64_t right)
{
    assert_int_equal(budget_used(&w->root), root);
    assert_int_equal(budget_used(&w->left), left);
    assert_int_equal(budget_used(&w->right), right);
}

static void test_a_reservation_counts_in_all_ancestors(void **state)
{
    (void)state;
    World w;
    world_init(&w);
    assert_true(budget_reserve(&w.left, 30));
    assert_used(&w, 30, 30, 0);
    assert_true(budget_reserve(&w.right, 70));
    assert_used(&w, 100, 30, 70);
    budget_release(&w.left, 30);
    assert_used(&w, 70, 0, 70);
}

static void test_a_refused_reservation_leaves_nothing(void **state)
{
    (void)state;
    World w;
    world_init(&w);
    assert_false(budget_reserve(&w.left, 81)); /* its own maximum */
    assert_used(&w, 0, 0, 0);
    assert_true(budget_reserve(&w.left, 80));   /* exactly at it */
    assert_false(budget_reserve(&w.right, 21)); /* the root's maximum */
    assert_used(&w, 80, 80, 0);
    assert_true(budget_reserve(&w.right, 20));
    assert_false(budget_reserve(&w.right, 1));
    assert_used(&w, 100, 80, 20);
}

static void test_force_passes_the_maximum_and_blocks_what_follows(void **state)
{
    (void)state;
    World w;
    world_init(&w);
    budget_force(&w.left, 150);
    assert_used(&w, 150, 150, 0);
    assert_false(budget_reserve(&w.right, 1));
    budget_release(&w.left, 150);
    assert_true(budget_reserve(&w.right, 1));
    assert_used(&w, 1, 0, 1);
}

static void test_the_peak_stays_after_a_release(void **state)
{
    (void)state;
    World w;
    world_init(&w);
    assert_true(budget_reserve(&w.left, 40));
    budget_release(&w.left, 40);
    assert_true(budget_reserve(&w.right, 10));
    assert_int_equal(w.root.peak_bytes, 40);
    assert_int_equal(w.left.peak_bytes, 40);
    assert_int_equal(w.right.peak_bytes, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reservation_counts_in_all_ancestors),
        cmocka_unit_test(test_a_refused_reservation_leaves_nothing),
        cmocka_unit_test(test_force_passes_the_maximum_and_blocks_what_follows),
        cmocka_unit_test(test_the_peak_stays_after_a_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
