/* One mutex and one condition: the queue is short and its items are large batches, so a wake-up
 * too many costs nothing. */
#include "pass/queue.h"

#include <errno.h>
#include <time.h>

ss_status ss_pass_queue_init(struct ss_pass_queue *queue, ss_err *err)
{
    pthread_condattr_t attributes;
    *queue = (struct ss_pass_queue){0};
    if (pthread_condattr_init(&attributes) != 0) {
        return ss__fail_nomem(err, "a queue");
    }
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&queue->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (made && pthread_mutex_init(&queue->lock, NULL) != 0) {
        pthread_cond_destroy(&queue->changed);
        made = false;
    }
    return made ? SS_OK : ss__fail_nomem(err, "a queue");
}

void ss_pass_queue_release(struct ss_pass_queue *queue)
{
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
}

bool ss_pass_queue_push(struct ss_pass_queue *queue, void *item)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->n_items == SS_PASS_QUEUE_CAPACITY && !queue->is_closed) {
        pthread_cond_wait(&queue->changed, &queue->lock);
    }
    const bool pushed = !queue->is_closed;
    if (pushed) {
        queue->items[(queue->first + queue->n_items) % SS_PASS_QUEUE_CAPACITY] = item;
        queue->n_items++;
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    return pushed;
}

static struct timespec after_ms(int ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

ss_pass_popped ss_pass_queue_pop(struct ss_pass_queue *queue, int timeout_ms, void **item)
{
    const struct timespec deadline = after_ms(timeout_ms < 0 ? 0 : timeout_ms);
    int waited = 0;
    ss_pass_popped result = SS_PASS_POP_ITEM;
    *item = NULL;
    pthread_mutex_lock(&queue->lock);
    while (queue->n_items == 0 && !queue->is_closed && waited != ETIMEDOUT) {
        waited = timeout_ms < 0
                     ? pthread_cond_wait(&queue->changed, &queue->lock)
                     : pthread_cond_timedwait(&queue->changed, &queue->lock, &deadline);
    }
    if (queue->n_items > 0) {
        *item = queue->items[queue->first];
        queue->first = (queue->first + 1) % SS_PASS_QUEUE_CAPACITY;
        queue->n_items--;
        pthread_cond_broadcast(&queue->changed);
    } else {
        result = queue->is_closed ? SS_PASS_POP_CLOSED : SS_PASS_POP_TIMEOUT;
    }
    pthread_mutex_unlock(&queue->lock);
    return result;
}

void ss_pass_queue_close(struct ss_pass_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}
