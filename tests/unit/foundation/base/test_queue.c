/* Queues between threads: order, the bound, control items, ends; and budgets in a tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "foundation/base/budget.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/queue.h"
#include "foundation/base/thread.h"

enum { ITEMS = 20000, ITEM_BYTES = 10, QUEUE_MAX = 100 };

typedef struct Item {
    QueueNode node;
    int64_t number;
} Item;

static int64_t dropped;

static void drop(void *item)
{
    dropped++;
    mem_free(item);
}

static Item *item_new(int64_t number)
{
    Item *item = mem_zalloc((int64_t)sizeof *item);
    assert_non_null(item);
    item->number = number;
    return item;
}

static void push_all(void *arg)
{
    Queue *queue = arg;
    for (int64_t i = 0; i < ITEMS; i++) {
        if (queue_push(queue, item_new(i), ITEM_BYTES, -1) != QUEUE_OK) return;
    }
    queue_close(queue);
}

static void keeps_order_and_bound(void **state)
{
    (void)state;
    Queue *queue = NULL;
    Err err = {0};
    Thread thread = {0};
    assert_int_equal(queue_new(QUEUE_MAX, drop, &queue, &err), OK);
    assert_int_equal(thread_start(&thread, "pusher", push_all, queue, &err), OK);
    void *taken = NULL;
    int64_t next = 0;
    while (queue_pop(queue, -1, &taken) == QUEUE_OK) {
        assert_true(queue_bytes(queue) <= QUEUE_MAX);
        assert_true(((Item *)taken)->number == next++);
        mem_free(taken);
    }
    thread_join(&thread);
    assert_int_equal(next, ITEMS);
    queue_free(queue);
}

static void ends_and_bounds(void **state)
{
    (void)state;
    Queue *queue = NULL;
    Err err = {0};
    void *taken = NULL;
    assert_int_equal(queue_new(QUEUE_MAX, drop, &queue, &err), OK);
    assert_int_equal(queue_pop(queue, clock_mono_ns() + 1000000, &taken), QUEUE_TIMEOUT);
    /* One item is always admitted, however large; then nothing but control. */
    assert_int_equal(queue_push(queue, item_new(1), 5000, -1), QUEUE_OK);
    Item *second = item_new(2);
    assert_int_equal(queue_push(queue, second, 1, clock_mono_ns() + 1000000), QUEUE_TIMEOUT);
    assert_int_equal(queue_push_control(queue, second), QUEUE_OK);
    assert_int_equal(queue_pop(queue, -1, &taken), QUEUE_OK);
    assert_int_equal(((Item *)taken)->number, 1);
    mem_free(taken);
    queue_cancel(queue);
    assert_int_equal(queue_pop(queue, -1, &taken), QUEUE_CLOSED);
    Item *late = item_new(3);
    assert_int_equal(queue_push(queue, late, 1, -1), QUEUE_CLOSED);
    mem_free(late);
    dropped = 0;
    queue_free(queue);
    assert_int_equal(dropped, 1);
}

static bool is_odd(void *item, void *arg)
{
    (void)arg;
    return ((Item *)item)->number % 2 == 1;
}

static void drops_what_matches(void **state)
{
    (void)state;
    Queue *queue = NULL;
    Err err = {0};
    assert_int_equal(queue_new(QUEUE_MAX, drop, &queue, &err), OK);
    for (int64_t i = 0; i < 10; i++) {
        assert_int_equal(queue_push(queue, item_new(i), ITEM_BYTES, -1), QUEUE_OK);
    }
    assert_int_equal(queue_drop_if(queue, is_odd, NULL), 5);
    assert_int_equal(queue_bytes(queue), 5 * ITEM_BYTES);
    assert_int_equal(queue_push(queue, item_new(10), ITEM_BYTES, -1), QUEUE_OK);
    for (int64_t i = 0; i <= 10; i += 2) {
        void *taken = NULL;
        assert_int_equal(queue_pop(queue, -1, &taken), QUEUE_OK);
        assert_true(((Item *)taken)->number == i);
        mem_free(taken);
    }
    queue_free(queue);
}

static void budgets_count_up_the_tree(void **state)
{
    (void)state;
    Budget root, child;
    budget_init(&root, "root", NULL, 100);
    budget_init(&child, "child", &root, 80);
    assert_true(budget_reserve(&child, 60));
    assert_false(budget_reserve(&child, 30));
    assert_true(budget_reserve(&root, 40));
    assert_false(budget_reserve(&child, 1));
    assert_int_equal(budget_used(&child), 60);
    assert_int_equal(budget_used(&root), 100);
    budget_force(&child, 50);
    assert_int_equal(budget_used(&root), 150);
    budget_release(&child, 110);
    assert_int_equal(budget_used(&root), 40);
    assert_int_equal(atomic_load(&root.peak_bytes), 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_bound),
        cmocka_unit_test(ends_and_bounds),
        cmocka_unit_test(drops_what_matches),
        cmocka_unit_test(budgets_count_up_the_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
