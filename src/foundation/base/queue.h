/* A bounded queue between two threads: bounded by bytes; control items pass the bound. */
#ifndef NEURON_QUEUE_H
#define NEURON_QUEUE_H

#include "foundation/base/err.h"

typedef struct Queue Queue;

/* Every item begins with one, so that handing it over needs no memory and can't fail for want of
 * it. The queue's own while the item is inside. */
typedef struct QueueNode {
    struct QueueNode *next;
    int64_t bytes;
} QueueNode;

typedef enum QueueResult {
    QUEUE_OK,
    QUEUE_TIMEOUT, /* the deadline came first */
    QUEUE_CLOSED,  /* closed: nothing will come, or nothing is taken any more */
} QueueResult;

/* `max_bytes` bounds what waits inside; one item is always admitted, however large. `drop` frees
 * items that are still inside at queue_free or queue_drop_if. Thread-safe. */
MUST_USE Status queue_new(int64_t max_bytes, void (*drop)(void *item), Queue **ret_queue, Err *err);
void queue_free(Queue *queue);
DEFINE_FREE_P(Queue, queue_free)

/* Hand over an item (it begins with a QueueNode) of `bytes`; waits for room until `deadline_ns`
 * (clock_mono_ns; negative: for ever). On QUEUE_OK the queue owns the item, else the caller still
 * does. */
MUST_USE QueueResult queue_push(Queue *queue, void *item, int64_t bytes, int64_t deadline_ns);
/* Hand over a control item at once, whatever the bound; keeps its place in the order. */
MUST_USE QueueResult queue_push_control(Queue *queue, void *item);
/* Take the oldest item; after queue_close the rest is still handed out, then QUEUE_CLOSED. */
MUST_USE QueueResult queue_pop(Queue *queue, int64_t deadline_ns, void **ret_item);
/* Nothing more will be pushed: readers drain what is there, then see QUEUE_CLOSED. */
void queue_close(Queue *queue);
/* Stop both sides at once: waiting and later pushes and pops see QUEUE_CLOSED. */
void queue_cancel(Queue *queue);
/* Drop the waiting items for which `match(item, arg)` is true; returns how many. */
int64_t queue_drop_if(Queue *queue, bool (*match)(void *item, void *arg), void *arg);
int64_t queue_bytes(Queue *queue);

#endif
