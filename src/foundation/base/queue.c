/* A bounded queue between two threads: bounded by bytes; control items pass the bound. */
#include "foundation/base/queue.h"

#include "foundation/base/mem.h"
#include "foundation/base/thread.h"

struct Queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    QueueNode *first, *last;
    int64_t bytes, max_bytes;
    void (*drop)(void *item);
    bool closed, cancelled;
};

Status queue_new(int64_t max_bytes, void (*drop)(void *item), Queue **ret_queue, Err *err)
{
    Queue *queue = mem_zalloc((int64_t)sizeof *queue);
    if (!queue) return err_memory(err);
    pthread_mutex_init(&queue->mutex, NULL);
    thread_cond_init(&queue->changed);
    queue->max_bytes = max_bytes;
    queue->drop = drop;
    *ret_queue = queue;
    return OK;
}

void queue_free(Queue *queue)
{
    if (!queue) return;
    while (queue->first) {
        QueueNode *next = queue->first->next;
        queue->drop(queue->first);
        queue->first = next;
    }
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->mutex);
    mem_free(queue);
}

static QueueResult queue_wait_room(Queue *queue, int64_t bytes, int64_t deadline_ns)
{
    while (true) {
        if (queue->closed || queue->cancelled) return QUEUE_CLOSED;
        if (!queue->first || queue->bytes + bytes <= queue->max_bytes) return QUEUE_OK;
        if (!thread_cond_wait(&queue->changed, &queue->mutex, deadline_ns)) return QUEUE_TIMEOUT;
    }
}

static void queue_link(Queue *queue, QueueNode *node)
{
    if (queue->last) queue->last->next = node;
    else queue->first = node;
    queue->last = node;
    queue->bytes += node->bytes;
    pthread_cond_broadcast(&queue->changed);
}

QueueResult queue_push(Queue *queue, void *item, int64_t bytes, int64_t deadline_ns)
{
    QueueNode *node = item;
    *node = (QueueNode){.bytes = bytes};
    pthread_mutex_lock(&queue->mutex);
    QueueResult result = queue_wait_room(queue, bytes, deadline_ns);
    if (result == QUEUE_OK) queue_link(queue, node);
    pthread_mutex_unlock(&queue->mutex);
    return result;
}

QueueResult queue_push_control(Queue *queue, void *item)
{
    QueueNode *node = item;
    *node = (QueueNode){0};
    pthread_mutex_lock(&queue->mutex);
    QueueResult result = queue->closed || queue->cancelled ? QUEUE_CLOSED : QUEUE_OK;
    if (result == QUEUE_OK) queue_link(queue, node);
    pthread_mutex_unlock(&queue->mutex);
    return result;
}

QueueResult queue_pop(Queue *queue, int64_t deadline_ns, void **ret_item)
{
    QueueNode *node = NULL;
    QueueResult result = QUEUE_OK;
    pthread_mutex_lock(&queue->mutex);
    while (!queue->first && !queue->closed && !queue->cancelled && result == QUEUE_OK) {
        if (!thread_cond_wait(&queue->changed, &queue->mutex, deadline_ns)) result = QUEUE_TIMEOUT;
    }
    if (queue->cancelled) {
        result = QUEUE_CLOSED;
    } else if (queue->first) {
        node = queue->first;
        queue->first = node->next;
        if (!queue->first) queue->last = NULL;
        queue->bytes -= node->bytes;
        pthread_cond_broadcast(&queue->changed);
        result = QUEUE_OK;
    } else if (queue->closed) {
        result = QUEUE_CLOSED;
    }
    pthread_mutex_unlock(&queue->mutex);
    if (node) *ret_item = node;
    return result;
}

void queue_close(Queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}

void queue_cancel(Queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->cancelled = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}

int64_t queue_drop_if(Queue *queue, bool (*match)(void *item, void *arg), void *arg)
{
    int64_t dropped = 0;
    QueueNode *out = NULL;
    pthread_mutex_lock(&queue->mutex);
    QueueNode **at = &queue->first;
    queue->last = NULL;
    while (*at) {
        QueueNode *node = *at;
        if (!match(node, arg)) {
            queue->last = node;
            at = &node->next;
            continue;
        }
        *at = node->next;
        queue->bytes -= node->bytes;
        node->next = out;
        out = node;
        dropped++;
    }
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    while (out) {
        QueueNode *next = out->next;
        queue->drop(out);
        out = next;
    }
    return dropped;
}

int64_t queue_bytes(Queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    int64_t bytes = queue->bytes;
    pthread_mutex_unlock(&queue->mutex);
    return bytes;
}
